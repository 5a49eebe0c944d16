"""What an OAuth access token says that a v3 token body has no member for."""

from __future__ import annotations

import marshal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from authmw.token.read_only import ReadOnlyDict
from authmw.token.shared_body import SharedMembers

NO_CLAIMS: Mapping[str, Any] = ReadOnlyDict()
# The record and its texts, in bytes.
_OWN_SIZE = 400


@dataclass(frozen=True, slots=True)
class OAuthAccess:
    """The OAuth side of an access token (RFC 6749, RFC 9068).

    Attributes:
        client_id: the client that it was issued to; None where the token does not say.
        scope: the values of its OAuth scope (RFC 6749 §3.3).
        key_thumbprint: `jkt`, the thumbprint of the key that its bearer must prove to hold
            (RFC 9449 §6.1); None where it is bound to none.
    """

    client_id: str | None
    scope: frozenset[str]
    key_thumbprint: str | None
    # Marshalled: a third of the memory of what it is read into, and few services read it. Version 2
    # writes equal claims alike.
    _claims: bytes = field(repr=False)

    @classmethod
    def of_claims(
        cls,
        claims: Mapping[str, object],
        *,
        client_id: str | None,
        scope: frozenset[str],
        key_thumbprint: str | None,
    ) -> OAuthAccess:
        """Make one of verified claims, which are JSON; the rest as the attributes."""
        return cls(client_id, scope, key_thumbprint, marshal.dumps(dict(claims), 2))

    def to_members(self) -> dict[str, object]:
        """Return it as JSON can say it."""
        return {
            "client_id": self.client_id,
            "scope": sorted(self.scope),
            "key_thumbprint": self.key_thumbprint,
            "claims": dict(self.claims),
        }

    @classmethod
    def from_members(cls, members: Mapping[str, Any]) -> OAuthAccess:
        """Read what `to_members` returned.

        Raises:
            KeyError, TypeError, ValueError: a member is missing or of another type.
        """
        client_id, key_thumbprint = members["client_id"], members["key_thumbprint"]
        scope, claims = members["scope"], members["claims"]
        for text in (client_id, key_thumbprint, *scope):
            if text is not None and type(text) is not str:
                raise TypeError("no text")
        return cls.of_claims(
            dict(claims),
            client_id=client_id,
            scope=frozenset(scope),
            key_thumbprint=key_thumbprint,
        )

    @property
    def claims(self) -> Mapping[str, Any]:
        """All claims, read-only at every depth; made anew at each reading."""
        return SharedMembers(marshal.loads(self._claims)).members  # noqa: S302 - our own bytes

    @property
    def size(self) -> int:
        """The memory it takes, in bytes, roughly."""
        return _OWN_SIZE + len(self._claims)
