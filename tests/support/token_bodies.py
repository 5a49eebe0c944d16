"""Token bodies of the Identity API v3, one for each scope, to be changed by a test."""

from __future__ import annotations

import json
from typing import Any

from authmw.token import Token
from authmw.token.catalog import ServiceCatalog

ISSUED_AT = 1_700_000_000  # 2023-11-14T22:13:20Z
EXPIRES_AT = ISSUED_AT + 3600

CATALOG: list[dict[str, Any]] = [
    {
        "type": "compute",
        "name": "nova",
        "id": "c1",
        "endpoints": [
            _endpoint
            for region in ("east", "west")
            for _endpoint in (
                {
                    "id": f"{region}-public",
                    "interface": "public",
                    "region": region,
                    "region_id": region,
                    "url": f"http://{region}.example/compute",
                },
                {
                    "id": f"{region}-internal",
                    "interface": "internal",
                    "region": region,
                    "region_id": region,
                    "url": f"http://{region}.internal/compute",
                },
            )
        ],
    },
    {"type": "empty", "id": "c2", "endpoints": []},
]

SCOPES: dict[str, dict[str, Any]] = {
    "project": {
        "project": {"id": "p1", "name": "Projet", "domain": {"id": "d2", "name": "Zweite"}},
        "is_domain": False,
        "roles": [{"id": "r1", "name": "member"}, {"id": "r2", "name": "reader"}],
    },
    "domain": {
        "domain": {"id": "d2", "name": "Zweite"},
        "roles": [{"id": "r1", "name": "member"}],
    },
    "system": {"system": {"all": True}, "roles": [{"id": "r3", "name": "admin"}]},
    "unscoped": {},
}


def make_body(scope: str = "project", **members: Any) -> dict[str, Any]:
    """Return a new token body; a member given as ... is left out."""
    body = {
        "methods": ["password"],
        "user": {
            "id": "u1",
            "name": "Ada",
            "domain": {"id": "d1", "name": "Default"},
            "password_expires_at": None,
        },
        "audit_ids": ["audit-1", "chain-1"],
        "issued_at": "2023-11-14T22:13:20.000000Z",
        "expires_at": "2023-11-14T23:13:20.000000Z",
        **SCOPES[scope],
        **members,
    }
    return {name: value for name, value in body.items() if value is not ...}


def make_token(number: int = 0, catalog: ServiceCatalog | None = None) -> Token:
    """Return a token made through JSON, as from the endpoint: no two tokens share a string."""
    body = json.loads(json.dumps(make_body(user={"id": f"u{number}", "name": f"user {number}"})))
    return Token.from_body(
        body, catalog, answered_at=0, fresh_until=EXPIRES_AT, usable_until=EXPIRES_AT
    )
