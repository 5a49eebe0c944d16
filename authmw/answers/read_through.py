"""Renews a cached answer: dropped after a refusal, used in an outage while it is usable.

Every cached answer is renewed this way, in memory and in a shared cache. A fresh answer is used
without it.
"""

from __future__ import annotations

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
        """Up to when it may be used while the endpoint does not answer."""


V_co = TypeVar("V_co", bound=Answered, covariant=True)


class Question(Protocol[V_co]):
    """A question to the identity endpoint, and the cache that stores its answer."""

    def ask(self) -> V_co:
        """Ask the endpoint, and store the answer.

        Raises InvalidToken or IdentityUnavailable.
        """

    def forget(self) -> None:
        """Drop the stored answer, and accept no older one from now on."""

    def find_kept(self) -> V_co | None:
        """Return the stored answer, however old; None: there is none, or a refusal came after."""


def ask_anew(question: Question[V_co], now: float) -> V_co:
    """Return a new answer, or in an outage the stored one.

    Args:
        question: to ask.
        now: epoch seconds.

    Raises:
        InvalidToken: the answer is a refusal; the stored answer was dropped.
        IdentityUnavailable: there is no new answer, and no stored one is usable.
    """
    try:
        return question.ask()
    except InvalidToken:
        question.forget()
        raise
    except IdentityUnavailable:
        # Read only now: another request may have got an answer, or a refusal, meanwhile.
        known = question.find_kept()
        if known is not None and now < known.usable_until:
            return known
        raise
