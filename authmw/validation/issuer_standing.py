"""What decides about the tokens of one issuer: its keys, and its list of revoked tokens."""

from __future__ import annotations

import sys
from collections.abc import Callable

from authmw.errors import InvalidToken, Reason
from authmw.keys.on_demand import KeysOnDemand
from authmw.revocation.revoked_ids import RevokedIds
from authmw.token import Token


class IssuerStanding:
    """Judges validated tokens of one issuer; see `authmw.revalidation.IssuerStanding`.

    Args:
        keys: the issuer's; None: its tokens are opaque, and it is asked about each.
        revoked: the list that it publishes, if it does.
    """

    def __init__(self, keys: KeysOnDemand | None = None, revoked: RevokedIds | None = None) -> None:
        self.keys = keys
        self._revoked = revoked

    def add_listener(self, listener: Callable[[], None]) -> None:
        if self.keys is not None:
            self.keys.add_listener(listener)
        if self._revoked is not None:
            self._revoked.add_listener(listener)

    def verify(self, token: Token, now: float) -> None:
        if self._revoked is not None:
            self._revoked.verify_not_revoked(token.audit_id, now)
        if token.signed_by is None or self.keys is None:
            return
        # A thumbprint alone says nothing: another issuer may publish the same key.
        if not self.keys.current(now).holds(token.signed_by):
            raise InvalidToken(Reason.BAD_SIGNATURE, "the public key that verified it was removed")

    def find_trouble(self, now: float) -> str | None:
        """Return why no token of the issuer can be judged, without I/O; None: one can.

        An issuer whose tokens nobody has sent yet was not asked for anything.
        """
        for part in (self.keys, self._revoked):
            if part is not None and (trouble := part.find_trouble(now)) is not None:
                return trouble
        return None

    def fresh_until(self, now: float) -> int:
        """Return up to when what is known here decides, epoch seconds."""
        return sys.maxsize if self._revoked is None else self._revoked.fresh_until(now)
