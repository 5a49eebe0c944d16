"""oslo.context's RequestContext.from_environ reads all that is in the token."""

from __future__ import annotations

from typing import Any

import pytest

from authmw.testing import IdentityServer
from tests.system.oslo.conftest import MakeContext

SCOPES: dict[str, dict[str, Any]] = {
    "project": {"user": "member", "project": "inventory"},
    "domain": {"user": "admin", "domain": "default"},
    "system": {"user": "admin", "system": True},
    "unscoped": {"user": "member"},
}


@pytest.mark.parametrize("scope", SCOPES)
def test_a_context_is_what_the_token_says(
    make_context: MakeContext, server: IdentityServer, scope: str
) -> None:
    token = server.issue(**SCOPES[scope])
    body: Any = server.validate(token)
    context = make_context(token)
    project = body.get("project", {"domain": {}})
    assert context.auth_token == token
    assert (context.user_id, context.user_name) == (body["user"]["id"], body["user"]["name"])
    assert context.user_domain_id == body["user"]["domain"]["id"]
    assert context.user_domain_name == body["user"]["domain"]["name"]
    assert (context.project_id, context.project_name) == (project.get("id"), project.get("name"))
    assert context.project_domain_id == project["domain"].get("id")
    assert context.project_domain_name == project["domain"].get("name")
    assert context.domain_id == body.get("domain", {}).get("id")
    assert context.system_scope == ("all" if scope == "system" else None)
    # What splits an empty list of names makes one empty name of it, the peer's as well.
    assert [name for name in context.roles if name] == [
        role["name"] for role in body.get("roles", [])
    ]
    assert context.is_admin_project is body.get("is_admin_project", True)
    assert (context.service_user_id, context.service_roles) == (None, [])


def test_a_context_knows_the_service_that_acts_for_the_user(
    make_context: MakeContext, server: IdentityServer
) -> None:
    service = server.issue("service", project="service")
    context = make_context(server.issue("member", project="inventory"), service)
    body: Any = server.validate(service)
    assert context.service_token == service
    assert context.service_user_id == body["user"]["id"]
    assert context.service_user_name == "service"
    assert context.service_user_domain_id == "default"
    assert context.service_project_id == body["project"]["id"]
    assert context.service_project_name == "service"
    assert context.service_project_domain_id == "default"
    assert "service" in context.service_roles
    assert "service" not in context.roles


def test_a_service_token_without_a_user_token_makes_nobody_a_user(
    make_context: MakeContext, server: IdentityServer
) -> None:
    service = server.issue("service", project="service")
    context = make_context(None, service, delay_auth_decision="true")
    assert (context.user_id, context.project_id, context.auth_token) == (None, None, None)
    assert context.service_user_name == "service"


def test_a_refused_token_makes_nobody_a_user(make_context: MakeContext) -> None:
    context = make_context("garbage", delay_auth_decision="true")
    assert (context.user_id, context.project_id, context.system_scope) == (None, None, None)
    assert context.roles == []
