"""From a token string to a Token: memory first, then one validation for all who ask.

No I/O happens here. `recall` is the hot path: what memory holds. `validate` is the other:
it joins or starts a flight, and a validator does the work.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

from authmw.cache.memory import Entry, MemoryCache
from authmw.cache.refusals import Refusals
from authmw.checks.expiry import verify_not_expired
from authmw.checks.token_string import verify_carriable
from authmw.clock import wall_clock
from authmw.errors import IdentityUnavailable, InvalidToken
from authmw.flights import Flights
from authmw.revocation.verdict import Revocations
from authmw.token import Token
from authmw.validation import Strength, Validator


class Resolver:
    """Resolves token strings.

    Args:
        memory: remembers validated tokens.
        flights: joins concurrent validations of one token.
        validator: asked about what memory does not hold.
        revocations: which tokens were revoked since they were validated.
        refusals: remembers for a moment what was refused.
        max_token_size: bytes; a longer token is refused unseen.
        clock: epoch seconds.
    """

    def __init__(
        self,
        *,
        memory: MemoryCache[Token],
        flights: Flights[Token],
        validator: Validator,
        revocations: Revocations,
        refusals: Refusals,
        max_token_size: int,
        clock: Callable[[], float] = wall_clock,
    ) -> None:
        self._memory = memory
        self._flights = flights
        self._validator = validator
        self._revocations = revocations
        self._refusals = refusals
        self._max_token_size = max_token_size
        self._clock = clock

    def recall(self, token: str, now: float) -> Token | None:
        """Return what memory holds of a token, validated at full strength and still fresh.

        Raises:
            InvalidToken: (revoked) since it was validated.
        """
        entry = self._memory.get(token)
        if entry is None or now >= entry.value.fresh_until:
            return None
        if entry.generation != self._revocations.generation:
            self._check_again(token, entry)
        entry.used = True
        return entry.value

    def _check_again(self, key: Hashable, entry: Entry[Token]) -> None:
        # Read first: an event that comes meanwhile then causes one more check, not one less.
        generation = self._revocations.generation
        try:
            self._revocations.verify_not_revoked(entry.value)
        except InvalidToken:
            self._memory.discard(key)
            raise
        entry.generation = generation

    def validate(self, token: str, strength: Strength, now: float) -> Token:
        """Return the Token of a string that `recall` did not know.

        Raises:
            InvalidToken: the token is not acceptable.
            IdentityUnavailable: nobody could say, and no earlier answer may be used.
        """
        verify_carriable(token, self._max_token_size)
        key = _memory_key(token, strength)
        self._refusals.verify_not_refused(key, now)
        try:
            return self._flights.run(key, lambda: self._lead(token, strength, key))
        except IdentityUnavailable:
            # Whoever waited for an answer may have waited for too long.
            now = max(now, self._clock())
            # What is good at full strength is good for those who need less.
            for known in dict.fromkeys((key, token)):
                entry = self._memory.get(known)
                if entry is None or now >= entry.value.usable_until:
                    continue
                if strength is Strength.CURRENT:
                    verify_not_expired(entry.value, now)
                elif now >= entry.value.expires_at:
                    # Whether an expired token may still be used only the endpoint says.
                    continue
                self._check_again(known, entry)
                return entry.value
            raise

    def _lead(self, token: str, strength: Strength, key: Hashable) -> Token:
        # Read anew: since `recall` another flight may have landed, and time has passed
        # for whoever waited.
        now = self._clock()
        entry = self._memory.get(key)
        if entry is not None and now < entry.value.fresh_until:
            self._check_again(key, entry)
            entry.used = True
            return entry.value
        generation = self._revocations.generation
        try:
            validated = self._validator.validate(token, strength, now)
            # An answer may come from a cache, and be older than the revocation.
            self._revocations.verify_not_revoked(validated)
        except InvalidToken as refusal:
            self._refusals.remember(key, refusal, now)
            self._memory.discard(key)
            if strength is Strength.ALLOW_EXPIRED:
                self._memory.discard(token)  # no good at full strength either
            raise
        self._memory.put(key, validated, generation)
        return validated


def _memory_key(token: str, strength: Strength) -> Hashable:
    # What was validated at less than full strength is kept where `recall` can't find it.
    return token if strength is Strength.CURRENT else (token, strength.value)
