"""What a service token adds to a request, and who only pretends to be a service."""

from __future__ import annotations

from typing import Any

import pytest

from authmw.testing import IdentityServer
from authmw.testing.records import AccessRule
from tests.system.attacks.conftest import Aim, Target

pytestmark = pytest.mark.both_doors


def issue_restricted(server: IdentityServer, user: str, project: str, role: str) -> str:
    """Return a token of an application credential that may GET /allowed of compute only."""
    credential = server.directory.add_application_credential(
        f"{user} restricted",
        user=user,
        project=project,
        roles=[role],
        access_rules=[AccessRule("compute", "GET", "/allowed")],
    )
    return server.issue(application_credential=credential.id)


@pytest.mark.parametrize("delay", ["false", "true"])
def test_access_rules_hold_for_a_token_that_vouches_for_itself(
    aim: Aim, server: IdentityServer, delay: str
) -> None:
    """Sent as X-Service-Token as well, it must not lift its own restriction."""
    target = aim(service_type="compute", delay_auth_decision=delay)
    token = issue_restricted(server, "service", "service", "service")
    answer = target.attack(
        HTTP_X_AUTH_TOKEN=token, HTTP_X_SERVICE_TOKEN=token, PATH_INFO="/forbidden"
    )
    if delay == "true":
        assert target.seen[-1]["HTTP_X_IDENTITY_STATUS"] == "Invalid"
        assert target.seen[-1]["HTTP_X_SERVICE_IDENTITY_STATUS"] == "Invalid"
        assert "HTTP_X_SERVICE_ROLES" not in target.seen[-1]
    else:
        assert (answer.status, target.seen) == (401, [])


def test_access_rules_hold_for_a_service_token_beside_another_s(
    aim: Aim, server: IdentityServer
) -> None:
    target = aim(service_type="compute")
    service = issue_restricted(server, "service", "service", "service")
    user = server.issue("member", project="inventory")

    def status(path: str) -> int:
        return target.attack(
            HTTP_X_AUTH_TOKEN=user, HTTP_X_SERVICE_TOKEN=service, PATH_INFO=path
        ).status

    assert (status("/allowed"), status("/forbidden")) == (200, 401)


def test_service_token_lifts_the_rules_of_the_user_it_acts_for(
    aim: Aim, server: IdentityServer
) -> None:
    target = aim(service_type="compute")
    user = issue_restricted(server, "member", "inventory", "member")
    service = server.issue("service", project="service")
    assert target.attack(HTTP_X_AUTH_TOKEN=user, PATH_INFO="/forbidden").status == 401
    assert (
        target.attack(
            HTTP_X_AUTH_TOKEN=user, HTTP_X_SERVICE_TOKEN=service, PATH_INFO="/forbidden"
        ).status
        == 200
    )


def no_service_role(server: IdentityServer) -> str:
    return server.issue("admin", project="inventory")


def expired(server: IdentityServer) -> str:
    token = server.issue("service", project="service")
    server.expire(token)
    return token


def revoked(server: IdentityServer) -> str:
    token = server.issue("service", project="service")
    server.revoke(token)
    return token


def made_up(_: IdentityServer) -> str:
    return "gAAAAABmade-up"


@pytest.mark.parametrize("delay", ["false", "true"])
@pytest.mark.parametrize("make", [no_service_role, expired, revoked, made_up])
def test_expired_user_token_gains_nothing_by_what_is_no_service_token(
    aim: Aim, server: IdentityServer, make: object, delay: str
) -> None:
    target = aim(delay_auth_decision=delay)
    user = server.issue("member", project="inventory")
    server.expire(user)
    assert callable(make)
    answer = target.attack(HTTP_X_AUTH_TOKEN=user, HTTP_X_SERVICE_TOKEN=make(server))
    if delay == "true":
        assert target.seen[-1]["HTTP_X_IDENTITY_STATUS"] == "Invalid"
        assert "HTTP_X_USER_ID" not in target.seen[-1]
    else:
        assert (answer.status, target.seen) == (401, [])


def knock_with_expired(target: Target, server: IdentityServer) -> tuple[str, list[int]]:
    """Use one expired token with a service token, then twice without."""
    user = server.issue("member", project="inventory")
    server.expire(user)
    service = server.issue("service", project="service")
    statuses = [
        target.attack(HTTP_X_AUTH_TOKEN=user, HTTP_X_SERVICE_TOKEN=service).status,
        target.attack(HTTP_X_AUTH_TOKEN=user).status,
        target.attack(HTTP_X_AUTH_TOKEN=user, HTTP_X_SERVICE_TOKEN=made_up(server)).status,
    ]
    return user, statuses


def test_what_allow_expired_got_is_in_no_cache_for_others(aim: Aim, server: IdentityServer) -> None:
    _, statuses = knock_with_expired(aim(), server)
    assert statuses == [200, 401, 401]


def test_expired_token_in_memory_is_asked_about_again_even_for_a_service(
    aim: Aim, server: IdentityServer
) -> None:
    """Whether an expired token may still be used only the identity endpoint says."""
    target = aim(token_cache_time="100000", authority_renewal_rate="0")
    user = server.issue("member", project="inventory")
    service = server.issue("service", project="service", expires_in=50_000)
    assert target.attack(HTTP_X_AUTH_TOKEN=user).status == 200
    assert target.attack(HTTP_X_AUTH_TOKEN=user, HTTP_X_SERVICE_TOKEN=service).status == 200
    server.forget_requests()
    target.clock.ahead_seconds = 4000
    target.attack(HTTP_X_AUTH_TOKEN=user, HTTP_X_SERVICE_TOKEN=service)
    assert server.calls["validate"] == 1


def test_service_token_costs_its_user_nothing_in_an_outage(
    aim: Aim, server: IdentityServer
) -> None:
    """What the user's token alone would be worth, it is worth beside a service token too."""
    target = aim(http_request_max_retries="0")
    user = server.issue("member", project="inventory")
    service = server.issue("service", project="service")
    assert target.attack(HTTP_X_AUTH_TOKEN=user).status == 200
    assert target.attack(HTTP_X_AUTH_TOKEN=service).status == 200
    server.stop()
    target.clock.ahead_seconds = 400  # past token_cache_time, within identity_outage_grace

    def status(**tokens: Any) -> int:
        return target.attack(**tokens).status

    assert status(HTTP_X_AUTH_TOKEN=user) == 200
    assert status(HTTP_X_AUTH_TOKEN=user, HTTP_X_SERVICE_TOKEN=service) == 200


def test_in_an_outage_a_service_token_lets_no_expired_user_token_in(
    aim: Aim, server: IdentityServer
) -> None:
    target = aim(http_request_max_retries="0")
    user = server.issue("member", project="inventory", expires_in=350)
    service = server.issue("service", project="service")
    assert target.attack(HTTP_X_AUTH_TOKEN=user).status == 200
    assert target.attack(HTTP_X_AUTH_TOKEN=service).status == 200
    server.stop()
    target.clock.ahead_seconds = 400
    assert target.attack(HTTP_X_AUTH_TOKEN=user, HTTP_X_SERVICE_TOKEN=service).status == 503
