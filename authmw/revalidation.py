"""Judges a remembered token again after revocation events or public keys have changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authmw.errors import IdentityUnavailable, InvalidToken, Reason
from authmw.revocation.facts import facts_of
from authmw.revocation.revocations import Revocations
from authmw.token import Token

if TYPE_CHECKING:
    from authmw.keys.source import KeySource


class Revalidation:
    """Judges remembered tokens by the current revocation events and keys.

    Args:
        revocations: compares tokens with revocation events.
        keys: verify signatures; None: no signed token is remembered.

    Attributes:
        generation: stands for the current state of both; replaced by another object after each
            change. A caller that remembers a decision stores the object it read before deciding.
            A hit then compares two references, and two changes at the same moment, in two
            threads, cannot end in the same generation.
    """

    def __init__(self, revocations: Revocations, keys: KeySource | None = None) -> None:
        self.generation = object()
        self._revocations = revocations
        self._keys = keys
        revocations.add_listener(self._begin_generation)
        if keys is not None:
            keys.add_listener(self._begin_generation)

    def _begin_generation(self) -> None:
        self.generation = object()

    def verify(self, token: Token, now: float) -> None:
        """Judge a token that was validated just now.

        Raises:
            InvalidToken: (revoked) an event covers it; (bad_signature) its key was removed.
            IdentityUnavailable: it is signed, and the events or keys that decide are missing.
        """
        if token.signed_by is not None:
            self._revocations.verify_events_complete(token.issued_at, now)
        # The answer may come from a cache and be older than the revocation.
        self._revocations.verify_not_revoked(facts_of(token))
        if token.signed_by is not None:
            self._verify_key(token.signed_by, now)

    def verify_remembered(self, token: Token, now: float) -> None:
        """Judge a token that was valid when it was remembered; raises as `verify` does.

        An opaque token also needs every event since it was validated (IdentityUnavailable).
        """
        self._revocations.verify_not_revoked(facts_of(token))
        if token.signed_by is not None:
            self._revocations.verify_events_complete(token.issued_at, now)
            self._verify_key(token.signed_by, now)
        elif token.answered_at < self._revocations.complete_from:
            raise IdentityUnavailable(
                "revocation events were dropped that came after the identity service was asked "
                "about this token"
            )

    def _verify_key(self, thumbprint: str, now: float) -> None:
        if self._keys is None:
            return
        keys = self._keys.current(now)
        if keys.holds(thumbprint):
            return
        if keys.missing is not None:
            raise IdentityUnavailable(f"the key of a token may be missing: {keys.missing}")
        raise InvalidToken(Reason.BAD_SIGNATURE, "the public key that verified it was removed")
