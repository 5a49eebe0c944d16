"""The model by itself, and that a filter with a fault in it is found out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.model.estate import Estate, Park
from tests.system.model.happenings import (
    Configuration,
    Event,
    Happening,
    History,
    Identity,
    KeyAdded,
    KeyRemoved,
    OutageBegan,
    Outcome,
    Request,
    Revocation,
    RoleGiven,
    RoleTaken,
    Scope,
    Started,
    Token,
    Told,
)
from tests.system.model.model import allowed
from tests.system.model.promises import promises_of

BEGIN = 1_800_000_000.0
SCOPE: Scope = ("project", "inventory")
MEMBER = Identity("member", SCOPE, frozenset({"member", "reader"}))
OPAQUE = Token(
    "t0",
    user="member",
    scope=SCOPE,
    audit_ids=("a0",),
    issued_at=int(BEGIN),
    expires_at=int(BEGIN) + 3600,
)
SIGNED = Token(
    "t1",
    is_signed=True,
    signed_by="first",
    user="member",
    scope=SCOPE,
    audit_ids=("a1",),
    issued_at=int(BEGIN),
    expires_at=int(BEGIN) + 3600,
)
REMOTE = Configuration(offline=False)
OFFLINE = Configuration(offline=True)


def after(*events: tuple[float, Happening]) -> History:
    """Return a history that begins with a filter and a member of a project."""
    first: list[tuple[float, Happening]] = [
        (0, RoleGiven("member", "member", SCOPE)),
        (0, KeyAdded("first")),
        (0, Started("A")),
    ]
    return tuple(Event(BEGIN + at, what) for at, what in [*first, *events])


def may(configuration: Configuration, history: History, token: Token, at: float) -> set[object]:
    """Return what a request at that time may come to: whom it is accepted as, or a status."""
    outcomes = allowed(configuration, history, Request("A", token), BEGIN + at)
    return {outcome.user or outcome.status for outcome in outcomes}


@pytest.mark.parametrize(("configuration", "token"), [(REMOTE, OPAQUE), (OFFLINE, SIGNED)])
def test_a_good_token_is_accepted_and_nothing_else_is_allowed(
    configuration: Configuration, token: Token
) -> None:
    assert may(configuration, after(), token, 30) == {MEMBER}
    assert may(configuration, after(), token, 3600) == {401}


@pytest.mark.parametrize(("configuration", "token"), [(REMOTE, OPAQUE), (OFFLINE, SIGNED)])
def test_a_role_taken_away_may_be_there_for_the_authority_cache_time_and_no_longer(
    configuration: Configuration, token: Token
) -> None:
    request = Told(Request("A", token), Outcome(200, MEMBER))
    history = after((10, request), (20, RoleTaken("member", "member", SCOPE)))
    seconds = promises_of(configuration).bearer_seconds
    assert may(configuration, history, token, 30) == {MEMBER, 401}
    assert may(configuration, history, token, 20 + seconds + 1) == {401}


@pytest.mark.parametrize(("configuration", "token"), [(REMOTE, OPAQUE), (OFFLINE, SIGNED)])
def test_a_revoked_token_may_pass_for_the_poll_interval_and_no_longer(
    configuration: Configuration, token: Token
) -> None:
    event = Revocation("audit_id", token.audit_ids[0])
    history = after((5, Told(Request("A", token), Outcome(200, MEMBER))), (20, event))
    assert MEMBER in may(configuration, history, token, 21)
    assert may(configuration, history, token, 22 + promises_of(configuration).event_seconds) == {
        401
    }


def test_a_removed_key_refuses_its_tokens_within_seconds() -> None:
    history = after((20, KeyRemoved("first")))
    assert MEMBER in may(OFFLINE, history, SIGNED, 21)
    assert may(OFFLINE, history, SIGNED, 22 + promises_of(OFFLINE).key_seconds) == {401}


def test_in_an_outage_what_is_known_ends_with_503() -> None:
    told = Told(Request("A", OPAQUE), Outcome(200, MEMBER))
    history = after((10, told), (20, OutageBegan()))
    assert MEMBER in may(REMOTE, history, OPAQUE, 300)
    assert may(REMOTE, history, OPAQUE, 20 + promises_of(REMOTE).remote_outage_seconds + 1) == {503}


@pytest.fixture(scope="module")
def park(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Park]:
    with Park(tmp_path_factory.mktemp("park")) as running:
        yield running


# Each is what the documentation does not promise for the configuration the model is told.
FAULTS = {
    "roles as old as the token's answer": {"authority_renewal_rate": "0"},
    "roles renewed too late": {"authority_cache_time": "250"},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_filter_that_keeps_roles_for_longer_is_found_out(park: Park, fault: str) -> None:
    assert not _keeps_a_role(park, {})
    assert _keeps_a_role(park, FAULTS[fault])


def _keeps_a_role(park: Park, differences: dict[str, str]) -> bool:
    """Tell whether a role taken away is still there when the model says that it is gone."""
    configuration = Configuration(offline=False)
    with Estate(park, configuration, differences=differences) as estate:
        token = estate.log_in("member", SCOPE, is_signed=False)
        assert token is not None
        request = Request("A", token)
        assert _is_allowed(estate, configuration, request)
        estate.take_role("member", "member", SCOPE)
        estate.pass_time(100)
        return not _is_allowed(estate, configuration, request)


def test_a_filter_that_never_hears_of_revocation_is_found_out(park: Park, tmp_path: Path) -> None:
    configuration = Configuration(offline=False)
    for interval, is_right in (("1", True), ("0", False)):
        with Estate(
            park, configuration, differences={"revocation_poll_interval": interval}
        ) as estate:
            token = estate.log_in("member", SCOPE, is_signed=False)
            assert token is not None
            request = Request("A", token)
            assert _is_allowed(estate, configuration, request)
            estate.revoke(token)
            estate.pass_time(15)
            assert _is_allowed(estate, configuration, request) == is_right


def _is_allowed(estate: Estate, configuration: Configuration, request: Request) -> bool:
    history = tuple(estate.history)
    outcome = estate.send(request)
    return outcome in allowed(configuration, history, request, estate.now)
