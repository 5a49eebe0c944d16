"""One token to evaluate: its claims, the facts and the time, and what is asked of them first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NoReturn

from authmw.authority.keystone_claims import KeystoneClaims
from authmw.bundle.facts import unpack_id
from authmw.bundle.records import Actors, FactsReader, Id, Project, User
from authmw.errors import FactUnknown, InvalidToken, Reason

# What a token names that was issued later than this before the facts were read may be newer than
# the facts: clocks differ, and a replica of the database lags behind.
REPLICA_LAG_SECONDS = 300


def deny(detail: str) -> NoReturn:
    """Refuse the token: the facts say so. Raises InvalidToken."""
    raise InvalidToken(Reason.NOT_FOUND, detail)


@dataclass(slots=True)
class Question:
    """One token, and the facts that it is judged by.

    Attributes:
        claims: of the token, whose signature and lifetime were verified.
        issued_at, expires_at: of the token, epoch seconds.
        now: epoch seconds.
        facts: one revision; a question never mixes two.
        ends_at: microseconds since 1970: the earliest time, of those looked at, at which the
            answer may end by itself; None: there is none.
    """

    claims: KeystoneClaims
    issued_at: int
    expires_at: int
    now: float
    facts: FactsReader
    now_microseconds: int = field(init=False)
    ends_at: int | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.now_microseconds = int(self.now * 1_000_000)

    def deny_absent(self, kind: str, identifier: Id) -> NoReturn:
        """Say what it means that the facts have no such thing.

        Keystone signed a token that names it, so it was there. If the facts are newer than the
        token, it was deleted since, and the token is refused (InvalidToken); otherwise, or if the
        bundle holds a part, FactUnknown is raised.
        """
        detail = f"{kind} {unpack_id(identifier)} is not in the bundle"
        if (
            self.facts.settings.get("filter") is not None
            or self.issued_at > self.facts.read_at - REPLICA_LAG_SECONDS
        ):
            raise FactUnknown(detail)
        deny(f"{detail}, so it was deleted")

    def user(self, user_id: Id) -> User:
        """Return a user of whom more is known than that it is there."""
        user = self.facts.user(user_id)
        if user is None:
            self.deny_absent("user", user_id)
        if not user.is_resolved:
            raise FactUnknown(f"user {unpack_id(user_id)} is kept in a directory")
        return user

    def actors(self, user: User) -> Actors:
        """Return a user with all of its groups."""
        self.note_memberships(user.id)
        return Actors(user.id, (), self.now_microseconds)

    def domain(self, domain_id: Id) -> Project:
        """Return a domain, enabled or not."""
        domain = self.facts.project(domain_id)
        if domain is None:
            self.deny_absent("domain", domain_id)
        if not domain.is_domain:
            deny(f"project {unpack_id(domain_id)} is no domain")
        return domain

    def enabled_domain(self, domain_id: Id) -> Project:
        domain = self.domain(domain_id)
        if not domain.enabled:
            deny(f"domain {unpack_id(domain_id)} is disabled")
        return domain

    def verify_enabled(self, user: User) -> None:
        """Refuse the token if a user is disabled, or was not active for too long."""
        if not user.enabled or self.is_expired(user.disabled_from):
            deny(f"user {unpack_id(user.id)} is disabled")

    def is_expired(self, expires_at: int | None) -> bool:
        """Tell whether a time in microseconds, or None for never, has come."""
        if expires_at is None:
            return False
        if self.now_microseconds >= expires_at:
            return True
        self._note_end(expires_at)
        return False

    def note_memberships(self, user_id: Id) -> None:
        """Note when the first of a user's memberships ends."""
        end = self.facts.membership_end(user_id, self.now_microseconds)
        if end is not None:
            self._note_end(end)

    def _note_end(self, time: int) -> None:
        if self.ends_at is None or time < self.ends_at:
            self.ends_at = time
