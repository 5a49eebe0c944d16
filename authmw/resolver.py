"""Resolves a token string to a Token: from memory, else by one validation for all requests with it.

The validator may do I/O; nothing else here does.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable

from authmw.answers.negative_cache import NegativeCache
from authmw.cache.memory import Entry, MemoryCache
from authmw.checks.expiry import ExpiryPolicy, is_conclusive
from authmw.checks.token_string import verify_token_string
from authmw.errors import IdentityUnavailable, InvalidToken
from authmw.metrics.filter_metrics import FilterMetrics
from authmw.revalidation import Revalidation
from authmw.runtime.clock import wall_clock
from authmw.runtime.flights import Flights
from authmw.token import Token
from authmw.validation.validator import Validator


class Resolver:
    """Resolves token strings.

    Args:
        memory: remembers validated tokens.
        flights: joins concurrent validations of one token.
        validator: asked about what memory does not hold.
        revalidation: judges remembered tokens by what holds now.
        refusals: remembers for a moment what was refused.
        max_token_size: bytes; a longer token is refused unseen.
        metrics: counts look-ups in memory; None: nothing does.
        clock: epoch seconds.

    Attributes:
        validator: looked up for each validation: a test fixture replaces it.
    """

    def __init__(
        self,
        *,
        memory: MemoryCache[Token],
        flights: Flights[Token],
        validator: Validator,
        revalidation: Revalidation,
        refusals: NegativeCache,
        max_token_size: int,
        metrics: FilterMetrics | None = None,
        clock: Callable[[], float] = wall_clock,
    ) -> None:
        self._memory = memory
        self.find_entry = memory.get
        self._flights = flights
        self.validator = validator
        self.revalidation = revalidation
        self._refusals = refusals
        self._max_token_size = max_token_size
        self._count_hit = self._count_miss = _count_nothing
        if metrics is not None:
            self._count_hit = metrics.lookups.count("memory", "hit").add
            self._count_miss = metrics.lookups.count("memory", "miss").add
        self._clock = clock

    def find_fresh(self, token: str, now: float) -> Token | None:
        """Return what memory holds of a token while it is fresh, else None.

        It may have expired, which the caller checks.

        Raises:
            InvalidToken: it is not acceptable any more, though it was when it was validated.
        """
        entry = self.find_entry(token)
        if entry is None or now >= entry.value.fresh_until:
            return None
        if entry.generation is not self.revalidation.generation and not self._is_still_known(
            token, entry, now
        ):
            return None
        self._count_hit()
        entry.used = True
        return entry.value

    def _is_still_known(self, token: str, entry: Entry[Token], now: float) -> bool:
        """Judge an entry again; False: the token has to be validated anew."""
        # Read first: a change that comes meanwhile then causes one more look, not one less.
        generation = self.revalidation.generation
        try:
            self.revalidation.verify_remembered(entry.value, now)
        except InvalidToken as refusal:
            _name_token(refusal, entry.value)
            self._memory.discard(token)
            raise
        except IdentityUnavailable:
            return False
        entry.generation = generation
        return True

    def resolve(self, token: str, expiry_policy: ExpiryPolicy, now: float) -> Token:
        """Validate a token that `find_fresh` does not return, or that has expired since.

        Raises:
            InvalidToken: the token is not acceptable.
            IdentityUnavailable: it could not be validated, and no earlier answer may be used.
        """
        verify_token_string(token, self._max_token_size)
        # A refusal of an expired token does not hold for a request that may use one.
        key = (
            token if expiry_policy is ExpiryPolicy.REFUSE_EXPIRED else (token, expiry_policy.value)
        )
        self._refusals.verify_not_refused(key, now)
        return self._flights.run(key, functools.partial(self._lead, token, expiry_policy, key))

    def _lead(self, token: str, expiry_policy: ExpiryPolicy, key: Hashable) -> Token:
        # Read anew: since `find_fresh` another flight may have landed, and time has passed
        # for whoever waited.
        now = self._clock()
        entry = self.find_entry(token)
        known: Token | None = None
        if entry is not None and self._is_still_known(token, entry, now):
            entry.used = True
            known = entry.value
        if (
            known is not None
            and now < known.fresh_until
            and is_conclusive(known, expiry_policy, now)
        ):
            self._count_hit()
            return known
        self._count_miss()
        generation = self.revalidation.generation
        validated = known
        try:
            validated = self.validator.validate(token, expiry_policy, now, known)
            self.revalidation.verify(validated, now)
        except InvalidToken as refusal:
            if validated is not None:
                _name_token(refusal, validated)
            self._refusals.remember(key, refusal, now)
            self._memory.discard(token)
            raise
        # What a fixture of a test answered is never fresh, so that no memory holds it beyond.
        if now < validated.fresh_until:
            self._memory.put(token, validated, generation)
        return validated


def _name_token(refusal: InvalidToken, token: Token) -> None:
    """Have the log name a refused token by its audit id and user."""
    refusal.audit_id, refusal.user_id = token.audit_id, token.principal.user.id


def _count_nothing() -> object:
    pass
