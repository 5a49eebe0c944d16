"""A world with something of everything, so that every table of a bundle has a row."""

from __future__ import annotations

from typing import Any

TOKEN: dict[str, Any] = {
    "trust": None,
    "credential": None,
    "access_token": None,
    "groups": None,
    "thumbprint": False,
    "audit_ids": 1,
}

WORLD: dict[str, Any] = {
    "domains": 1,
    "roles": [{"domain": None, "described": True, "immutable": True}] * 2,
    "implied": [[0, 1]],
    "projects": [{"domain": 0, "parent": None}],
    "users": [{"domain": 0, "password": True}] * 3,
    "groups": [{"domain": 0, "members": [0]}],
    "membership_minutes": 60,
    "federated": [{"memberships": [0]}],
    "grants": [["user", 0, "project", 1, 0, False], ["group", 0, "domain", 0, 1, True]],
    "system_grants": [["user", 0, 0]],
    "trusts": [
        {
            "trustor": 0,
            "trustee": 1,
            "project": 1,
            "roles": [0],
            "impersonation": True,
            "expires": 5,
            "uses": None,
            "redelegation_count": 0,
            "from": None,
        }
    ],
    "credentials": [
        {"user": 0, "project": 1, "roles": [0], "unrestricted": False, "rules": ["/v2/*"]}
    ],
    "access_tokens": [{"user": 0, "project": 1, "roles": [0]}],
    "catalog": {
        "services": [
            {
                "type": "compute",
                "name": "nova",
                "enabled": True,
                "endpoints": [
                    {
                        "interface": "public",
                        "region": True,
                        "url": "http://nova.example/$(project_id)s",
                        "enabled": True,
                        "extra": True,
                    }
                ],
            }
        ],
        "project_endpoints": [[1, 0]],
        "project_groups": [[1, {"interface": "public"}]],
        "service_providers": [True],
    },
    "tokens": [{**TOKEN, "user": 0, "scope": ["project", 1]}],
    "changes": [["disable user", 2]],
}
