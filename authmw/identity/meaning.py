"""The columns of the table of outcomes: what each means, which exceptions have it."""

from __future__ import annotations

import enum
import functools
import importlib
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from authmw.errors import Reason


class Health(enum.Enum):
    """What an outcome says about the endpoint; see `authmw.identity.breaker`."""

    ANSWERS = enum.auto()  # the endpoint itself, no proxy, has answered
    FAILS = enum.auto()
    # It was not asked, or it limits the rate of requests: it then refuses some quickly and serves
    # others, which would fail if the breaker were open.
    UNKNOWN = enum.auto()


class Verdict(enum.Enum):
    """What an outcome means for the request."""

    ANSWERED = enum.auto()
    TOKEN_REFUSED = enum.auto()  # 401 to the client
    CREDENTIALS_REFUSED = enum.auto()  # ours, not the client's: 503 and an error in the log
    OUTAGE = enum.auto()  # 503


class Meaning(NamedTuple):
    """What one outcome means: the columns of the table.

    Attributes:
        verdict: for the request.
        health: of the endpoint.
        detail: for the log: what happened, and what to do where that is known.
        statuses: of HTTP responses with this outcome.
        errors: dotted names of exception classes with this outcome; names, because the
            libraries are loaded at first use.
        reason: of a refused token.
        is_endpoint_lost: our catalog may be out of date: get a new one before the next request.
    """

    verdict: Verdict
    health: Health
    detail: str
    statuses: Collection[int] = ()
    errors: tuple[str, ...] = ()
    reason: Reason = Reason.NOT_FOUND
    is_endpoint_lost: bool = False

    def is_caused_by(self, errors: Iterable[BaseException]) -> bool:
        """Tell whether one of the errors has this outcome."""
        classes = _load_classes(self.errors)
        return any(isinstance(error, classes) for error in errors)


def unwrap(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and those it wraps; requests and urllib3 keep them as arguments."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        wrapped = waiting.pop(0)
        if id(wrapped) in seen:
            continue
        seen.add(id(wrapped))
        yield wrapped
        parts = (getattr(wrapped, "reason", None), wrapped.__cause__, *wrapped.args)
        waiting.extend(part for part in parts if isinstance(part, BaseException))


@functools.cache
def _load_classes(names: tuple[str, ...]) -> tuple[type[BaseException], ...]:
    classes = []
    for name in names:
        module, _, attribute = name.rpartition(".")
        classes.append(getattr(importlib.import_module(module), attribute))
    return tuple(classes)
