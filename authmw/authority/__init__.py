"""Authority: where names and roles of a signed token come from.

A signature proves who issued a token. Keystone's JWS names neither roles nor names, since
assignments are unbounded, so somebody else has to: the token's own claims, or the
identity endpoint. Whatever the source, an answer is a `Principal` that
holds for every token with the same *authority key*.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from authmw.authority.agreement import verify_agreement
from authmw.authority.claims_set import parse_keystone_claims
from authmw.token import Principal
from authmw.token.catalog import ServiceCatalog

# How soon a token is looked at again while its bearer's answer waits to be renewed, ahead of
# its time or, in an outage, past it.
LOOK_AGAIN_SECONDS = 5


class Question:
    """What is asked about: the bearer of a signed token that was verified.

    Args:
        key: the authority key (`authmw.authority.key`).
        claims: of the token, as they stand in it.
        token: the token string, for a source that has to show it.

    Attributes:
        keystone: the claims that Keystone defines, parsed.

    Raises:
        InvalidToken: (malformed) a claim that Keystone defines is missing or mistyped.
    """

    is_rationed = False
    """No earlier answer about the token itself could be used in place of a new one."""

    __slots__ = ("claims", "key", "keystone", "token")

    def __init__(self, key: str, claims: Mapping[str, object], token: str) -> None:
        self.key = key
        self.claims = claims
        self.token = token
        self.keystone = parse_keystone_claims(claims)

    @property
    def methods(self) -> tuple[str, ...]:
        return self.keystone.methods

    @property
    def thumbprint(self) -> str | None:
        return self.keystone.thumbprint

    def note_refusal(self) -> None:
        """Do nothing: signed tokens are judged one by one by revocation events."""

    def verify_answer(self, principal: Principal, body: Mapping[str, object]) -> None:  # noqa: ARG002
        """Raise IdentityUnavailable if an answer is about another bearer."""
        verify_agreement(principal, self.keystone)


@dataclass(frozen=True, slots=True)
class Answer:
    """Who the bearer is and what he may do.

    Attributes:
        principal: for every token with the question's key.
        methods, thumbprint: of the token asked with; the same in all signed ones with its key.
        answered_at: epoch seconds.
        renew_from: epoch seconds from which its source wants to be asked again by whoever
            uses it, so that it can renew it ahead of time, without anybody waiting.
        fresh_until: epoch seconds up to which it holds without being asked for again.
        usable_until: epoch seconds up to which it may be used while nobody can be asked.
        renew: asks for it anew in the background, with a question's token; None where its
            source needs no asking. Call it only after checking that the token is not revoked.
    """

    principal: Principal
    methods: tuple[str, ...]
    thumbprint: str | None
    answered_at: int
    renew_from: int
    fresh_until: int
    usable_until: int
    renew: Callable[[Any, Answer, float], None] | None = field(
        default=None, repr=False, compare=False
    )

    @property
    def size(self) -> int:
        return self.principal.size

    @property
    def catalog(self) -> ServiceCatalog | None:
        return self.principal.catalog

    def relied_on_until(self, now: float) -> int:
        """Return up to when a Token made of this answer is used without another look at it.

        A token in memory never asks for its bearer, and only by being asked a source learns
        that an answer is in use: so the first look comes when renewing begins, and costs a few
        microseconds.
        """
        if now < self.renew_from:
            return self.renew_from
        soon = int(now) + LOOK_AGAIN_SECONDS
        return min(soon, self.fresh_until if now < self.fresh_until else self.usable_until)


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
