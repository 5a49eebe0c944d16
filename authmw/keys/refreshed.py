"""Keeps the keys of one source fresh: what all sources have in common."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from authmw.errors import IdentityUnavailable, KeysUnreadable
from authmw.jose.key_set import KeySet
from authmw.jose.public_key import PublicKey, SkippedKey
from authmw.keys.changes import KeyChanges
from authmw.keys.cryptography_needed import require_cryptography
from authmw.keys.source import FoundKeys, KeyReader
from authmw.runtime.counts import Count
from authmw.runtime.process import PerProcess
from authmw.runtime.reloads import FAILING_WAIT_SECONDS, PLANNED_WAIT_SECONDS, Reloads

_log = logging.getLogger(__name__)

_NEVER = float("inf")
_NOT_READ = "not read yet"
# Keys are used up to and including the second they are `max_age_seconds` old.
_PAST_SECONDS = 0.001
# Keys that one log line names; a JWK set may hold any number.
_MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class _State:
    """Replaced as a whole, so that no reader needs a lock."""

    keys: KeySet | None = None
    read_at: float = 0.0
    error: str | None = _NOT_READ
    """Why the last reading failed."""
    found: FoundKeys | None = None
    """What `keys` was made of."""


class RefreshedKeys(KeyChanges):
    """The public keys that a reader finds, read again as planned, or early for a token.

    A reading replaces all keys: a key that it no longer finds is no longer used. While the
    source can't be read, the keys of the last successful reading stay in use for
    `max_age_seconds`. Each reading has its own thread, for which callers wait a bounded time
    (`authmw.runtime.reloads`).

    Args:
        reader: reads the source.
        max_age_seconds: how long keys are used after they were read (`jws_keys_max_age`).
        accepted_algorithms: `jws_accepted_algorithms`, to warn of a source none of whose keys
            fits; None: no warning.
        failures: counts the readings that failed.

    Raises:
        ConfigurationError: `cryptography` can't be imported. The source itself is first read by
            `reload`.
    """

    def __init__(
        self,
        reader: KeyReader,
        *,
        max_age_seconds: float,
        accepted_algorithms: frozenset[str] | None = None,
        failures: Count | None = None,
    ) -> None:
        super().__init__()
        require_cryptography(reader.option, reader.location)
        self._reader = reader
        self._name = f"{reader.option} = {reader.location}"
        self._max_age_seconds = max_age_seconds
        self._accepted_algorithms = accepted_algorithms
        self._failures = failures or Count()
        self._reloads = Reloads(
            reader.option, self._read, early_interval_seconds=reader.early_interval_seconds
        )
        self._planned_at = float("-inf")
        self._state = _State()
        self._usable: frozenset[tuple[str, str | None]] = frozenset()
        # Of two threads that write at once, one could bring back keys that the other replaced.
        self._writing = PerProcess(threading.Lock)

    @property
    def reload_at(self) -> float:
        """Epoch seconds of the next planned reload; not later than the keys grow too old."""
        return min(self._planned_at, self._expires_at)

    @property
    def read_at(self) -> float | None:
        """Epoch seconds of the latest reading that succeeded; None: none did."""
        state = self._state
        return None if state.keys is None else state.read_at

    @property
    def key_count(self) -> int | None:
        """The number of keys in use; None: nobody has tried to read them yet."""
        return None if self._state.error == _NOT_READ else len(self._usable)

    def current(self, now: float) -> KeySet:
        """Return the keys in use, without I/O; see `KeySource.current`."""
        state = self._state
        keys = state.keys
        if keys is None or not keys.keys or now - state.read_at > self._max_age_seconds:
            raise self._explain_lack(state, now)
        return keys

    def reload(self, now: float) -> None:
        """Read the source, and return after a bounded time; see `KeySource.reload`."""
        self.begin_reload(now)()

    def begin_reload(self, now: float) -> Callable[[], object]:
        """Begin to read the source; see `KeySource.begin_reload`."""
        if now >= self._expires_at:
            with self._writing.get():
                self._count_if_changed(now)
        # Set before reading: a caller that sees `reload_at` meanwhile does not begin another.
        self._planned_at = now + self._reader.retry_seconds
        return self._reloads.begin(now, wait_seconds=self._wait_seconds)

    def reload_early(self, now: float) -> KeySet | None:
        """Read the source for a token that no key verifies; see `KeySource.reload_early`."""
        if not self._reloads.run_early(now, is_failing=self._is_failing):
            return None
        return self.current(now)

    @property
    def _wait_seconds(self) -> float:
        """How long a request may wait for a planned reload."""
        if self._is_failing:
            return FAILING_WAIT_SECONDS
        if self._state.keys is None:
            return self._reader.first_wait_seconds
        return PLANNED_WAIT_SECONDS

    @property
    def _is_failing(self) -> bool:
        return self._state.error not in (None, _NOT_READ)

    @property
    def _expires_at(self) -> float:
        """Epoch seconds from which the keys in use are too old; infinity: there are none."""
        if not self._usable:
            return _NEVER
        return self._state.read_at + self._max_age_seconds + _PAST_SECONDS

    def _read(self, now: float) -> None:
        self._planned_at = now + self._reader.retry_seconds
        try:
            found = self._reader.read(now)
        except KeysUnreadable as error:
            self._keep_last_good(str(error))
        except Exception as error:
            self._keep_last_good(f"reading it failed ({type(error).__name__})")
            raise  # `Reloads` logs the traceback
        else:
            self._accept(found, now)
            # Half of the age, so that a reading that fails leaves time for another.
            self._planned_at = now + min(found.fresh_seconds, self._max_age_seconds / 2)

    def _accept(self, found: FoundKeys, now: float) -> None:
        """Replace the keys in use by those just read, even if there are none."""
        before = self._state
        if found != before.found:
            self._log_found(found)
        with self._writing.get():
            before = self._state
            # The same keys stay the same set, which has the last successful key first.
            is_same = before.found is not None and found.keys == before.found.keys
            keys = before.keys if is_same else KeySet(found.keys)
            self._state = _State(keys, now, None, found)
            self._count_if_changed(now)
        if before.keys is not None and before.error is not None:
            _log.info("%s can be read again", self._name)

    def _keep_last_good(self, error: str) -> None:
        self._failures.add()
        with self._writing.get():
            before = self._state
            self._state = replace(before, error=error)
        if before.error != error:
            _log.error(
                "%s: %s; %s",
                self._name,
                error,
                "no keys were read before, so signed tokens get 503"
                if before.keys is None
                else f"the keys read before stay in use for {self._max_age_seconds:.0f} s",
            )

    def _is_too_old(self, state: _State, now: float) -> bool:
        return now - state.read_at > self._max_age_seconds

    def _explain_lack(self, state: _State, now: float) -> IdentityUnavailable:
        if state.keys is None:
            return IdentityUnavailable(f"{self._name}: {state.error}")
        if self._is_too_old(state, now):
            read_at = datetime.fromtimestamp(state.read_at, UTC).isoformat(timespec="seconds")
            return IdentityUnavailable(
                f"{self._name}: last read at {read_at}, longer ago than jws_keys_max_age: "
                f"{state.error or 'nothing reloads it'}"
            )
        return IdentityUnavailable(f"{self._name}: there is no usable public key in it")

    def _count_if_changed(self, now: float) -> None:
        """Count a change if other keys are usable now than before."""
        state = self._state
        keys = () if state.keys is None or self._is_too_old(state, now) else state.keys.keys
        usable = frozenset((key.thumbprint, key.kid) for key in keys)
        if usable != self._usable:
            self._usable = usable
            self.count_change()
            self._warn_if_none_fits(keys)

    def _warn_if_none_fits(self, keys: tuple[PublicKey, ...]) -> None:
        accepted = self._accepted_algorithms
        algorithms = sorted({key.algorithm.name for key in keys})
        if accepted is not None and algorithms and accepted.isdisjoint(algorithms):
            _log.warning(
                "%s: none of its public keys (%d: %s) fits jws_accepted_algorithms = %s, so every "
                "token that they sign is refused; add the algorithm there, or replace the keys",
                self._name,
                len(keys),
                ", ".join(algorithms),
                ",".join(sorted(accepted)),
            )

    def _log_found(self, found: FoundKeys) -> None:
        location = self._reader.location
        # A line for each reason, as a hostile source may hold any number of bad keys.
        for skipped, count in Counter(found.skipped).items():
            level = logging.CRITICAL if skipped.is_private else logging.WARNING
            subject = _describe_skipped(skipped, count, location)
            _log.log(level, "%s: %s not used: %s", location, subject, skipped.reason)
        for warning in found.warnings:
            _log.warning("%s: %s", location, warning)
        names = [
            f"{key.source} ({key.algorithm.name}, {key.thumbprint})"
            for key in found.keys[:_MOST_NAMED]
        ]
        if len(found.keys) > _MOST_NAMED:
            names.append("...")
        count = len(found.keys)
        keys = "key" if count == 1 else "keys"
        _log.info("%s: %d public %s: %s", location, count, keys, ", ".join(names))


def _describe_skipped(skipped: SkippedKey, count: int, location: str) -> str:
    if skipped.source == location:
        return "1 key is" if count == 1 else f"{count} keys are"
    return f"{skipped.source} is" if count == 1 else f"{count} keys of {skipped.source} are"
