"""The same request to both filters: each difference is a listed one."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.system.peer.cases import CASES, Case
from tests.system.peer.configurations import CONFIGURATIONS
from tests.system.peer.contest import Contest
from tests.system.peer.differences import ROWS, Row, find_rows
from tests.system.peer.estate import TOKENS
from tests.system.peer.sides import ANSWERS


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_we_decide_as_expected_and_tell_what_the_peer_tells(contest: Contest, case: Case) -> None:
    result = contest.hold(case)

    assert set(result.verdicts) == {case.verdict}, result.raised
    assert result.unsound == ()
    unexplained = [str(found) for found in result.differences if not find_rows(case, found)]
    assert not unexplained, "\n".join(["differences that no row explains:", *unexplained])


def test_every_difference_has_one_reason_and_every_reason_a_difference(contest: Contest) -> None:
    covered: Counter[str] = Counter()
    for case in CASES:
        for found in contest.hold(case).differences:
            rows = [row.name for row in find_rows(case, found)]
            assert len(rows) <= 1, f"{case.id}: {found} is covered by {rows}"
            covered.update(rows)

    assert [row.name for row in ROWS if row.name not in covered] == []


def test_cases_are_many_and_each_is_told_from_the_others() -> None:
    assert len(CASES) >= 150
    assert [name for name, count in Counter(case.id for case in CASES).items() if count > 1] == []


def test_no_token_configuration_or_answer_is_left_unused() -> None:
    tokens = {case.token for case in CASES} | {case.service for case in CASES}
    assert tokens >= TOKENS.keys()
    assert {case.configuration for case in CASES} == CONFIGURATIONS.keys()
    assert {case.answer for case in CASES} == ANSWERS.keys()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_says_what_each_side_does_and_why(row: Row) -> None:
    assert all(text.strip() for text in (row.name, row.ours, row.peers, row.reason))


def test_nothing_is_known_to_be_missing() -> None:
    assert [row.name for row in ROWS if row.is_pending] == []
