"""The requests, and the answer that each must get."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from examples.real_services.keystone_site import SHORT_LIFE_SECONDS
from examples.real_services.services import Service
from examples.real_services.stage import Stage
from tests.support.identity_types import IssuedToken, project_scope


@dataclass(frozen=True, slots=True)
class Tokens:
    """One of each kind; all instances see the same.

    Attributes:
        expired: the member's, issued by Keystone seconds ago.
        service: of a user with the role `service`.
    """

    member: str
    neighbour: str
    visitor: str
    unscoped: str
    expired: str
    service: str

    @property
    def altered(self) -> str:
        """The neighbour's token, its signature as it was, its claims those of the member."""
        protected, _, signature = self.neighbour.split(".")
        return f"{protected}.{self.member.split('.')[1]}.{signature}"

    @property
    def unsigned(self) -> str:
        """The member's token as one that says of itself that it needs no signature."""
        header = json.dumps({"alg": "none", "typ": "JWT"}).encode()
        protected = base64.urlsafe_b64encode(header).decode().rstrip("=")
        return f"{protected}.{self.member.split('.')[1]}."


@dataclass(frozen=True, slots=True)
class Case:
    """One request for what the member has created, and what must come of it.

    Attributes:
        headers: what is sent with it.
        wanted: the status, or the key of the service's own `wanted`.
    """

    what: str
    headers: Mapping[str, str]
    wanted: int | str

    def wanted_status(self, service: Service) -> int:
        """Return the status that this service must answer with."""
        return self.wanted if isinstance(self.wanted, int) else service.wanted[self.wanted]


def issue_tokens(stage: Stage) -> Tokens:
    """Have Keystone issue them; returns when the one that is to be expired is."""
    people, api = stage.people, stage.keystone.jws.api
    short_lived = stage.keystone.short_lived_jws.api.issue(
        people.member, project_scope(people.project)
    )
    tokens = Tokens(
        member=stage.issue_for_member().id,
        neighbour=api.issue(people.neighbour, project_scope(people.neighbours_project)).id,
        visitor=api.issue(people.visitor, project_scope(people.project)).id,
        unscoped=api.issue(people.member).id,
        expired=short_lived.id,
        service=api.issue(stage.service_user, project_scope(stage.service_project)).id,
    )
    _wait_until_expired(short_lived)
    return tokens


def forge_headers(stage: Stage) -> dict[str, str]:
    """Return what a filter would tell a service about the member, made an administrator."""
    people = stage.people
    return {
        "X-Identity-Status": "Confirmed",
        "X-User-Id": people.member.id,
        "X-User-Name": people.member.name,
        "X-User-Domain-Id": "default",
        "X-Project-Id": people.project.id,
        "X-Project-Name": people.project.name,
        "X-Project-Domain-Id": "default",
        "X-Tenant-Id": people.project.id,
        "X-Tenant": people.project.id,
        "X-Roles": "admin,member,reader",
        "X-Role": "admin,member,reader",
        "X-Is-Admin-Project": "True",
        "OpenStack-System-Scope": "all",
    }


def list_cases(tokens: Tokens, forged: Mapping[str, str]) -> tuple[Case, ...]:
    """Return all requests; `forged` are the headers that claim to be the member."""
    user, service = "X-Auth-Token", "X-Service-Token"
    forged_service = {
        "X-Service-Identity-Status": "Confirmed",
        "X-Service-Roles": "service",
        "X-Service-User-Id": forged["X-User-Id"],
    }
    expired = {user: tokens.expired}
    return (
        Case("member reads it", {user: tokens.member}, 200),
        Case("no token", {}, 401),
        Case("no token, forged headers", forged, 401),
        Case("member of another project", {user: tokens.neighbour}, "neighbour"),
        Case("the same, forged headers", {**forged, user: tokens.neighbour}, "neighbour"),
        Case("role that no policy knows", {user: tokens.visitor}, "visitor"),
        Case("the same, forged headers", {**forged, user: tokens.visitor}, "visitor"),
        Case("member's token without scope", {user: tokens.unscoped}, "unscoped"),
        Case("token with altered claims", {user: tokens.altered}, 401),
        Case("token with alg none", {user: tokens.unsigned}, 401),
        Case("expired token", expired, 401),
        Case("... and forged service headers", {**forged_service, **expired}, 401),
        Case("... and service token, role missing", {**expired, service: tokens.neighbour}, 401),
        Case("... and service token", {**expired, service: tokens.service}, 200),
        Case("... alone again", expired, 401),
        Case("service token alone", {service: tokens.service}, 401),
    )


def _wait_until_expired(token: IssuedToken) -> None:
    # A second more, since claims have whole seconds.
    left = (token.expires_at - datetime.now(UTC)).total_seconds() + 1
    time.sleep(min(max(left, 0), SHORT_LIFE_SECONDS + 1))
