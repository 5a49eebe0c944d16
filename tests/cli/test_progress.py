"""The progress line: on a terminal alone, and gone at the end."""

from __future__ import annotations

import io

from authmw.cli.progress import Progress
from tests.support.clock import Clock


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_it_says_share_rate_and_time_left() -> None:
    clock = Clock(0.0)
    terminal = Terminal()
    with Progress(4000, terminal, clock) as progress:
        clock.advance(10)
        progress.add("assignments", 1000)
        assert terminal.getvalue() == (
            "\r[#####...............]  25%  1,000 rows  100 rows/s  30 s left  assignments"
        )
        # Not with every portion of rows.
        clock.advance(0.1)
        progress.add("assignments", 1000)
        assert terminal.getvalue().count("\r") == 1
    # Nothing is left of it.
    assert terminal.getvalue().rpartition("s left  assignments")[2].strip(" \r") == ""
    assert terminal.getvalue().endswith("\r")
    assert progress.rows == 2000


def test_more_rows_than_expected_are_no_more_than_all() -> None:
    clock = Clock(0.0)
    terminal = Terminal()
    with Progress(10, terminal, clock) as progress:
        clock.advance(1)
        progress.add("users", 1000)
        assert "100%" in terminal.getvalue()
        assert "0 s left" in terminal.getvalue()


def test_nothing_is_written_where_there_is_no_terminal() -> None:
    clock = Clock(0.0)
    stream = io.StringIO()
    with Progress(10, stream, clock) as progress:
        clock.advance(10)
        progress.add("users", 5)
    assert stream.getvalue() == ""
