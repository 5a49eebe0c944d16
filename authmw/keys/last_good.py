"""What every key source does with what it last read: use it, age it, tell of its changes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from authmw.errors import IdentityUnavailable
from authmw.jose.key_set import KeySet
from authmw.runtime.process import PerProcess

_log = logging.getLogger(__name__)

_NEVER = float("inf")
_NOT_READ = "not read yet"
# After the moment from which keys are too old, which is the last one they are used at.
_PAST_SECONDS = 0.001


@dataclass(frozen=True, slots=True)
class _State:
    keys: KeySet | None = None
    confirmed_at: float = 0.0
    trouble: str | None = _NOT_READ


class LastGoodKeys:
    """The last key set that a source could read, for as long as it may be used.

    Its whole state is one frozen object that is replaced at once, so no reader needs a lock.

    Args:
        option: the option that names the source, for messages.
        place: what the option is set to.
        max_age_seconds: how long keys are used after the source was last read
            (`jws_keys_max_age`).
        changed: called after the set of usable keys has become another one.
        accepted_algorithms: what `jws_accepted_algorithms` says; a set of keys of which none fits
            is warned about. None: nobody says.
    """

    def __init__(
        self,
        option: str,
        place: str,
        max_age_seconds: float,
        changed: Callable[[], None],
        accepted_algorithms: frozenset[str] | None = None,
    ) -> None:
        self._name = f"{option} = {place}"
        self._max_age_seconds = max_age_seconds
        self._changed = changed
        self._accepted_algorithms = accepted_algorithms
        self._state = _State()
        self._usable: frozenset[tuple[str, str | None]] = frozenset()
        # Writers are few and quick; two at once could bring back keys that one has replaced.
        self._writing = PerProcess(threading.Lock)

    @property
    def is_failing(self) -> bool:
        """Whether the last attempt to read the source failed."""
        return self._state.trouble not in (None, _NOT_READ)

    @property
    def expires_at(self) -> float:
        """Epoch seconds from which the keys in use are too old; infinity: none are in use."""
        return (
            self._state.confirmed_at + self._max_age_seconds + _PAST_SECONDS
            if self._usable
            else _NEVER
        )

    def accept(self, keys: KeySet, now: float) -> None:
        """Use `keys`, read now, in place of what there was. An empty set is the truth too."""
        with self._writing.get():
            before = self._state
            self._state = _State(keys, now, None)
            self._settle(now)
        if before.keys is not None and before.trouble is not None:
            _log.info("%s can be read again", self._name)

    def lose(self, trouble: str) -> None:
        """The source can't be read: go on with the last good keys while they are young."""
        with self._writing.get():
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

    def expire(self, now: float) -> None:
        """Count it as a change if the keys have grown too old by now."""
        if now >= self.expires_at:
            with self._writing.get():
                self._settle(now)

    def current(self, now: float) -> KeySet:
        """Return the last good keys.

        Raises:
            IdentityUnavailable: there are none, or they are older than `max_age_seconds`.
        """
        state = self._state
        if state.keys is None:
            raise IdentityUnavailable(f"{self._name}: {state.trouble}")
        if self._is_too_old(state, now):
            read_at = datetime.fromtimestamp(state.confirmed_at, UTC).isoformat(timespec="seconds")
            raise IdentityUnavailable(
                f"{self._name}: last read at {read_at}, longer ago than jws_keys_max_age: "
                f"{state.trouble or 'nothing reloads it'}"
            )
        if not state.keys.keys:
            raise IdentityUnavailable(f"{self._name}: there is no usable public key in it")
        return state.keys

    def _is_too_old(self, state: _State, now: float) -> bool:
        return now - state.confirmed_at > self._max_age_seconds

    def _settle(self, now: float) -> None:
        """Compare what is usable by now with what was."""
        state = self._state
        keys = () if state.keys is None or self._is_too_old(state, now) else state.keys.keys
        usable = frozenset((key.thumbprint, key.kid) for key in keys)
        if usable == self._usable:
            return
        self._usable = usable
        self._changed()
        accepted = self._accepted_algorithms
        found = sorted({key.algorithm.name for key in keys})
        if accepted is not None and found and accepted.isdisjoint(found):
            _log.warning(
                "%s: none of its public keys (%d: %s) fits jws_accepted_algorithms = %s, so every "
                "token that they sign is refused; add the algorithm there, or replace the keys",
                self._name,
                len(keys),
                ", ".join(found),
                ",".join(sorted(accepted)),
            )
