"""Jitter: pauses drawn at random, so that processes started together drift apart."""

from __future__ import annotations

import random

# The least part of a pause; the rest is random.
EARLIEST_PART = 0.9
# A service may have seeded the module's generator, and one of our own would have the same state in
# all processes forked from one.
_random = random.SystemRandom()


def shorten(seconds: float) -> float:
    """Return a pause up to a tenth shorter, never longer."""
    return seconds * _random.uniform(EARLIEST_PART, 1.0)


def draw_below(seconds: float) -> float:
    """Return a random time from 0 up to this many seconds."""
    return seconds * _random.random()
