"""Counts and times calls to one endpoint, by what came of them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Literal

from authmw.errors import InvalidToken
from authmw.identity.outage import make_outage_from
from authmw.runtime.counts import Latencies, Tally

Call = Literal["validate", "probe", "events", "introspect"]

ANSWERED = "answered"
TOKEN_REFUSED = "token_refused"
GIVEN_UP = "given_up"
"""The thread or greenlet had to end before there was an answer."""


class CallMeter:
    """Counts and times the calls to one endpoint.

    Args:
        calls: by issuer, call and outcome: one of the three above, or the name of an `Outcome` in
            lower case.
        seconds: by issuer and call.
        issuer: the name it is configured by; empty: the identity service.
    """

    def __init__(
        self, calls: Tally | None = None, seconds: Latencies | None = None, issuer: str = ""
    ) -> None:
        self._calls = calls or Tally()
        self._seconds = seconds or Latencies()
        self._issuer = issuer

    @contextlib.contextmanager
    def measure(self, call: Call) -> Iterator[None]:
        """Count and time the call that the block makes."""
        outcome = GIVEN_UP
        began_at = time.perf_counter()
        try:
            yield
            outcome = ANSWERED
        except InvalidToken:
            outcome = TOKEN_REFUSED
            raise
        except Exception as error:
            outcome = make_outage_from(error).kind.lower()
            raise
        finally:
            self._seconds.observe((self._issuer, call), time.perf_counter() - began_at)
            self._calls.add(self._issuer, call, outcome)
