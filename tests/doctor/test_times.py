"""Times in messages of the log, as people read them."""

from __future__ import annotations

import pytest

from authmw.doctor.times import explain_times

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("text", "explained"),
    [
        (
            "expired: at 1799999940",
            "expired: at 1799999940 (2027-01-15 07:59:00 UTC, 1 minute ago)",
        ),
        (
            "issued at 1800007200, in the future",
            "issued at 1800007200 (2027-01-15 10:00:00 UTC, in 2 hours), in the future",
        ),
        ("8000 bytes, port 11211, HTTP 404", "8000 bytes, port 11211, HTTP 404"),
        ("a1799999940, 1799999940.5, 17999999400", "a1799999940, 1799999940.5, 17999999400"),
    ],
)
def test_numbers_that_are_times_are_explained(text: str, explained: str) -> None:
    assert explain_times(text, NOW) == explained
