"""What a run found out: statuses, figures, faults, and the one table of them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from examples.real_services.contenders import PEER

WRONG_CONTENT = 0
"""Stands for a status: the answer was a success, with other content than was stored."""


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one request.

    Attributes:
        statuses: by the instance's name.
        wanted: what they must be, by the instance's name.
    """

    what: str
    statuses: Mapping[str, int]
    wanted: Mapping[str, int]

    def is_wrong(self, name: str) -> bool:
        """Tell whether an instance answered something else than it must."""
        return self.statuses[name] != self.wanted[name]

    def describe(self, name: str) -> str:
        """Return an instance's status, and what it must have been if that differs."""
        status = self.statuses[name]
        text = "other content" if status == WRONG_CONTENT else str(status)
        return f"{text}, NOT {self.wanted[name]}" if self.is_wrong(name) else text


@dataclass(frozen=True, slots=True)
class Figure:
    """One measurement.

    Attributes:
        by_instance: the values, by the instance's name; the table shows their median.
    """

    what: str
    by_instance: Mapping[str, Sequence[float]]
    unit: str
    digits: int

    def describe(self, name: str) -> str:
        """Return the median, and with several values the quartiles around it."""
        values = self.by_instance[name]
        median = statistics.median(values)
        if not math.isfinite(median):
            return "never"
        text = f"{median:.{self.digits}f} {self.unit}".rstrip()
        if len(values) < 4:
            return text
        low, _, high = statistics.quantiles(values, n=4, method="inclusive")
        return f"{text} ({low:.{self.digits}f}-{high:.{self.digits}f})"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything.

    Attributes:
        changes: of the paste files, as unified diffs.
        names: of the instances, in the order of the columns.
        faults: one sentence for each thing of ours that was not as it must be. What the
            peer does is shown in the table and is no fault.
    """

    changes: Sequence[str]
    names: Sequence[str]
    rows: Sequence[Row]
    figures: Sequence[Figure]

    @property
    def faults(self) -> list[str]:
        ours = [name for name in self.names if not name.endswith(PEER.name)]
        found = [
            f"{name}: {row.what}: {row.describe(name)}"
            for row in self.rows
            for name in ours
            if row.is_wrong(name)
        ]
        found += [
            f"{name}: {figure.what}: never"
            for figure in self.figures
            for name in ours
            if figure.describe(name) == "never"
        ]
        return found

    def format_table(self) -> str:
        """Return a simple table of reStructuredText, which a terminal shows as well as a page."""
        titles = ["what", *self.names]
        entries: list[Row | Figure] = [*self.rows, *self.figures]
        lines = [[entry.what, *(entry.describe(name) for name in self.names)] for entry in entries]
        widths = [max(map(len, column)) for column in zip(titles, *lines, strict=True)]
        rule = "  ".join("=" * width for width in widths)
        texts = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in (titles, *lines)
        ]
        return "\n".join([rule, texts[0], rule, *texts[1:], rule])
