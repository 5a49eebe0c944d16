"""Changes that Keystone emits no event for are noticed within `authority_cache_time`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.clock import Clock
from tests.support.identity_types import project_scope
from tests.system.keystone.bearers import Bearers, Issue
from tests.system.keystone.conftest import MakeFilter

CACHE_SECONDS = 60

Change = tuple[Issue, Callable[[], None]]
"""Issues tokens of a bearer, and takes from him what they are for."""


def lose_a_role(bearers: Bearers) -> Change:
    user, role = bearers.make_member(), bearers.api.find_role("member")
    scope = project_scope(bearers.project)
    return bearers.of(user, scope), lambda: bearers.api.withdraw(user, role, scope)


def disable_the_project(bearers: Bearers) -> Change:
    project = bearers.api.create_project()
    user = bearers.make_member(project)
    return (
        bearers.of(user, project_scope(project)),
        lambda: bearers.api.update("project", project.id, enabled=False),
    )


def disable_the_domain(bearers: Bearers) -> Change:
    domain = bearers.api.create_domain()
    project = bearers.api.create_project(domain_id=domain.id)
    user = bearers.make_member(project)
    return (
        bearers.of(user, project_scope(project)),
        lambda: bearers.api.update("domain", domain.id, enabled=False),
    )


def delete_the_credential(bearers: Bearers) -> Change:
    user = bearers.make_member()
    credential = bearers.api.create_application_credential(user, bearers.project)
    return (
        lambda: bearers.api.issue_from_application_credential(credential).id,
        lambda: bearers.api.delete_application_credential(user, credential),
    )


@pytest.mark.parametrize(
    "change", [lose_a_role, disable_the_project, disable_the_domain, delete_the_credential]
)
def test_a_change_without_a_revocation_event_is_noticed_within_the_cache_time(
    make_filter: MakeFilter,
    bearers: Bearers,
    clock: Clock,
    change: Callable[[Bearers], Change],
) -> None:
    protected = make_filter(
        token_validation="offline",
        revocation_poll_interval="0",
        authority_cache_time=str(CACHE_SECONDS),
        token_cache_time="3600",
    )
    issue, happen = change(bearers)
    seen, unseen = issue(), issue()
    assert protected.ask(seen).status == 200
    happen()
    assert protected.ask(seen).status == 200, "nobody told us yet"
    clock.advance(CACHE_SECONDS)
    assert [protected.ask(token).status for token in (seen, unseen)] == [401, 401]


def test_one_of_two_roles_taken_away_is_gone_from_the_headers(
    make_filter: MakeFilter, bearers: Bearers, clock: Clock
) -> None:
    protected = make_filter(authority_cache_time=str(CACHE_SECONDS))
    user, scope = bearers.make_member(), project_scope(bearers.project)
    extra = bearers.api.create_role()
    bearers.api.grant(user, extra, scope)
    token = bearers.api.issue(user, scope).id
    assert extra.name in protected.ask(token).headers["HTTP_X_ROLES"].split(",")
    bearers.api.withdraw(user, extra, scope)
    clock.advance(CACHE_SECONDS)
    told = protected.ask(token)
    assert told.status == 200
    assert "member" in told.headers["HTTP_X_ROLES"].split(",")
    assert extra.name not in told.headers["HTTP_X_ROLES"].split(",")
