"""What an OAuth access token says that a v3 token body has no member for."""

from __future__ import annotations

import marshal
from collections.abc import Mapping
from typing import Any, NamedTuple

from authmw.token.read_only import ReadOnlyDict
from authmw.token.shared_body import SharedMembers

NO_CLAIMS: Mapping[str, Any] = ReadOnlyDict()
# The record, its texts and the token's own claims, in bytes.
_OWN_SIZE = 900


def marshal_claims(claims: Mapping[str, object]) -> bytes:
    """Return claims, which are JSON, as bytes; equal ones in one order alike."""
    return marshal.dumps(dict(claims), 2)


class OAuthAccess(NamedTuple):  # made for each token, and a frozen dataclass is slower
    """The OAuth side of an access token (RFC 6749, RFC 9068).

    Attributes:
        client_id: the client that it was issued to; None where the token does not say.
        scope: the values of its OAuth scope (RFC 6749 §3.3).
        key_thumbprint: `jkt`, the thumbprint of the key that its bearer must prove to hold
            (RFC 9449 §6.1); None where it is bound to none.
        shared_claims: of `marshal_claims`, one object for all tokens of a bearer. Marshalled
            claims take a third of the memory of what they are read into, and few services read
            them.
        own_claims: names and values of the others.
    """

    client_id: str | None
    scope: frozenset[str]
    key_thumbprint: str | None
    shared_claims: bytes
    own_claims: tuple[tuple[str, object], ...] = ()

    def __repr__(self) -> str:
        # No claims: they are personal data.
        return f"OAuthAccess({self.client_id!r}, {self.scope!r}, {self.key_thumbprint!r})"

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
        return cls(client_id, scope, key_thumbprint, marshal_claims(claims))

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
        claims = marshal.loads(self.shared_claims)  # noqa: S302 - our own bytes
        claims.update(self.own_claims)
        return SharedMembers(claims).members

    @property
    def size(self) -> int:
        """The memory it takes, in bytes, roughly."""
        return _OWN_SIZE + len(self.shared_claims)
