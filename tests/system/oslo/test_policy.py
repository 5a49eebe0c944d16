"""oslo.policy enforces rules on the filter's headers, by way of oslo.context."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from oslo_config import cfg
from oslo_policy import policy

from authmw.testing import IdentityServer
from tests.system.oslo.conftest import MakeContext

RULES = {
    "cloud_admin": "role:admin and is_admin_project:True",
    "system_reader": "role:reader and system_scope:all",
    "owner": "project_id:%(project_id)s",
    "owning_member": "role:member and project_id:%(project_id)s",
    "domain_manager": "role:manager and domain_id:%(domain_id)s",
    "self": "user_id:%(user_id)s",
    "for_services": "service_roles:service",
    "for_a_member_s_service": "role:member and service_roles:service",
    "system_only": "role:reader",
}

# Who, on what, with which service token, and the rules that let them. Keystone says
# is_admin_project of projects' tokens alone; where it says nothing that counts as True, with
# the peer as well, and the role decides.
ADMIN_OF_ADMIN_PROJECT: dict[str, Any] = {"user": "admin", "project": "inventory"}
MEMBER: dict[str, Any] = {"user": "member", "project": "inventory"}
MEMBER_ELSEWHERE: dict[str, Any] = {"user": "member", "project": "billing"}
SERVICE_USER: dict[str, Any] = {"user": "service", "project": "service"}
CASES: list[tuple[str, dict[str, Any], dict[str, Any] | None, set[str]]] = [
    (
        "admin of the admin project",
        ADMIN_OF_ADMIN_PROJECT,
        None,
        {"cloud_admin", "owner", "owning_member"},
    ),
    ("admin of another project", SERVICE_USER, None, set()),
    ("member", MEMBER, None, {"owner", "owning_member", "self"}),
    ("member elsewhere", MEMBER_ELSEWHERE, None, {"self"}),
    ("reader", {"user": "reader", "project": "inventory"}, None, {"owner"}),
    (
        "reader of the system",
        {"user": "reader", "system": True},
        None,
        {"system_reader", "system_only"},
    ),
    (
        "admin of the system",
        {"user": "admin", "system": True},
        None,
        {"cloud_admin", "system_reader", "system_only"},
    ),
    (
        "admin of the domain",
        {"user": "admin", "domain": "default"},
        None,
        {"cloud_admin", "domain_manager"},
    ),
    ("unscoped member", {"user": "member"}, None, {"self"}),
    (
        "member through a service",
        MEMBER,
        SERVICE_USER,
        {"owner", "owning_member", "self", "for_services", "for_a_member_s_service"},
    ),
    (
        "reader through a service",
        {"user": "reader", "project": "inventory"},
        SERVICE_USER,
        {"owner", "for_services"},
    ),
]


@pytest.fixture(scope="module")
def enforcer() -> Iterator[policy.Enforcer]:
    conf = cfg.ConfigOpts()
    conf([], project="inventory", default_config_files=[], default_config_dirs=[])
    enforcer = policy.Enforcer(conf)
    for name, rule in RULES.items():
        scopes = ["system"] if name == "system_only" else None
        enforcer.register_default(policy.RuleDefault(name, rule, scope_types=scopes))
    yield enforcer
    enforcer.clear()


@pytest.mark.parametrize(
    ("who", "user", "service", "allowed"), CASES, ids=[case[0] for case in CASES]
)
def test_rules_hold_for_whom_they_are_meant(
    make_context: MakeContext,
    server: IdentityServer,
    enforcer: policy.Enforcer,
    who: str,
    user: dict[str, Any],
    service: dict[str, Any] | None,
    allowed: set[str],
) -> None:
    context = make_context(
        server.issue(**user), None if service is None else server.issue(**service)
    )
    target = {
        "project_id": server.directory.project("inventory").id,
        "domain_id": "default",
        "user_id": server.directory.user("member").id,
    }
    assert {name for name in RULES if is_allowed(enforcer, name, target, context)} == allowed


def is_allowed(enforcer: policy.Enforcer, rule: str, target: Any, context: Any) -> bool:
    try:
        return bool(enforcer.authorize(rule, target, context))
    except policy.InvalidScope:
        return False


def test_nobody_is_allowed_anything_without_a_valid_token(
    make_context: MakeContext, server: IdentityServer, enforcer: policy.Enforcer
) -> None:
    context = make_context("garbage", delay_auth_decision="true")
    target = {
        "project_id": server.directory.project("inventory").id,
        "domain_id": "default",
        "user_id": server.directory.user("member").id,
    }
    assert [name for name in RULES if is_allowed(enforcer, name, target, context)] == []


def test_a_service_token_that_is_no_service_s_gives_no_service_role(
    make_context: MakeContext, server: IdentityServer, enforcer: policy.Enforcer
) -> None:
    context = make_context(
        server.issue(**MEMBER), server.issue(**MEMBER), delay_auth_decision="true"
    )
    assert is_allowed(enforcer, "self", {"user_id": context.user_id}, context)
    assert not is_allowed(enforcer, "for_services", {}, context)
