"""Results in the form and with the exit statuses of oslo.upgradecheck.

Its table, its JSON document and its numbers are what deployment tools read of `nova-status upgrade
check` and its like; the library itself is not needed.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from authmw.doctor.result import Result, Status

SUCCESS, WARNING, FAILURE = 0, 1, 2
FAILED_TO_CHECK = 255
"""Exit status if the configuration can't be read."""

_TITLE = "Upgrade Check Results"
_WORDS = {SUCCESS: "Success", WARNING: "Warning", FAILURE: "Failure"}
_CODES = {
    Status.PASS: SUCCESS,
    Status.SKIP: SUCCESS,
    Status.WARN: WARNING,
    Status.FAIL: FAILURE,
    Status.ERROR: FAILURE,
}
_WIDTH = 76


def upgrade_status(results: Iterable[Result]) -> int:
    """Return the exit status: the highest code of all results."""
    return max((_CODES[result.status] for result in results), default=SUCCESS)


def make_upgrade_document(results: Iterable[Result]) -> dict[str, object]:
    """Return the object of the JSON output."""
    return {
        "name": _TITLE,
        "checks": [
            {
                "check": result.check,
                "result": _CODES[result.status],
                "details": _join(result) or None,
            }
            for result in results
        ],
    }


def render_upgrade(results: Sequence[Result]) -> str:
    """Return the table."""
    rows = [[_TITLE]]
    for result in results:
        details = textwrap.wrap(
            f"Details: {_join(result) or None}",
            _WIDTH,
            subsequent_indent="  ",
            break_long_words=True,
        )
        rows.append(
            [f"Check: {result.check}", f"Result: {_WORDS[_CODES[result.status]]}", *details]
        )
    width = max(len(line) for row in rows for line in row)
    rule = f"+{'-' * (width + 2)}+"
    lines = [rule]
    for row in rows:
        lines += [f"| {line.ljust(width)} |" for line in row]
        lines.append(rule)
    return "\n".join(lines)


def _join(result: Result) -> str:
    text = f"{result.detail}: {result.fix}" if result.fix else result.detail
    return "".join(char if char.isprintable() else " " for char in text)
