"""Dates in HTTP headers: the three forms of RFC 9110, in the time zone of HTTP, or none."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from authmw.identity.http_messages import parse_http_date


@pytest.fixture(params=["UTC", "America/New_York", "Asia/Kolkata"])
def _time_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_time_zone")
@pytest.mark.parametrize(
    "written",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun, 06 Nov 1994 08:49:37 -0000",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 09:49:37 +0100",
    ],
)
def test_a_date_means_the_same_moment_wherever_we_run(written: str) -> None:
    assert parse_http_date(written) == 784111777


@pytest.mark.parametrize(
    "written",
    [
        "",
        "yesterday",
        "784111777",
        "Sun, 99 Nov 1994 08:49:37 GMT",
        # A moment past the last that can be written again.
        "Fri, 31 Dec 9999 23:59:59 -1200",
        # Before there was an epoch.
        "Sun, 06 Nov 1894 08:49:37 GMT",
    ],
)
def test_what_is_no_date_is_none(written: str) -> None:
    assert parse_http_date(written) is None
