"""Faults of the shared cache are logged at once, and then at most once in a while."""

from __future__ import annotations

import gc
import weakref

import pytest

from authmw.cache.fault_log import FaultLog
from authmw.errors import CacheError


def test_first_fault_is_logged_at_once_and_then_one_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = 5.0
    log = FaultLog(lambda: now)
    for second in range(180):
        now = 5.0 + second
        log.report(CacheError(f"fault {second}"))
    said = "The shared cache is at fault, requests go on without it: "
    assert [record.getMessage() for record in caplog.records] == [
        f"{said}fault 0",
        f"{said}fault 60 (and 59 more faults since the last line)",
        f"{said}fault 120 (and 59 more faults since the last line)",
    ]


def test_log_record_does_not_keep_the_fault_with_its_frames(
    caplog: pytest.LogCaptureFixture,
) -> None:
    fault = CacheError("fault")
    gone = weakref.ref(fault)
    FaultLog().report(fault)
    del fault
    gc.collect()
    assert len(caplog.records) == 1
    assert gone() is None
