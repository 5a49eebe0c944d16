"""The revocation rule once more, as the design states it, on the JSON itself.

Nothing of `authmw.revocation` is used here, and nothing is fast.
"""

from __future__ import annotations

import datetime
from typing import Any

Json = dict[str, Any]


def seconds(text: str) -> int:
    """Return an ISO 8601 time as epoch seconds, truncated."""
    return int(datetime.datetime.fromisoformat(text).timestamp() // 1)


def iso(time: float, *, fraction: bool = True) -> str:
    """Return epoch seconds as the Identity API writes them."""
    moment = datetime.datetime.fromtimestamp(time, datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S" + (".%fZ" if fraction else "Z"))


def is_covering(event: Json, body: Json) -> bool:
    """Tell whether an event of OS-REVOKE revokes the token with this v3 body."""
    if seconds(body["issued_at"]) > seconds(event["issued_before"]):
        return False
    trust = body.get("OS-TRUST:trust")
    oauth1 = body.get("OS-OAUTH1")
    user_domain_id = body["user"]["domain"].get("id")
    scope_domain_id = body["domain"]["id"] if "domain" in body else None
    # An id that a token has and does not tell (None) may be the event's.
    audit_ids = body["audit_ids"] or [None]
    users = {body["user"]["id"]}
    if trust:
        users |= {trust["trustor_user"]["id"], trust["trustee_user"]["id"]}
    met_by: Json = {
        "user_id": users,
        "project_id": {body["project"]["id"]} if "project" in body else set(),
        "domain_id": {user_domain_id} | ({scope_domain_id} - {None}),
        "domain_scope_id": {scope_domain_id} - {None},
        "audit_id": {audit_ids[0]},
        "audit_chain_id": {audit_ids[-1]},
        "role_id": {role.get("id") for role in body.get("roles", [])},
        "OS-TRUST:trust_id": {trust["id"]} if trust else set(),
        "OS-OAUTH1:consumer_id": {oauth1["consumer_id"]} if oauth1 else set(),
        "OS-OAUTH1:access_token_id": {oauth1["access_token_id"]} if oauth1 else set(),
    }
    for name, value in event.items():
        if name in met_by and not met_by[name] & {value, None}:
            return False
    if "expires_at" in event:
        return seconds(event["expires_at"]) == seconds(body["expires_at"])
    return True
