"""What every key source does with what it last read: use it, age it, reload it in bounds."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from authmw.clock import steady_clock
from authmw.errors import IdentityUnavailable
from authmw.jose.key_set import KeySet
from authmw.process import PerProcess

_log = logging.getLogger(__name__)

_PATIENCE_SECONDS = 2.0
_MOMENT_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class _State:
    keys: KeySet | None = None
    confirmed_at: float = 0.0
    trouble: str | None = "not read yet"


class LastGoodKeys:
    """The last key set that a source could read, for as long as it may be used.

    Its whole state is one frozen object that is replaced at once, so no reader needs a lock.

    Args:
        option: the option that names the source, for messages.
        place: what the option is set to.
        max_age_seconds: how long keys are used after the source was last read
            (`jws_keys_max_age`).
    """

    def __init__(self, option: str, place: str, max_age_seconds: float) -> None:
        self._name = f"{option} = {place}"
        self._max_age_seconds = max_age_seconds
        self._state = _State()

    def accept(self, keys: KeySet, now: float) -> None:
        """Use `keys`, read now, in place of what there was. An empty set is the truth too."""
        before = self._state
        self._state = _State(keys, now, None)
        if before.keys is not None and before.trouble is not None:
            _log.info("%s can be read again", self._name)

    def lose(self, trouble: str) -> None:
        """The source can't be read: go on with the last good keys while they are young."""
        before = self._state
        self._state = replace(before, trouble=trouble)
        if before.trouble != trouble:
            _log.error(
                "%s: %s; %s",
                self._name,
                trouble,
                "no keys were read before, so signed tokens get 503"
                if before.keys is None
                else f"the keys read before stay in use for {self._max_age_seconds:.0f} s",
            )

    def current(self, now: float) -> KeySet:
        """Return the last good keys.

        Raises:
            IdentityUnavailable: there are none, or they are older than `max_age_seconds`.
        """
        state = self._state
        if state.keys is None:
            raise IdentityUnavailable(f"{self._name}: {state.trouble}")
        if now - state.confirmed_at > self._max_age_seconds:
            read_at = datetime.fromtimestamp(state.confirmed_at, UTC).isoformat(timespec="seconds")
            raise IdentityUnavailable(
                f"{self._name}: last read at {read_at}, longer ago than jws_keys_max_age: "
                f"{state.trouble or 'nothing reloads it'}"
            )
        if not state.keys.keys:
            raise IdentityUnavailable(f"{self._name}: there is no usable public key in it")
        return state.keys


class RateLimit:
    """Has something done at most once in an interval, and refuses at once otherwise.

    Whoever comes while it is being done waits for that, as what he came for may be what is
    being read; but only in its first `_PATIENCE_SECONDS`, so that something that hangs holds
    up nobody else.

    Args:
        interval_seconds: between one time and the next.
        steady_clock: seconds, monotonic.
    """

    def __init__(
        self, interval_seconds: float, steady_clock: Callable[[], float] = steady_clock
    ) -> None:
        self._steady_clock = steady_clock
        self._interval_seconds = interval_seconds
        self._granted_at = float("-inf")
        self._began_at = float("-inf")  # by the steady clock
        self._under_way = PerProcess(threading.Lock)

    def attempt(self, work: Callable[[], None], now: float) -> bool:
        """Do `work()` if it may be done now; tell whether it was."""
        lock = self._under_way.get()
        patience = self._began_at + _PATIENCE_SECONDS - self._steady_clock()
        # Who holds it may be about to begin only.
        if not lock.acquire(timeout=max(patience, _MOMENT_SECONDS)):
            return False
        try:
            # abs(): a clock that was set back must not refuse for as long as it was ahead.
            if abs(now - self._granted_at) < self._interval_seconds:
                return False
            self._granted_at = now
            self._began_at = self._steady_clock()
            work()
            return True
        finally:
            lock.release()
