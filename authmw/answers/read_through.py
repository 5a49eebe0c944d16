"""Known and fresh, else asked for: how every remembered answer is used.

A refusal forgets what is known. While nobody can be asked, and only then, an answer that is
no longer fresh is used for as long as it is usable.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from authmw.errors import IdentityUnavailable, InvalidToken


class Answered(Protocol):
    """An answer with its lifetime, in epoch seconds."""

    @property
    def answered_at(self) -> int:
        """When the identity endpoint gave it."""

    @property
    def fresh_until(self) -> int:
        """Up to when it is used without asking again."""

    @property
    def usable_until(self) -> int:
        """Up to when it may be used while nobody can be asked."""


V = TypeVar("V", bound=Answered)


class Remembered(Protocol[V]):
    """Where one answer is remembered, or would be."""

    def recall(self) -> V | None:
        """Return the answer remembered now, however old; None: there is none to be used."""

    def keep(self, answer: V) -> None:
        """Remember a new answer."""

    def forget(self) -> None:
        """Remember no answer, and take none from before now for news."""


def read_through(remembered: Remembered[V], ask: Callable[[], V], now: float) -> V:
    """Return the remembered answer if it is fresh, else that of `ask_anew`."""
    known = remembered.recall()
    if known is not None and now < known.fresh_until:
        return known
    return ask_anew(remembered, ask, now)


def ask_anew(remembered: Remembered[V], ask: Callable[[], V], now: float) -> V:
    """Ask for an answer and remember it.

    Args:
        remembered: where the answer is remembered.
        ask: asks for it.
        now: epoch seconds.

    Raises:
        InvalidToken: the question was answered with a refusal; nothing is remembered any more.
        IdentityUnavailable: nobody could say, and no remembered answer is usable.
    """
    try:
        answer = ask()
    except InvalidToken:
        remembered.forget()
        raise
    except IdentityUnavailable:
        # Read now: another request may have been answered, or refused, meanwhile.
        known = remembered.recall()
        if known is not None and now < known.usable_until:
            return known
        raise
    remembered.keep(answer)
    return answer
