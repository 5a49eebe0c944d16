"""Work that may wait for a network or disk: done at once, or left to a caller who must not wait.

An event loop serves many requests in one thread. So a request that needs such work is given up by
`WouldBlock`, the work is done in another thread, and the request is decided anew with its outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, NamedTuple, TypeVar, cast

from authmw.errors import IdentityUnavailable, InvalidToken, Lane, Others, WouldBlock
from authmw.runtime.flights import raise_copy

T = TypeVar("T")


class Outcome(NamedTuple, Generic[T]):
    """What some work has come to: a result, or an error that is raised to whoever asks."""

    result: T | None = None
    error: InvalidToken | IdentityUnavailable | None = None

    def get(self) -> T:
        """Return the result, or raise a copy of the error."""
        if self.error is not None:
            raise_copy(self.error)
        return cast(T, self.result)


Answers = dict[Hashable, Outcome[object]]


def run_or_raise(
    answers: Answers | None,
    key: Hashable,
    work: Callable[[], T],
    lane: Lane,
    others: Others = "wait",
) -> T:
    """Return what `work()` returns, or what it has come to before.

    Args:
        answers: where the caller must not wait: the outcomes so far. None: do the work here.
        key, work, lane, others: see `WouldBlock`.

    Raises:
        WouldBlock: there is no outcome yet.
        InvalidToken, IdentityUnavailable: the work did.
    """
    if answers is None:
        return work()
    known = answers.get(key)
    if known is None:
        raise WouldBlock(key, work, lane, others)
    return cast(Outcome[T], known).get()


def try_work(work: Callable[[], T]) -> Outcome[T]:
    """Do some work; its error, if it is one of the two, is part of the outcome."""
    try:
        return Outcome(work())
    except (InvalidToken, IdentityUnavailable) as error:
        return Outcome(error=error)
