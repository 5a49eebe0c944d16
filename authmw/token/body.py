"""Reads a v3 token body, member by member (Identity API v3, "Validate and show information").

A member of another form than the Identity API defines raises `MalformedBody`, which names it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from authmw.errors import MalformedBody
from authmw.token.access_rules import AccessRule
from authmw.token.access_rules import parse_access_rules as parse_rules
from authmw.token.parts import (
    DomainScope,
    OAuth1Access,
    ProjectScope,
    Role,
    Scope,
    SystemScope,
    Trust,
    Unscoped,
    User,
)
from authmw.token.shared_body import SharedMembers


# Under load, many tokens share the second of their issue and that of their expiry.
@functools.lru_cache(maxsize=1024)
def render_time(seconds: int) -> str:
    """Write epoch seconds as the Identity API does."""
    return f"{_render_minute(seconds // 60)}{seconds % 60:02}.000000Z"


@functools.lru_cache(maxsize=256)
def _render_minute(minutes: int) -> str:
    return datetime.fromtimestamp(minutes * 60, UTC).strftime("%Y-%m-%dT%H:%M:")


def share_members(members: Mapping[str, object]) -> SharedMembers:
    """Return members of a body for many tokens to share.

    Raises:
        MalformedBody: they are nested too deep.
    """
    try:
        return SharedMembers(members)
    except ValueError as error:
        raise MalformedBody("the token body is nested too deep") from error


def read_required(members: Mapping[str, object], name: str, kind: type[Any]) -> Any:
    """Return a member of this very type; raises MalformedBody."""
    value = members.get(name)
    if type(value) is not kind:
        raise MalformedBody(f"{name!r} is not {_KINDS[kind]} but {type(value).__name__}")
    return value


def read_optional(members: Mapping[str, object], name: str, kind: type[Any]) -> Any:
    """Return a member of this very type, or None where it is absent or null."""
    value = members.get(name)
    return value if value is None or type(value) is kind else read_required(members, name, kind)


_KINDS: Mapping[type[Any], str] = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
}


def _required_id(members: Mapping[str, object]) -> str:
    identifier: str = read_required(members, "id", str)
    if not identifier:
        raise MalformedBody("'id' is empty")
    return identifier


def parse_user(user: Mapping[str, object]) -> User:
    domain_id, domain_name = _parse_domain_of(user)
    return User(_required_id(user), read_optional(user, "name", str), domain_id, domain_name)


def _parse_domain_of(owner: Mapping[str, object]) -> tuple[str | None, str | None]:
    domain = read_optional(owner, "domain", dict)
    if domain is None:
        return None, None
    return read_optional(domain, "id", str), read_optional(domain, "name", str)


def parse_scope(body: Mapping[str, object]) -> Scope:
    project = read_optional(body, "project", dict)
    domain = read_optional(body, "domain", dict)
    system = read_optional(body, "system", dict)
    if sum(scope is not None for scope in (project, domain, system)) > 1:
        raise MalformedBody("more than one of 'project', 'domain' and 'system'")
    if project is not None:
        domain_id, domain_name = _parse_domain_of(project)
        return ProjectScope(
            _required_id(project),
            read_optional(project, "name", str),
            domain_id,
            domain_name,
            read_optional(body, "is_domain", bool) is True,
        )
    if domain is not None:
        return DomainScope(_required_id(domain), read_optional(domain, "name", str))
    if system is not None:
        if read_required(system, "all", bool) is not True:
            raise MalformedBody("'system' is not {'all': true}")
        return SystemScope()
    return Unscoped()


def parse_roles(roles: list[object]) -> tuple[Role, ...]:
    parsed = []
    for role in roles:
        if type(role) is not dict:
            raise MalformedBody("a role is not an object")
        parsed.append(Role(read_optional(role, "id", str), read_required(role, "name", str)))
    return tuple(parsed)


def parse_is_admin_project(body: Mapping[str, object]) -> bool:
    # Keystone leaves it out where no admin project is configured. Every project then counts as
    # the admin project, and services decide by the role alone.
    member = read_optional(body, "is_admin_project", bool)
    return True if member is None else bool(member)


def parse_trust(trust: Mapping[str, object] | None) -> Trust | None:
    if trust is None:
        return None
    return Trust(
        _required_id(trust),
        _required_id(read_required(trust, "trustor_user", dict)),
        _required_id(read_required(trust, "trustee_user", dict)),
        read_required(trust, "impersonation", bool),
    )


def parse_oauth1(oauth1: Mapping[str, object] | None) -> OAuth1Access | None:
    if oauth1 is None:
        return None
    return OAuth1Access(
        read_required(oauth1, "consumer_id", str), read_required(oauth1, "access_token_id", str)
    )


def parse_access_rules(rules: object) -> tuple[AccessRule, ...] | None:
    try:
        return parse_rules(rules)
    except ValueError as error:
        raise MalformedBody(f"'access_rules': {error}") from error


def read_strings(members: Mapping[str, object], name: str) -> tuple[str, ...]:
    values: Any = members.get(name)
    if values is None:
        return ()
    if type(values) is not list:
        read_required(members, name, list)
    for value in values:
        if type(value) is not str:
            raise MalformedBody(f"{name!r} is not an array of strings")
    return tuple(values)


def read_thumbprint(body: Mapping[str, object]) -> str | None:
    if body.get("oauth2_credential") is None:
        return None
    credential = read_required(body, "oauth2_credential", dict)
    thumbprint: str | None = read_optional(credential, "x5t#S256", str)
    return thumbprint


def read_time(body: Mapping[str, object], name: str) -> tuple[str, int]:
    """Return a required time as it is written, and in epoch seconds; raises MalformedBody."""
    text = body.get(name)
    if type(text) is not str:
        text = read_required(body, name, str)
    return text, parse_time(text, name)


def parse_time(text: str, name: str = "time") -> int:
    """Return epoch seconds, truncated, of a time as the Identity API writes it.

    Raises:
        MalformedBody: it is not one; the message has `name`.
    """
    try:
        time = datetime.fromisoformat(text)
        # Times of the Identity API are UTC, also those without a zone.
        return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() // 1)
    except (ValueError, OverflowError) as error:
        raise MalformedBody(f"{name!r} is not a time of ISO 8601") from error
