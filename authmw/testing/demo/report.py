"""The output of the demo: a table and a final line."""

from __future__ import annotations

from collections.abc import Sequence

from authmw.testing.demo.scenes import Outcome

_HEADINGS = ("request", "status", "what the service saw")


def render_table(outcomes: Sequence[Outcome]) -> str:
    """Return one line for each request, and two for one that went wrong."""
    rows = [_HEADINGS]
    for outcome in outcomes:
        after = f", {outcome.seconds:.1f} s later" if outcome.scene.within else ""
        rows.append((outcome.scene.title, str(outcome.status), outcome.caller + after))
        if not outcome.is_as_expected:
            rows.append(("  WRONG, should be", str(outcome.scene.status), outcome.scene.caller))
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    rows.insert(1, ("-" * widths[0], "-" * widths[1], "-" * widths[2]))
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def make_document(outcomes: Sequence[Outcome]) -> dict[str, object]:
    """Return the object of the JSON output."""
    return {
        "status": conclude(outcomes)[1],
        "requests": [
            {
                "request": outcome.scene.title,
                "status": outcome.status,
                "caller": outcome.caller,
                "as_expected": outcome.is_as_expected,
                "seconds": round(outcome.seconds, 3),
            }
            for outcome in outcomes
        ],
    }


def conclude(outcomes: Sequence[Outcome]) -> tuple[str, int]:
    """Return the final line and the exit status: 0 if every response is as expected."""
    wrong = sum(not outcome.is_as_expected for outcome in outcomes)
    if wrong or not outcomes:
        return f"demo: FAILED, {wrong} of {len(outcomes)} answers are not as they should be", 1
    return f"demo: ok, {len(outcomes)} requests, each answered as it should be", 0
