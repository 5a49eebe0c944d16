"""Sends each case to both filters, once."""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass

import keystonemiddleware.auth_token

import authmw
from tests.system.peer.cases import FORGED, Case
from tests.system.peer.comparison import Difference, compare, find_unsound, read_verdict
from tests.system.peer.configurations import CONFIGURATIONS, Backends
from tests.system.peer.sides import ANSWERS, Environ, Side, make_environ, quiet

# A thread of Keystone may still refuse our own user with what it knew of him before; it
# comes to its senses, and a 503 that stays is a 503.
_PATIENCE_ROUNDS = 20
_PAUSE_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Result:
    """What a case came to.

    Attributes:
        verdicts: ours, of each time it was sent.
        raised: what left our filter, if anything did.
        unsound: what we told the service and should not have, whatever the peer does.
        differences: of all times together.
    """

    verdicts: tuple[str, ...]
    raised: tuple[str, ...]
    unsound: tuple[str, ...]
    differences: tuple[Difference, ...]


class Contest:
    """Both filters under every configuration; made when a case first asks for them."""

    def __init__(self, backends: Backends) -> None:
        self.backends = backends
        self._pairs: dict[str, tuple[Side, Side]] = {}
        self._results: dict[Case, Result] = {}
        self._made: list[Side] = []

    def hold(self, case: Case) -> Result:
        """Send a case, or recall what came of it."""
        if case not in self._results:
            self._results[case] = self._send(case)
        return self._results[case]

    def close(self) -> None:
        """Let go of both sides; some of the peer's connections end in no other way."""
        for side in self._made:
            side.close()
        self._pairs.clear()
        self._made.clear()
        with quiet():
            gc.collect()

    def _send(self, case: Case) -> Result:
        if case.configuration not in self._pairs:
            self._pairs[case.configuration] = self.make_pair(case.configuration)
        ours, peers = self._pairs[case.configuration]
        environ = self.make_environ(case)
        answer = ANSWERS[case.answer]
        verdicts, raised, unsound, differences = [], [], [], []
        for _ in range(case.times):
            our_outcome = ours.send(environ, answer)
            patience = _PATIENCE_ROUNDS if case.verdict != "503" else 0
            while patience and read_verdict(our_outcome) == "503":
                patience -= 1
                time.sleep(_PAUSE_SECONDS)
                our_outcome = ours.send(environ, answer)
            verdicts.append(read_verdict(our_outcome))
            raised += [our_outcome.raised] if our_outcome.raised else []
            unsound += find_unsound(our_outcome, FORGED)
            differences += compare(our_outcome, peers.send(environ, answer))
        return Result(tuple(verdicts), tuple(raised), tuple(unsound), tuple(differences))

    def make_pair(self, configuration: str) -> tuple[Side, Side]:
        """Return ours and the peer's, new and with nothing in memory, as a new process has it."""
        make = CONFIGURATIONS[configuration]
        ours = Side(authmw.filter_factory, make(self.backends))
        peers = Side(keystonemiddleware.auth_token.filter_factory, make(self.backends))
        self._made += [ours, peers]
        return ours, peers

    def make_environ(self, case: Case) -> Environ:
        """Return the environ of the request that a case describes."""
        extra: Environ = {**self.backends.environ, **dict.fromkeys(case.forged, FORGED)}
        if case.token is not None:
            scheme = "Bearer " if case.token_key == "HTTP_AUTHORIZATION" else ""
            extra[case.token_key] = scheme + self.backends.estate.token(case.token)
        if case.service is not None:
            extra["HTTP_X_SERVICE_TOKEN"] = self.backends.estate.token(case.service)
        extra.update(case.extra)
        return make_environ(
            method=case.method, path=case.path, script_name=case.script_name, extra=extra
        )
