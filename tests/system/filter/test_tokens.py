"""Which of two tokens is validated, whether it may be expired, and what a service token changes."""

from __future__ import annotations

from typing import Any

import pytest

from authmw.testing import IdentityServer
from authmw.testing.records import AccessRule
from tests.support.protected import Protect, Protected

pytestmark = pytest.mark.both_doors


def test_the_storage_token_counts_where_there_is_no_auth_token(
    protect: Protect, server: IdentityServer
) -> None:
    protected = protect()
    token = server.issue(project="inventory")
    assert protected.get(headers={"X-Storage-Token": token}).status_int == 200
    assert protected.get("garbage", headers={"X-Storage-Token": token}).status_int == 401


def test_surrounding_white_space_is_dropped(protect: Protect, server: IdentityServer) -> None:
    token = server.issue(project="inventory")
    assert protect().get(f"  {token} ").status_int == 200


@pytest.mark.parametrize(
    ("options", "status"), [({}, 401), ({"accept_bearer": "true"}, 200)], ids=["off", "on"]
)
def test_bearer_is_read_only_where_it_is_switched_on(
    protect: Protect, server: IdentityServer, options: dict[str, str], status: int
) -> None:
    protected = protect(**options)
    token = server.issue(project="inventory")
    for scheme in ("Bearer", "bearer"):
        response = protected.get(headers={"Authorization": f"{scheme} {token}"})
        assert response.status_int == status
    if status == 200:
        assert protected.service.last["HTTP_X_AUTH_TOKEN"] == token
        assert protected.get(headers={"Authorization": f"Basic {token}"}).status_int == 401
        assert protected.get(headers={"Authorization": "Bearer"}).status_int == 401


@pytest.mark.parametrize(
    "token",
    [
        "",
        " ",
        "x" * 9000,
        "a\x80b",
        "a\x01b",
        "garbage",
        "a.b.c",
        "gAAAA\xe9",
        "../../x",
        "a" * 255,
    ],
)
def test_whatever_is_no_token_is_a_401(
    protect: Protect, server: IdentityServer, token: str
) -> None:
    protected = protect()
    response = protected.app.get("/", extra_environ={"HTTP_X_AUTH_TOKEN": token}, status="*")
    assert response.status_int == 401
    assert protected.service.seen == []


def test_a_token_no_header_can_carry_is_refused_unseen(
    protect: Protect, server: IdentityServer
) -> None:
    protected = protect()
    for token in ("x" * 8001, "a\x01b", "a\u20acb"):
        protected.app.get("/", extra_environ={"HTTP_X_AUTH_TOKEN": token}, status=401)
    assert server.calls["validate"] == 0


def test_one_token_is_validated_once(protect: Protect, server: IdentityServer) -> None:
    protected = protect()
    token = server.issue(project="inventory")
    for _ in range(5):
        assert protected.get(token).status_int == 200
    assert server.calls["validate"] == 1


def test_nothing_is_remembered_where_caching_is_off(
    protect: Protect, server: IdentityServer
) -> None:
    protected = protect(token_cache_time="-1")
    token = server.issue(project="inventory")
    for _ in range(3):
        protected.get(token)
    assert server.calls["validate"] == 3


def test_a_revoked_token_is_refused_once_its_answer_is_no_longer_fresh(
    protect: Protect, server: IdentityServer
) -> None:
    protected = protect(token_cache_time="0")
    token = server.issue(project="inventory")
    assert protected.get(token).status_int == 200
    server.revoke(token)
    assert protected.get(token).status_int == 401


def test_an_expired_token_is_refused(protect: Protect, server: IdentityServer) -> None:
    token = server.issue(project="inventory", expires_in=-60, issued_at=server.clock() - 3600)
    assert protect().get(token).status_int == 401


def send_both(protected: Protected, user: str | None, service: str) -> Any:
    return protected.get(user, headers={"X-Service-Token": service})


def test_a_service_token_is_told_under_its_own_names(
    protect: Protect, server: IdentityServer
) -> None:
    protected = protect()
    user = server.issue("member", project="inventory")
    assert send_both(protected, user, server.issue("service", project="service")).status_int == 200
    seen = protected.service.last
    assert seen["HTTP_X_SERVICE_IDENTITY_STATUS"] == "Confirmed"
    assert (seen["HTTP_X_SERVICE_USER_NAME"], seen["HTTP_X_USER_NAME"]) == ("service", "member")
    assert seen["HTTP_X_SERVICE_PROJECT_NAME"] == "service"
    assert "service" in seen["HTTP_X_SERVICE_ROLES"].split(",")
    assert "service" not in seen["HTTP_X_ROLES"].split(",")


def test_a_service_token_never_changes_what_the_user_token_said(
    protect: Protect, server: IdentityServer
) -> None:
    protected = protect(service_token_roles_required="false")
    user = server.issue("member", project="inventory")
    protected.get(user)
    alone = protected.service.last
    assert send_both(protected, user, server.issue("admin", system=True)).status_int == 200
    beside = protected.service.last
    for key, value in alone.items():
        if key.startswith(("HTTP_X_", "HTTP_OPENSTACK_")):
            assert beside[key] == value, key
    assert "HTTP_OPENSTACK_SYSTEM_SCOPE" not in beside


@pytest.mark.parametrize("delay", ["false", "true"])
@pytest.mark.parametrize(
    ("service_user", "required", "accepted"),
    [
        ("service", "true", True),
        ("service", "false", True),
        ("member", "true", False),
        ("member", "false", True),
        (None, "true", False),
        (None, "false", False),
    ],
)
def test_which_service_tokens_are_accepted(
    protect: Protect,
    server: IdentityServer,
    service_user: str | None,
    required: str,
    accepted: bool,  # noqa: FBT001
    delay: str,
) -> None:
    protected = protect(service_token_roles_required=required, delay_auth_decision=delay)
    service = "garbage"
    if service_user is not None:
        project = "service" if service_user == "service" else "inventory"
        service = server.issue(service_user, project=project)
    response = send_both(protected, server.issue("member", project="inventory"), service)
    if not accepted and delay == "false":
        assert (response.status_int, protected.service.seen) == (401, [])
        return
    seen = protected.service.last
    assert seen["HTTP_X_IDENTITY_STATUS"] == "Confirmed"
    assert seen["HTTP_X_SERVICE_IDENTITY_STATUS"] == ("Confirmed" if accepted else "Invalid")
    assert ("HTTP_X_SERVICE_USER_ID" in seen) is accepted


def issue_expired(server: IdentityServer) -> str:
    return server.issue(
        "member", project="inventory", issued_at=server.clock() - 7200, expires_in=3600
    )


def test_an_expired_user_token_needs_a_service_s_own_token(
    protect: Protect, server: IdentityServer
) -> None:
    protected = protect()
    expired = issue_expired(server)
    service = server.issue("service", project="service")
    assert protected.get(expired).status_int == 401
    assert send_both(protected, expired, service).status_int == 200
    assert protected.service.last["HTTP_X_USER_NAME"] == "member"
    assert protected.get(expired).status_int == 401, "what was earned by a service is not shared"
    assert send_both(protected, expired, service).status_int == 200


def test_a_valid_token_without_service_role_does_not_revive_an_expired_one(
    protect: Protect, server: IdentityServer
) -> None:
    protected = protect(service_token_roles_required="false", delay_auth_decision="true")
    expired = issue_expired(server)
    send_both(protected, expired, server.issue("admin", project="inventory"))
    assert protected.service.last["HTTP_X_SERVICE_IDENTITY_STATUS"] == "Confirmed"
    assert protected.service.last["HTTP_X_IDENTITY_STATUS"] == "Invalid"


def test_an_expired_service_token_is_not_revived_by_anything(
    protect: Protect, server: IdentityServer
) -> None:
    expired = server.issue(
        "service", project="service", issued_at=server.clock() - 7200, expires_in=3600
    )
    protected = protect()
    user = server.issue("member", project="inventory")
    assert send_both(protected, user, expired).status_int == 401
    assert send_both(protected, expired, expired).status_int == 401


def issue_restricted(server: IdentityServer, *rules: AccessRule) -> str:
    credential = server.directory.add_application_credential(
        f"ac{len(server.directory.application_credentials)}",
        user="member",
        project="inventory",
        roles=["member"],
        access_rules=rules,
    )
    return server.issue(application_credential=credential.id)


def make_rule(method: str, path: str) -> AccessRule:
    return AccessRule(id="r", service="identity", method=method, path=path)


def test_an_application_credential_is_held_to_its_access_rules(
    protect: Protect, server: IdentityServer
) -> None:
    protected = protect(service_type="identity")
    token = issue_restricted(server, make_rule("GET", "/v1/items/*"))
    assert protected.get(token, "/v1/items/7").status_int == 200
    for path in ("/v1/items", "/v1/items/7/parts", "/v1/items/../secrets", "/v1/items/%2e%2e"):
        assert protected.get(token, path).status_int == 401, path
    response = protected.app.post("/v1/items/7", headers={"X-Auth-Token": token}, status="*")
    assert response.status_int == 401


def test_access_rules_are_refused_where_the_service_does_not_say_what_it_is(
    protect: Protect, server: IdentityServer
) -> None:
    token = issue_restricted(server, make_rule("GET", "/v1/items/*"))
    assert protect().get(token, "/v1/items/7").status_int == 401


def test_access_rules_work_without_the_catalog(protect: Protect, server: IdentityServer) -> None:
    protected = protect(service_type="identity", include_service_catalog="false")
    token = issue_restricted(server, make_rule("GET", "/v1/items/*"))
    assert protected.get(token, "/v1/items/7").status_int == 200
    assert protected.get(token, "/v1/other").status_int == 401


def test_a_service_acting_for_the_user_is_not_held_to_the_user_s_rules(
    protect: Protect, server: IdentityServer
) -> None:
    protected = protect(service_type="identity")
    token = issue_restricted(server, make_rule("GET", "/v1/items/*"))
    service = server.issue("service", project="service")
    headers = {"X-Service-Token": service}
    assert protected.get(token, "/v1/other", headers=headers).status_int == 200
    stranger = server.issue("reader", project="inventory")
    lenient = protect(service_type="identity", service_token_roles_required="false")
    assert lenient.get(token, "/v1/other", headers={"X-Service-Token": stranger}).status_int == 401


@pytest.mark.parametrize("token", [None, "garbage"])
def test_public_paths_need_no_token_and_ignore_one(
    protect: Protect, server: IdentityServer, token: str | None
) -> None:
    protected = protect(public_paths="/healthcheck,/v1/public/*")
    for path in ("/healthcheck", "/v1/public/x"):
        assert protected.get(token, path).status_int == 200
        assert protected.service.last["HTTP_X_IDENTITY_STATUS"] == "Invalid"
    for path in ("/healthcheck/", "/v1/public/x/y", "/v1/public/..", "/", "//healthcheck"):
        assert protected.get(token, path).status_int == 401
    assert protected.app.post("/healthcheck", status="*").status_int == 401
    good = server.issue(project="inventory")
    before = server.calls["validate"]
    protected.get(good, "/healthcheck")
    assert "HTTP_X_USER_ID" not in protected.service.last
    assert server.calls["validate"] == before


def test_public_is_decided_on_the_path_and_never_on_a_header(protect: Protect) -> None:
    protected = protect(public_paths="/healthcheck")
    for header in ("X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Uri", "X-HTTP-Method-Override"):
        assert protected.get(path="/secret", headers={header: "/healthcheck"}).status_int == 401


@pytest.mark.parametrize(("options", "status"), [({}, 401), ({"allow_cors_preflight": "on"}, 200)])
def test_preflight_is_let_through_only_where_allowed(
    protect: Protect, options: dict[str, str], status: int
) -> None:
    protected = protect(**options)
    assert protected.app.options("/x", status="*").status_int == status
    assert protected.get(headers={"Access-Control-Request-Method": "GET"}).status_int == 401


def test_a_flood_of_one_bad_token_is_asked_about_once_where_refusals_are_remembered(
    protect: Protect, server: IdentityServer
) -> None:
    protected = protect(negative_cache_time="5")
    for _ in range(5):
        assert protected.get("garbage").status_int == 401
    assert server.calls["validate"] == 1
    assert protected.get(server.issue(project="inventory")).status_int == 200
