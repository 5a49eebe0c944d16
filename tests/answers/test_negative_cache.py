"""Refusals are remembered for the configured time, within a bound."""

from __future__ import annotations

import pytest

from authmw.answers.negative_cache import NegativeCache
from authmw.errors import InvalidToken, Reason

REFUSAL = InvalidToken(Reason.NOT_FOUND, "unknown")


def test_a_refusal_is_repeated_until_its_time_is_over() -> None:
    refusals = NegativeCache(5)
    refusals.remember("token", REFUSAL, 100.0)
    with pytest.raises(InvalidToken, match="not_found: unknown") as caught:
        refusals.verify_not_refused("token", 104.9)
    assert caught.value is not REFUSAL
    refusals.verify_not_refused("token", 105.0)


def test_a_clock_set_back_does_not_prolong_a_refusal() -> None:
    refusals = NegativeCache(5)
    refusals.remember("token", REFUSAL, 100_000.0)
    with pytest.raises(InvalidToken):
        refusals.verify_not_refused("token", 99_999.5)
    refusals.verify_not_refused("token", 96_400.0)


def test_another_token_and_another_strength_are_not_refused() -> None:
    refusals = NegativeCache(5)
    refusals.remember(("token", "allow_expired"), REFUSAL, 100.0)
    refusals.verify_not_refused("token", 101.0)
    refusals.verify_not_refused("other", 101.0)


def test_nothing_is_remembered_where_it_is_off() -> None:
    refusals = NegativeCache(0)
    refusals.remember("token", REFUSAL, 100.0)
    refusals.verify_not_refused("token", 100.0)


def test_a_flood_of_different_tokens_does_not_fill_memory() -> None:
    refusals = NegativeCache(5)
    for number in range(25_000):
        refusals.remember(f"token {number}", REFUSAL, 100.0)
    assert len(refusals._known) <= 10_000
