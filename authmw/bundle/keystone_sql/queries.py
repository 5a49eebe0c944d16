"""One query for each table of facts, and what makes rows of facts of its results."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, FromClause, Select, and_, func, select

from authmw.bundle.keystone_configuration import Configuration
from authmw.bundle.keystone_sql.columns import SOURCES
from authmw.bundle.packing import Row, to_microseconds
from authmw.errors import BundleUnreadable

# What stands for "no domain" where a column can't be NULL.
_NO_DOMAIN_OF_PROJECT = "<<keystone.domain.root>>"
_NO_DOMAIN_OF_ROLE = "<<null>>"
_IGNORE_USER_INACTIVITY = "1004"
# The options of a role by their ids in `role_option`.
_ROLE_OPTIONS: Final = {"IMMU": "immutable"}

# The types of assignments: whether the actor is a group, and the target a domain.
_TARGETS: Final = {
    "UserProject": (0, 0),
    "UserDomain": (0, 1),
    "GroupProject": (1, 0),
    "GroupDomain": (1, 1),
}
_SYSTEM_ACTORS: Final = {"UserSystem": 0, "GroupSystem": 1}


@dataclass(frozen=True, slots=True)
class Query:
    """Where the rows of one table come from.

    Attributes:
        statement: what is selected.
        make: makes rows of one result, in the order of the table's columns, not packed yet.
            None: a result is a row as it is.
        make_all: makes rows of many results, in place of `make`, where there are millions.
    """

    statement: Select[Any]
    make: Callable[[Any, Configuration], Iterable[Row]] | None = None
    make_all: Callable[[Iterable[Any]], Iterable[Row]] | None = None

    def rows(self, results: Iterable[Any], configuration: Configuration) -> Iterable[Row]:
        """Make rows of results."""
        if self.make_all is not None:
            return self.make_all(results)
        if self.make is None:
            return results
        make = self.make
        return (row for result in results for row in make(result, configuration))


def _either_time(microseconds: int | None, time: datetime | None) -> int | None:
    # Keystone writes both, and believes the number, which holds fractions in every database.
    if microseconds:
        return microseconds
    return None if time is None else to_microseconds(time)


def _members(text: str | None) -> dict[str, Any]:
    """Return an object that a column holds as JSON; absent is empty."""
    members = json.loads(text) if text else {}
    if members is None:
        return {}
    if not isinstance(members, dict):
        raise BundleUnreadable("a column with members of a resource holds no JSON object")
    return members


def _columns(source: str, *names: str) -> list[ColumnElement[Any]]:
    columns = SOURCES[source].c
    return [columns[name] for name in names]


def _plain(source: str, *names: str) -> Query:
    return Query(select(*_columns(source, *names)))


# --- projects and roles


def _make_project(row: Any, _: Configuration) -> Iterable[Row]:
    domain_id = None if row.domain_id == _NO_DOMAIN_OF_PROJECT else row.domain_id
    yield row.id, row.name, domain_id, row.parent_id, row.enabled, row.is_domain


def _select_projects() -> Select[Any]:
    project = SOURCES["project"]
    return select(project).where(project.c.id != _NO_DOMAIN_OF_PROJECT)


def _select_roles() -> Select[Any]:
    role, option = SOURCES["role"], SOURCES["role_option"]
    # The one option that there is.
    matches = and_(option.c.role_id == role.c.id, option.c.option_id.in_(_ROLE_OPTIONS))
    return select(role, option.c.option_id, option.c.option_value).outerjoin_from(
        role, option, matches
    )


def _make_role(row: Any, _: Configuration) -> Iterable[Row]:
    options = {}
    if row.option_id is not None:
        value = None if row.option_value is None else json.loads(row.option_value)
        options[_ROLE_OPTIONS[row.option_id]] = value
    extra = {**_members(row.extra), "description": row.description, "options": options}
    domain_id = None if row.domain_id == _NO_DOMAIN_OF_ROLE else row.domain_id
    yield row.id, row.name, domain_id, extra


# --- users


def _first_of_each(source: str, owner: str, *order: ColumnElement[Any]) -> FromClause:
    """Select the rows of a table that come first among those of their owner."""
    table = SOURCES[source]
    number = func.row_number().over(partition_by=table.c[owner], order_by=order).label("number")
    numbered = select(table, number).subquery()
    return select(numbered).where(numbered.c.number == 1).subquery()


def _select_users() -> Select[Any]:
    user, local, nonlocal_, option = (
        SOURCES[name] for name in ("user", "local_user", "nonlocal_user", "user_option")
    )
    federated = _first_of_each("federated_user", "user_id", *_columns("federated_user", "id"))
    newest = (each.desc() for each in _columns("password", "created_at_int", "id"))
    password = _first_of_each("password", "local_user_id", *newest)
    is_exempt = and_(option.c.user_id == user.c.id, option.c.option_id == _IGNORE_USER_INACTIVITY)
    return (
        select(
            user,
            local.c.name.label("local_name"),
            nonlocal_.c.user_id.label("nonlocal_id"),
            nonlocal_.c.name.label("nonlocal_name"),
            federated.c.display_name,
            password.c.expires_at_int,
            password.c.expires_at,
            option.c.option_value,
        )
        .outerjoin_from(user, local, local.c.user_id == user.c.id)
        .outerjoin(nonlocal_, nonlocal_.c.user_id == user.c.id)
        .outerjoin(federated, federated.c.user_id == user.c.id)
        .outerjoin(password, password.c.local_user_id == local.c.id)
        .outerjoin(option, is_exempt)
    )


def _make_user(row: Any, configuration: Configuration) -> Iterable[Row]:
    names = (row.local_name, row.nonlocal_name, row.display_name)
    yield (
        row.id,
        next((name for name in names if name is not None), None),
        row.domain_id,
        row.enabled,
        _disabled_from(row, configuration.inactive_days),
        _either_time(row.expires_at_int, row.expires_at),
        row.nonlocal_id is None,
    )


def _disabled_from(row: Any, inactive_days: int | None) -> int | None:
    """Return from when on a user counts as inactive; whole days, UTC."""
    is_exempt = row.option_value is not None and json.loads(row.option_value) is True
    last_active = row.last_active_at or row.created_at
    if not inactive_days or is_exempt or last_active is None:
        return None
    day = last_active.date() if isinstance(last_active, datetime) else last_active
    return to_microseconds(day + timedelta(days=inactive_days))


def _select_expiring_memberships() -> Select[Any]:
    membership, provider = SOURCES["expiring_user_group_membership"], SOURCES["identity_provider"]
    return select(membership, provider.c.authorization_ttl).join_from(
        membership, provider, provider.c.id == membership.c.idp_id
    )


def _make_expiring_membership(row: Any, configuration: Configuration) -> Iterable[Row]:
    minutes = row.authorization_ttl or configuration.membership_minutes
    expires_at = to_microseconds(row.last_verified + timedelta(minutes=minutes))
    yield row.user_id, row.group_id, row.idp_id, expires_at


# --- assignments and delegations


def _select_assignments() -> Select[Any]:
    return select(*_columns("assignment", "target_id", "inherited", "actor_id", "type", "role_id"))


def _make_assignments(rows: Iterable[Any]) -> Iterable[Row]:
    try:
        return [
            (target, inherited, actor, *_TARGETS[kind], role)
            for target, inherited, actor, kind, role in rows
        ]
    except KeyError as error:
        raise BundleUnreadable(f"an assignment has the unknown type {error}") from error


def _make_system_assignment(row: Any, _: Configuration) -> Iterable[Row]:
    if row.type not in _SYSTEM_ACTORS or row.target_id != "system":
        raise BundleUnreadable(f"a system assignment has the unknown type {row.type!r}")
    yield row.actor_id, _SYSTEM_ACTORS[row.type], row.role_id


def _select_trusts() -> Select[Any]:
    trust = SOURCES["trust"]
    return select(trust).where(trust.c.deleted_at.is_(None))


def _make_trust(row: Any, _: Configuration) -> Iterable[Row]:
    yield (
        row.id,
        row.trustor_user_id,
        row.trustee_user_id,
        row.project_id,
        row.impersonation,
        _either_time(row.expires_at_int, row.expires_at),
        row.remaining_uses,
        row.redelegated_trust_id,
        row.redelegation_count,
    )


def _select_trust_roles() -> Select[Any]:
    trust, role = SOURCES["trust"], SOURCES["trust_role"]
    return (
        select(role.c.trust_id, role.c.role_id)
        .join_from(role, trust, trust.c.id == role.c.trust_id)
        .where(trust.c.deleted_at.is_(None))
    )


def _select_credential_roles() -> Select[Any]:
    credential, role = SOURCES["application_credential"], SOURCES["application_credential_role"]
    return select(credential.c.id, role.c.role_id).join_from(
        role, credential, credential.c.internal_id == role.c.application_credential_id
    )


def _select_credential_rules() -> Select[Any]:
    credential, rule = SOURCES["application_credential"], SOURCES["access_rule"]
    link = SOURCES["application_credential_access_rule"]
    # A rule that is missing must not make a credential unrestricted: its NULLs are refused.
    return (
        select(credential.c.id, rule.c.external_id, rule.c.service, rule.c.path, rule.c.method)
        .join_from(link, credential, credential.c.internal_id == link.c.application_credential_id)
        .outerjoin(rule, rule.c.id == link.c.access_rule_id)
    )


def _make_access_token_roles(row: Any, _: Configuration) -> Iterable[Row]:
    role_ids = json.loads(row.role_ids)
    if not isinstance(role_ids, list):
        raise BundleUnreadable("the roles of an access token are no list")
    return ((row.id, role_id) for role_id in dict.fromkeys(role_ids))


# --- catalog and federation


def _make_service(row: Any, _: Configuration) -> Iterable[Row]:
    yield row.id, row.type, _members(row.extra).get("name", ""), row.enabled


def _make_endpoint(row: Any, _: Configuration) -> Iterable[Row]:
    extra = _members(row.extra)
    yield row.id, row.service_id, row.interface, row.region_id, row.url, row.enabled, extra


def _make_endpoint_group(row: Any, _: Configuration) -> Iterable[Row]:
    yield row.id, _members(row.filters)


_EVENT_MEMBERS: Final = {
    "user_id": "user_id",
    "role_id": "role_id",
    "project_id": "project_id",
    "audit_id": "audit_id",
    "audit_chain_id": "audit_chain_id",
    "trust_id": "OS-TRUST:trust_id",
    "consumer_id": "OS-OAUTH1:consumer_id",
    "access_token_id": "OS-OAUTH1:access_token_id",
}


def _make_event(row: Any, _: Configuration) -> Iterable[Row]:
    """Make a revocation event as `GET /v3/OS-REVOKE/events` lists it."""
    event: dict[str, str] = {
        member: value
        for column, member in _EVENT_MEMBERS.items()
        if (value := getattr(row, column)) is not None
    }
    if row.domain_id is not None:
        # With a time it is about the tokens of this scope, else about all of the domain.
        event["domain_scope_id" if row.expires_at is not None else "domain_id"] = row.domain_id
    if row.expires_at is not None:
        event["expires_at"] = f"{row.expires_at:%Y-%m-%dT%H:%M:%SZ}"
    for name in ("issued_before", "revoked_at"):
        event[name] = f"{getattr(row, name):%Y-%m-%dT%H:%M:%S.%fZ}"
    yield to_microseconds(row.revoked_at), event


QUERIES: Final[Mapping[str, Query]] = {
    "projects": Query(_select_projects(), _make_project),
    "users": Query(_select_users(), _make_user),
    "groups": _plain("group", "id", "name", "domain_id"),
    "memberships": _plain("user_group_membership", "user_id", "group_id"),
    "expiring_memberships": Query(_select_expiring_memberships(), _make_expiring_membership),
    "roles": Query(_select_roles(), _make_role),
    "implied_roles": _plain("implied_role", "prior_role_id", "implied_role_id"),
    "assignments": Query(_select_assignments(), make_all=_make_assignments),
    "system_assignments": Query(select(SOURCES["system_assignment"]), _make_system_assignment),
    "trusts": Query(_select_trusts(), _make_trust),
    "trust_roles": Query(_select_trust_roles()),
    "application_credentials": _plain(
        "application_credential",
        "id",
        "name",
        "user_id",
        "project_id",
        "unrestricted",
        "expires_at",
    ),
    "application_credential_roles": Query(_select_credential_roles()),
    "application_credential_access_rules": Query(_select_credential_rules()),
    "access_tokens": _plain(
        "access_token", "id", "consumer_id", "authorizing_user_id", "project_id"
    ),
    "access_token_roles": Query(
        select(*_columns("access_token", "id", "role_ids")), _make_access_token_roles
    ),
    "services": Query(select(SOURCES["service"]), _make_service),
    "endpoints": Query(select(SOURCES["endpoint"]), _make_endpoint),
    "project_endpoints": _plain("project_endpoint", "project_id", "endpoint_id"),
    "endpoint_groups": Query(select(SOURCES["endpoint_group"]), _make_endpoint_group),
    "project_endpoint_groups": _plain("project_endpoint_group", "project_id", "endpoint_group_id"),
    "identity_providers": _plain("identity_provider", "id", "domain_id", "enabled"),
    "federation_protocols": _plain("federation_protocol", "idp_id", "id"),
    "service_providers": _plain("service_provider", "id", "auth_url", "sp_url", "enabled"),
    "revocation_events": Query(select(SOURCES["revocation_event"]).distinct(), _make_event),
}
