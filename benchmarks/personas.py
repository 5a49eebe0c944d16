"""What the test plugin costs a service's tests: a new token, and one request with it."""

from __future__ import annotations

from collections.abc import Iterator

from authmw.testing import Cloud
from benchmarks.measure import Effort, measure
from benchmarks.stage import CannotMeasure, answer, request_with
from benchmarks.table import Row

_BUDGET_MICROSECONDS = 1000


def run(effort: Effort) -> Iterator[Row]:
    """Yield the cost of a persona's token, and of the token with one request."""
    with Cloud() as cloud:
        app = cloud.protect(answer)
        make = cloud.personas.project_member

        def make_and_request() -> None:
            request_with(app, make().token)()

        make_and_request()
        times = measure({"token": make, "both": make_and_request}, effort)
        if cloud.identity.calls["validate"]:
            raise CannotMeasure("personas: the identity server was asked about a token")
    yield Row("test plugin: a persona's token", f"{times['token']:.0f} µs")
    yield Row(
        "test plugin: a token and one request",
        f"{times['both']:.0f} µs",
        budget=f"{_BUDGET_MICROSECONDS} µs",
        is_met=times["both"] < _BUDGET_MICROSECONDS,
    )
