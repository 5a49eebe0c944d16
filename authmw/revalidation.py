"""A remembered token is judged again whenever anything that decided it has changed.

Whatever can change is counted in one generation, so that a hit compares two numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from authmw.errors import IdentityUnavailable, InvalidToken, Reason
from authmw.revocation.verdict import Revocations
from authmw.token import Token

if TYPE_CHECKING:
    from authmw.keys.source import KeySource


class Revalidation:
    """Judges remembered tokens by what holds now.

    Args:
        revocations: which tokens were revoked.
        keys: that signatures are verified with; None: no signed token is remembered.
    """

    def __init__(self, revocations: Revocations, keys: KeySource | None = None) -> None:
        self._revocations = revocations
        self._keys = keys

    @property
    def generation(self) -> int:
        """Moves on when a verdict could be another one than before. Takes no lock."""
        if self._keys is None:
            return self._revocations.generation
        return self._revocations.generation + self._keys.generation

    def verify(self, token: Token, now: float) -> None:
        """Judge a token that was validated just now.

        Raises:
            InvalidToken: (revoked) an event covers it; (bad_signature) its key was removed.
            IdentityUnavailable: it is signed, and what would decide is not known any more.
        """
        # An answer may come from a cache, and be older than the revocation.
        self._revocations.verify_not_revoked(token)
        if token.signed_by is not None:
            self._revocations.verify_decidable(token, now)
            self._verify_key(token.signed_by, now)

    def verify_remembered(self, token: Token, now: float) -> None:
        """Judge a token that was good when it was validated; raises as `verify` does.

        For a token that the identity service answered for, all events made since must be known.
        """
        self.verify(token, now)
        if token.signed_by is None and token.answered_at < self._revocations.complete_from:
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
            raise IdentityUnavailable(f"the key of a token is not at hand: {keys.missing}")
        raise InvalidToken(Reason.BAD_SIGNATURE, "the public key that verified it was removed")
