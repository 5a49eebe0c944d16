"""Jitter: pauses drawn at random, so that processes started together drift apart."""

from __future__ import annotations

import random

# The part of a pause that has to pass; the rest is left to chance.
EARLIEST_PART = 0.9
# A service may have seeded the common one, and a state of our own would be the same in all
# processes forked from one.
_chance = random.SystemRandom()


def shorten(seconds: float) -> float:
    """Return a pause up to a tenth shorter: earlier than need be, never later."""
    return seconds * _chance.uniform(EARLIEST_PART, 1.0)


def draw_below(seconds: float) -> float:
    """Return a time from 0 up to so many seconds."""
    return seconds * _chance.random()
