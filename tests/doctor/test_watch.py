"""Calls are watched from outside, and what they did stays as it was."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import pytest

from authmw.doctor.watch import Watch
from authmw.errors import InvalidToken, Reason


def outer(token: str) -> str:
    unseen()
    return inner(token) + inner(token)


def inner(token: str) -> str:
    if token == "bad":
        raise InvalidToken(Reason.MALFORMED, "it is bad")
    if token == "worse":
        raise ValueError(token)
    return token


def unseen() -> None:
    """Stands in no table."""


NAMES = {outer: "outer", inner: "inner"}


def test_steps_are_told_in_the_order_in_which_they_began() -> None:
    watch = Watch(NAMES)
    assert watch.run(lambda: outer("good")) == "goodgood"
    assert [(step.name, step.depth) for step in watch.steps()] == [
        ("outer", 0),
        ("inner", 1),
        ("inner", 1),
    ]
    whole, *parts = watch.steps()
    assert whole.is_accepted
    assert whole.milliseconds >= sum(part.milliseconds for part in parts) > 0


@pytest.mark.parametrize(
    ("token", "kind", "said"),
    [("bad", InvalidToken, "malformed: it is bad"), ("worse", ValueError, "ValueError")],
)
def test_what_ends_a_step_is_told_and_goes_on(token: str, kind: type[Exception], said: str) -> None:
    watch = Watch(NAMES)
    with pytest.raises(kind):
        watch.run(lambda: outer(token))
    steps = watch.steps()
    assert [(step.name, step.decision, step.is_accepted) for step in steps] == [
        ("outer", said, False),
        ("inner", said, False),
    ]
    assert isinstance(steps[0].error, kind)


def test_who_asks_is_told_each_end_with_the_variables() -> None:
    ended: list[tuple[str, Any]] = []

    def note(name: str, variables: Mapping[str, Any]) -> None:
        ended.append((name, variables["token"]))

    Watch(NAMES, note).run(lambda: outer("good"))
    assert ended == [("inner", "good"), ("inner", "good"), ("outer", "good")]


def test_nothing_is_watched_afterwards() -> None:
    before = sys.gettrace()
    watch = Watch(NAMES)
    with pytest.raises(ValueError, match="worse"):
        watch.run(lambda: outer("worse"))
    outer("good")
    assert len(watch.steps()) == 2
    assert sys.gettrace() is before
