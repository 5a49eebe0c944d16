"""Shadow validation: which differences between remote and offline count."""

from __future__ import annotations

from typing import Any

import pytest

from authmw.token import Token
from authmw.token.catalog import ServiceCatalog
from authmw.validation.shadow import find_differences
from tests.support.token_bodies import CATALOG, make_body

ROLES = [{"id": "r1", "name": "member"}, {"id": "r2", "name": "reader"}]


def make_token(catalog: list[Any] = CATALOG, **members: Any) -> Token:
    return Token.from_body(
        make_body(**members),
        ServiceCatalog.from_services(catalog),
        answered_at=0,
        fresh_until=0,
        usable_until=0,
    )


def reverse(catalog: list[Any]) -> list[Any]:
    return [{**service, "endpoints": service["endpoints"][::-1]} for service in reversed(catalog)]


def test_another_order_of_roles_and_catalog_is_no_difference() -> None:
    told = make_token(roles=ROLES)
    found = make_token(reverse(CATALOG), roles=ROLES[::-1])
    assert told.principal.user_environ != found.principal.user_environ
    assert list(find_differences(told, found)) == []


@pytest.mark.parametrize(
    ("found", "names"),
    [
        (make_token(roles=ROLES[:1]), ["HTTP_X_ROLE", "HTTP_X_ROLES"]),
        (make_token(CATALOG[:1]), ["HTTP_X_SERVICE_CATALOG"]),
        (make_token(audit_ids=["other"]), ["audit_ids"]),
    ],
)
def test_another_role_endpoint_or_audit_id_is_one(found: Token, names: list[str]) -> None:
    assert [name for name, _ in find_differences(make_token(), found)] == names
