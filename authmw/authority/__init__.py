"""Authority: where names and roles of a signed token come from.

A signature proves who issued a token. Keystone's JWS names neither roles nor names, since
assignments are unbounded, so somebody else has to: the token's own claims, or the
identity endpoint. Whatever the source, an answer is a `Principal` that
holds for every token with the same *authority key*.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from authmw.authority.claims_set import KeystoneClaims, parse_keystone_claims
from authmw.catalog import ServiceCatalog
from authmw.token import Principal


class Question:
    """What is asked about: a verified token.

    Args:
        key: the authority key (`authmw.authority.key`).
        claims: of the token, as they stand in it.
        token: the token string, for a source that has to show it.
    """

    __slots__ = ("_keystone", "claims", "key", "token")

    def __init__(self, key: str, claims: Mapping[str, object], token: str) -> None:
        self.key = key
        self.claims = claims
        self.token = token
        self._keystone: KeystoneClaims | None = None

    @property
    def keystone(self) -> KeystoneClaims:
        """The claims that Keystone defines, parsed: only where the key is not known yet.

        Raises:
            InvalidToken: (malformed) one is missing or mistyped.
        """
        if self._keystone is None:
            self._keystone = parse_keystone_claims(self.claims)
        return self._keystone


@dataclass(frozen=True, slots=True)
class Answer:
    """Who the bearer is and what he may do.

    Attributes:
        principal: for every token with the question's key.
        claims: of the first of these tokens; all but the audit ids are those of the others.
        renew_from: epoch seconds from which its source wants to be asked again by whoever
            uses it, so that it can renew it ahead of time, without anybody waiting.
        fresh_until: epoch seconds up to which it holds without being asked for again.
        usable_until: epoch seconds up to which it may be used while nobody can be asked.
        renew: asks for it anew in the background, with a question's token; None where its
            source needs no asking. To be called with a token that is known to be good only.
    """

    principal: Principal
    claims: KeystoneClaims
    renew_from: int
    fresh_until: int
    usable_until: int
    renew: Callable[[Question, Answer, float], None] | None = field(
        default=None, repr=False, compare=False
    )

    @property
    def size(self) -> int:
        return self.principal.size

    @property
    def catalog(self) -> ServiceCatalog | None:
        return self.principal.catalog


class Authority(Protocol):
    """One source of answers."""

    def recall(self, key: str) -> Answer | None:
        """Return what is remembered under an authority key, however old; without I/O."""

    def look_up(self, question: Question, now: float) -> Answer | None:
        """Answer a question.

        Returns None where this source knows nothing of the bearer.

        Raises:
            InvalidToken: the bearer is refused; no other source is asked then.
            IdentityUnavailable: the source is out of reach.
        """
