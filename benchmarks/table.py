"""The table of results: one row a figure, as plain text or as reStructuredText."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_TITLES = ("what", "ours", "peer", "ratio", "budget", "met")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure, ours beside the peer's.

    Attributes:
        ratio: the peer's over ours ("52 x less"), or ours over the peer's where the budget
            is a share.
        is_met: None where no budget was set.
    """

    what: str
    ours: str
    peer: str = ""
    ratio: str = ""
    budget: str = ""
    is_met: bool | None = None

    @property
    def cells(self) -> tuple[str, ...]:
        """The row as texts, in the order of the table's columns."""
        met = {True: "yes", False: "NO", None: ""}[self.is_met]
        return (self.what, self.ours, self.peer, self.ratio, self.budget, met)


def times_less(what: str, ours: float, peer: float, *, at_least: float, unit: str = "µs") -> Row:
    """Return the row of a budget that says "so many times less than the peer"."""
    return Row(
        what,
        f"{ours:.2f} {unit}",
        f"{peer:.1f} {unit}",
        f"{_short(peer / ours)} x less",
        f"{at_least:g} x less",
        peer / ours >= at_least,
    )


def _short(ratio: float) -> str:
    return f"{ratio:.1f}" if ratio < 10 else f"{ratio:.0f}"


def share_of(what: str, ours: float, peer: float, *, at_most: float, unit: str) -> Row:
    """Return the row of a budget that says "at most this share of the peer's time"."""
    return Row(
        what,
        f"{ours:.0f} {unit}",
        f"{peer:.0f} {unit}",
        f"{ours / peer:.2f} of it",
        f"{at_most:g} of it",
        ours / peer <= at_most,
    )


def format_text(rows: Iterable[Row]) -> str:
    """Return the table for a terminal."""
    lines = [_TITLES, *(row.cells for row in rows)]
    widths = _widths(lines)
    texts = [_join(line, widths) for line in lines]
    return "\n".join([texts[0], _join(["-" * width for width in widths], widths), *texts[1:]])


def format_rst(rows: Iterable[Row]) -> str:
    """Return the table in reStructuredText ("simple table")."""
    # An empty first cell would continue the row above; no row has one.
    lines = [_TITLES, *(row.cells for row in rows)]
    widths = _widths(lines)
    rule = _join(["=" * width for width in widths], widths)
    texts = [_join(line, widths) for line in lines]
    return "\n".join([rule, texts[0], rule, *texts[1:], rule])


def _widths(lines: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*lines, strict=True)]


def _join(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return "  ".join(padded).rstrip()
