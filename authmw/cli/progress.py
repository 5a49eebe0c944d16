"""A progress line on a terminal: what is read, how many rows, how fast, how long still."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

_SECONDS_BETWEEN_LINES = 0.2
_BAR_WIDTH = 20


class Progress:
    """Writes one line again and again, and nothing where the stream is no terminal.

    Args:
        total: rows expected; 0: not known.
        stream: standard error, so that the output of the command can be piped.
    """

    def __init__(
        self,
        total: int = 0,
        stream: TextIO | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._total = total
        self._stream = sys.stderr if stream is None else stream
        self._is_shown = self._stream.isatty()
        # Looked up here: tests replace the clock.
        self._clock = time.monotonic if clock is None else clock
        self._began_at = self._written_at = self._clock()
        self._width = 0
        self.rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._width:
            self._write("")
            self._stream.write("\r")
            self._stream.flush()

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return self._clock() - self._began_at

    def add(self, name: str, rows: int) -> None:
        """Count rows of a table, or other steps."""
        self.rows += rows
        now = self._clock()
        if self._is_shown and now - self._written_at >= _SECONDS_BETWEEN_LINES:
            self._written_at = now
            self._write(self._describe(name))

    def _describe(self, name: str) -> str:
        rate = self.rows / max(self.seconds, 0.001)
        parts = [f"{self.rows:,} rows", f"{rate:,.0f} rows/s"]
        if self._total:
            # The total was counted a moment ago, or is an estimate.
            share = min(self.rows / self._total, 1.0)
            filled = int(share * _BAR_WIDTH)
            bar = "#" * filled + "." * (_BAR_WIDTH - filled)
            left = max(self._total - self.rows, 0) / max(rate, 1)
            parts = [f"[{bar}] {share:4.0%}", *parts, f"{left:,.0f} s left"]
        return "  ".join([*parts, name])

    def _write(self, line: str) -> None:
        self._stream.write(f"\r{line.ljust(self._width)}")
        self._stream.flush()
        self._width = len(line)
