"""The results of an examination as text and as JSON, and its exit status."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from authmw.doctor.result import Result, Status

_INDENT = " " * 6


def render(results: Iterable[Result]) -> str:
    """Return one line for each result, and another one with the fix where there is one."""
    lines = []
    for result in results:
        lines.append(
            f"{result.status.value:<5} {_one_line(result.check)}: {_one_line(result.detail)}"
        )
        if result.fix:
            lines.append(f"{_INDENT}fix: {_one_line(result.fix)}")
    return "\n".join(lines)


def summarize(results: Sequence[Result]) -> str:
    """Return the last line of the output."""
    counts = Counter(result.status for result in results)
    words = {Status.FAIL: "failed", Status.ERROR: "could not be made", Status.WARN: "warned"}
    parts = [f"{counts[status]} {word}" for status, word in words.items() if counts[status]]
    made = sum(counts[status] for status in Status if status is not Status.SKIP)
    return f"doctor: {made} checks" + (f", {', '.join(parts)}" if parts else ", all passed")


def make_document(results: Sequence[Result]) -> dict[str, object]:
    """Return the object of the JSON output."""
    return {
        "status": exit_status(results),
        "checks": [
            {
                "check": result.check,
                "status": result.status.value,
                "detail": result.detail,
                "fix": result.fix,
            }
            for result in results
        ],
    }


def exit_status(results: Iterable[Result]) -> int:
    """Return 0 without failures, 1 with some, 2 if a check could not be made."""
    statuses = {result.status for result in results}
    if Status.ERROR in statuses:
        return 2
    return 1 if Status.FAIL in statuses else 0


def _one_line(text: str) -> str:
    """Return text that moves no cursor: some of it is a server's."""
    return "".join(char if char.isprintable() else " " for char in text)
