"""Makes and reads the fixture's token documents: versions 3 and 2 of the Identity API."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from authmw.token import parse_time, render_time

_LIFETIME_SECONDS = 3600

Moment = datetime | str | None


def make_v3_document(
    *,
    user: tuple[str | None, str | None],
    user_domain: tuple[str | None, str | None],
    project: tuple[str | None, str | None],
    project_domain: tuple[str | None, str | None],
    roles: Iterable[str],
    expires: Moment,
    now: float,
) -> dict[str, Any]:
    """Return {"token": body}; a pair is id and name, either generated if it is None.

    If no value of a project is given, the token is unscoped.
    """
    body: dict[str, Any] = {
        "methods": ["password"],
        "user": {**_identify(user), "domain": _identify(user_domain)},
        "audit_ids": [uuid.uuid4().hex],
        "issued_at": render_time(int(now)),
        "expires_at": _render_expiry(expires, now),
        "roles": [_identify((None, role)) for role in roles],
    }
    if any(part is not None for part in (*project, *project_domain)):
        body["project"] = {**_identify(project), "domain": _identify(project_domain)}
    return {"token": body}


def make_v2_document(
    *,
    token_id: str,
    user: tuple[str | None, str | None],
    tenant: tuple[str | None, str | None],
    roles: Iterable[str],
    expires: Moment,
    now: float,
) -> dict[str, Any]:
    """Return {"access": ...}, the response of version 2 of the API; pairs as above."""
    token: dict[str, Any] = {
        "id": token_id,
        "issued_at": render_time(int(now)),
        "expires": _render_expiry(expires, now),
        "audit_ids": [uuid.uuid4().hex],
    }
    if any(part is not None for part in tenant):
        token["tenant"] = _identify(tenant)
    return {
        "access": {
            "token": token,
            "user": {**_identify(user), "roles": [{"name": r} for r in roles]},
        }
    }


def read_document(document: Mapping[str, Any]) -> tuple[dict[str, Any], object]:
    """Return the version 3 token body of a document of either version, and its catalog.

    Times without a zone, as in keystoneauth1.fixture, are UTC. A version 2 token has neither
    domains nor role ids.

    Raises:
        ValueError: the document is of neither version, or a time in it is malformed.
    """
    if isinstance(document.get("token"), Mapping):
        body = dict(document["token"])
    elif isinstance(document.get("access"), Mapping):
        body = _upgrade(document["access"])
    else:
        raise ValueError('a token document has "token" (version 3) or "access" (version 2) in it')
    for name in ("issued_at", "expires_at"):
        if name in body:
            body[name] = render_time(_parse_moment(body[name]))
    return body, body.pop("catalog", None)


def _upgrade(access: Mapping[str, Any]) -> dict[str, Any]:
    token, user = access["token"], access["user"]
    body: dict[str, Any] = {
        "methods": ["password"],
        "user": {"id": user["id"], "name": user.get("name")},
        "audit_ids": token.get("audit_ids", []),
        "issued_at": token.get("issued_at") or render_time(0),
        "expires_at": token["expires"],
        "roles": [{"name": role["name"]} for role in user.get("roles", [])],
    }
    if token.get("tenant"):
        body["project"] = dict(token["tenant"])
    return body


def _identify(pair: tuple[str | None, str | None]) -> dict[str, str]:
    identifier, name = pair
    return {"id": identifier or uuid.uuid4().hex, "name": name or uuid.uuid4().hex}


def _render_expiry(expires: Moment, now: float) -> str:
    return render_time(int(now) + _LIFETIME_SECONDS if expires is None else _parse_moment(expires))


def _parse_moment(moment: datetime | str) -> int:
    if isinstance(moment, str):
        return parse_time(moment)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
