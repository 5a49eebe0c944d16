"""A burst of lines of one cause, then a slow stream that says how many were left out."""

from __future__ import annotations

from authmw.runtime.line_limit import BURST_LINES, LINES_PER_SECOND, LineLimit, describe_left_out


def test_each_cause_has_a_burst_and_the_rest_is_counted() -> None:
    now = 100.0
    limit = LineLimit(lambda: now)
    assert [limit.admit("a") for _ in range(BURST_LINES)] == [0] * BURST_LINES
    assert [limit.admit("a") for _ in range(7)] == [None] * 7
    assert limit.admit("b") == 0
    now += 1 / LINES_PER_SECOND
    assert limit.admit("a") == 7
    assert limit.admit("a") is None


def test_a_quiet_time_allows_no_more_than_a_burst() -> None:
    now = 100.0
    limit = LineLimit(lambda: now)
    limit.admit("a")
    now += 1e6
    admitted = [limit.admit("a") for _ in range(BURST_LINES + 1)]
    assert admitted == [0] * BURST_LINES + [None]


def test_lines_left_out_are_mentioned() -> None:
    assert describe_left_out(0) == ""
    assert describe_left_out(3) == " (and 3 more like this since the last line)"
