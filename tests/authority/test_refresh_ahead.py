"""An answer in use is renewed in the background before it ends; no request waits for it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from authmw.testing import Fault, IdentityServer
from authmw.testing.revocations import RevokedAttributes
from tests.support.clock import Clock
from tests.support.embedded_identity import make_filter, wait_for_validations
from tests.support.waiting import wait_for

# Of the 60 seconds that an answer is fresh: the first and the last quarter.
EARLY_SECONDS, LATE_SECONDS, REST_SECONDS = 30, 16, 15


@pytest.fixture
def server() -> Iterator[IdentityServer]:
    with IdentityServer() as running:
        yield running


def test_an_answer_in_use_is_renewed_while_requests_go_on(
    server: IdentityServer, clock: Clock, tmp_path: Path
) -> None:
    protected = make_filter(server, tmp_path / "keys", clock)
    used, new = (server.issue_jws("member", project="inventory") for _ in range(2))
    idle = server.issue_jws("reader", project="inventory")
    assert [protected.ask(token).status for token in (used, idle)] == [200, 200]
    clock.advance(EARLY_SECONDS)
    assert protected.ask(used).status == 200
    assert server.calls["validate"] == 2
    clock.advance(LATE_SECONDS)
    assert [protected.ask(token).status for token in (used, new)] == [200, 200]
    wait_for_validations(server, 3)
    clock.advance(REST_SECONDS)
    assert [protected.ask(token).status for token in (used, new)] == [200, 200]
    assert server.calls["validate"] == 3, "renewed once, for both, and not asked for again"
    assert protected.ask(idle).status == 200
    assert server.calls["validate"] == 4, "what nobody used was not renewed"


def test_no_request_waits_for_a_renewal(
    server: IdentityServer, clock: Clock, tmp_path: Path
) -> None:
    protected = make_filter(server, tmp_path / "keys", clock)
    token = server.issue_jws("member", project="inventory")
    assert protected.ask(token).status == 200
    clock.advance(EARLY_SECONDS + LATE_SECONDS)
    with server.failing(Fault.HANG, "validate"):
        assert protected.ask(token).status == 200
        wait_for_validations(server, 2)
        # The question is out, and would be for all of identity_deadline.
        for _ in range(10):
            new = server.issue_jws("member", project="inventory")
            assert protected.ask(new).status == 200
        assert server.calls["validate"] == 2


def test_no_request_waits_for_the_renewals_of_others_however_long_they_take(
    server: IdentityServer, clock: Clock, tmp_path: Path
) -> None:
    protected = make_filter(server, tmp_path / "keys", clock)
    tokens = [server.issue_jws(user, project="inventory") for user in ("member", "admin")]
    assert [protected.ask(token).status for token in tokens] == [200, 200]
    clock.advance(EARLY_SECONDS)
    fresh = server.issue_jws("reader", project="inventory")
    assert protected.ask(fresh).status == 200
    clock.advance(LATE_SECONDS)
    with server.failing(Fault.HANG, "validate"):
        # One is asked about, the other waits for that.
        assert [protected.ask(token).status for token in tokens] == [200, 200]
        wait_for_validations(server, 4)
        began_at = time.monotonic()
        for _ in range(8):
            clock.advance(1)
            assert protected.ask(fresh).status == 200
        assert time.monotonic() - began_at < 0.5
        assert server.calls["validate"] == 4


def test_a_role_taken_away_is_noticed_by_the_renewal_already(
    server: IdentityServer, clock: Clock, tmp_path: Path
) -> None:
    protected = make_filter(server, tmp_path / "keys", clock)
    server.directory.assign("admin", "member", project="inventory")
    token = server.issue_jws("member", project="inventory")
    assert "admin" in protected.ask(token).headers["HTTP_X_ROLES"].split(",")
    server.directory.unassign("admin", "member", project="inventory")
    clock.advance(EARLY_SECONDS + LATE_SECONDS)
    assert protected.ask(token).status == 200
    wait_for_validations(server, 2)
    clock.advance(REST_SECONDS)
    assert "admin" not in protected.ask(token).headers["HTTP_X_ROLES"].split(",")
    assert server.calls["validate"] == 2


def test_a_renewal_that_fails_harms_nobody_and_the_answer_ends_in_its_time(
    server: IdentityServer, clock: Clock, tmp_path: Path
) -> None:
    protected = make_filter(server, tmp_path / "keys", clock, identity_outage_grace="0")
    token = server.issue_jws("member", project="inventory")
    assert protected.ask(token).status == 200
    clock.advance(EARLY_SECONDS + LATE_SECONDS)
    with server.failing(Fault.ERROR_503, "validate"):
        assert protected.ask(token).status == 200
        wait_for_validations(server, 2)
        assert protected.ask(token).status == 200
        clock.advance(REST_SECONDS)
        assert protected.ask(token).status == 503
    # The next probe notices that the endpoint answers again.
    assert wait_for(lambda: protected.ask(token).status == 200)


def test_what_was_refused_does_not_come_back_in_an_outage(
    server: IdentityServer, clock: Clock, tmp_path: Path
) -> None:
    protected = make_filter(server, tmp_path / "keys", clock)
    tokens = [server.issue_jws("member", project="inventory") for _ in range(2)]
    assert [protected.ask(token).status for token in tokens] == [200, 200]
    server.directory.unassign("member", "member", project="inventory")
    clock.advance(61)
    assert protected.ask(tokens[0]).status == 401
    with server.failing(Fault.ERROR_503, "validate"):
        assert [protected.ask(token).status for token in tokens] == [503, 503]


def test_a_token_known_to_be_revoked_does_not_cost_its_bearer_the_answer(
    server: IdentityServer, clock: Clock, tmp_path: Path
) -> None:
    protected = make_filter(server, tmp_path / "keys", clock, revocation_poll_interval="5")
    revoked, good = (server.issue_jws("member", project="inventory") for _ in range(2))
    assert [protected.ask(token).status for token in (revoked, good)] == [200, 200]
    server.revoke(revoked)
    clock.advance(EARLY_SECONDS)
    assert protected.ask(revoked).status == 401
    clock.advance(LATE_SECONDS)
    assert protected.ask(revoked).status == 401
    with server.failing(Fault.ERROR_503, "validate"):
        assert protected.ask(good).status == 200
    assert server.calls["validate"] <= 2, "nothing was asked about the revoked token"


def test_a_token_known_to_be_revoked_does_not_cost_its_bearer_the_grace_when_the_answer_has_ended(
    server: IdentityServer, clock: Clock, tmp_path: Path
) -> None:
    protected = make_filter(server, tmp_path / "keys", clock, revocation_poll_interval="5")
    revoked, good = (server.issue_jws("member", project="inventory") for _ in range(2))
    assert [protected.ask(token).status for token in (revoked, good)] == [200, 200]
    server.revoke(revoked)
    clock.advance(EARLY_SECONDS)
    assert protected.ask(revoked).status == 401
    clock.advance(LATE_SECONDS + REST_SECONDS)
    assert protected.ask(revoked).status == 401
    assert server.calls["validate"] == 1, "the events had said it already"
    with server.failing(Fault.ERROR_503, "validate"):
        assert protected.ask(good).status == 200
    clock.advance(REST_SECONDS)
    assert [protected.ask(token).status for token in (revoked, good)] == [401, 200]


def test_a_role_that_is_gone_revokes_no_token_by_what_was_said_before(
    server: IdentityServer, clock: Clock, tmp_path: Path
) -> None:
    protected = make_filter(server, tmp_path / "keys", clock, revocation_poll_interval="5")
    role = server.directory.add_role("auditor")
    server.directory.assign("auditor", "member", project="inventory")
    token = server.issue_jws("member", project="inventory")
    assert "auditor" in protected.ask(token).headers["HTTP_X_ROLES"].split(",")
    server.directory.unassign("auditor", "member", project="inventory")
    server.emit(RevokedAttributes(role_id=role.id))
    clock.advance(EARLY_SECONDS)
    assert protected.ask(token).status == 401
    clock.advance(LATE_SECONDS + REST_SECONDS)
    told = protected.ask(token)
    assert told.status == 200
    assert "auditor" not in told.headers["HTTP_X_ROLES"].split(",")
