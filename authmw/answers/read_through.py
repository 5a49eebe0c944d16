"""Ask, keep the answer, forget it on a refusal, and use it in an outage while it is usable.

Every answer that is remembered is renewed this way, be it kept in memory or in a shared cache.
A fresh one is used without coming here.
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
        """Up to when it may be used while nobody can be asked."""


V_co = TypeVar("V_co", bound=Answered, covariant=True)


class Question(Protocol[V_co]):
    """One question, and the place where its answer is kept."""

    def ask(self) -> V_co:
        """Ask anew, and keep the answer.

        Raises InvalidToken or IdentityUnavailable.
        """

    def forget(self) -> None:
        """Keep no answer, and accept no older one from now on."""

    def find_kept(self) -> V_co | None:
        """Return the answer kept now, however old; None: there is none, or it was refused."""


def ask_anew(question: Question[V_co], now: float) -> V_co:
    """Return a new answer, or in an outage the one that is kept.

    Args:
        question: what is asked.
        now: epoch seconds.

    Raises:
        InvalidToken: the answer is a refusal; none is kept any more.
        IdentityUnavailable: there is no new answer, and none kept that is usable.
    """
    try:
        return question.ask()
    except InvalidToken:
        question.forget()
        raise
    except IdentityUnavailable:
        # Read now: another request may have got an answer, or a refusal, meanwhile.
        known = question.find_kept()
        if known is not None and now < known.usable_until:
            return known
        raise
