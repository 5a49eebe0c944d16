"""A check that fails itself: one result of its own, and no verdict on the deployment."""

from __future__ import annotations

import pytest

from authmw.doctor.examination import guard
from authmw.doctor.report import exit_status, make_document, render, summarize
from authmw.doctor.result import Results, Status, failed, passed, skipped, warned

SECRET = "hunter2"


def check_and_fail() -> Results[int]:
    yield passed("first", "fine")
    raise RuntimeError(SECRET)


def check() -> Results[int]:
    yield warned("second", "odd", "look")
    return 2


def test_a_fault_of_ours_ends_its_group_and_quotes_nothing() -> None:
    results = list(guard("group", check_and_fail()))
    assert [result.status for result in results] == [Status.PASS, Status.ERROR]
    assert results[1].check == "group"
    assert "RuntimeError in check_and_fail" in results[1].detail
    assert SECRET not in render(results)
    # Nobody can say whether the deployment is good.
    assert exit_status(results) == 2
    assert summarize(results).endswith("1 could not be made")


def test_what_a_group_found_out_is_handed_on() -> None:
    group = guard("group", check())
    assert next(group) == warned("second", "odd", "look")
    with pytest.raises(StopIteration) as end:
        next(group)
    assert end.value.value == 2


def test_statuses_and_document_of_results() -> None:
    results = [passed("a", "fine"), skipped("b", "not now"), warned("c", "odd", "look")]
    assert exit_status(results) == 0
    assert summarize(results) == "doctor: 2 checks, 1 warned"
    assert exit_status([*results, failed("d", "bad", "mend")]) == 1
    assert make_document(results[:1]) == {
        "status": 0,
        "checks": [{"check": "a", "status": "pass", "detail": "fine", "fix": ""}],
    }


def test_what_a_server_says_moves_no_cursor() -> None:
    text = render([failed("a", "it said \x1b[2J\nfail  b: forged", "mend\r")])
    assert len(text.splitlines()) == 2
    assert "\x1b" not in text
