"""What a view requires of a valid token (`authmw.require`, `authmw.check`)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from authmw.token import DomainScope, ProjectScope, Scope, SystemScope, Token

ScopeName = Literal["system", "domain", "project"]

_SCOPES: Mapping[str, type[Scope]] = {
    "system": SystemScope,
    "domain": DomainScope,
    "project": ProjectScope,
}


class NotFromRequest:
    """No value is of this type; it stands in the signature of what decides on requests.

    FastAPI fills the arguments of a dependency from the query. So a client of
    `Depends(authmw.check)` could say what is required of it, and `Depends(authmw.require)`, not
    called, would check nothing. FastAPI refuses a function with an argument of a type that it
    doesn't know.
    """


# RFC 6749 §3.3, scope-token. Challenges quote it.
_SCOPE_VALUE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a token must have; an empty set or False requires nothing.

    Attributes:
        roles: names; the token needs one of them.
        scopes: the token needs one of them.
        admin_project: whether its project must be the admin project, by the rule of
            X-Is-Admin-Project: where the deployment names none, every project is.
        methods: of authentication; the user must have used all of them.
        oauth_scope: values of an OAuth scope; the token must have been issued for all of them.
    """

    roles: frozenset[str]
    scopes: frozenset[str]
    admin_project: bool
    methods: frozenset[str]
    oauth_scope: frozenset[str] = frozenset()

    def list_names(self) -> dict[str, list[str] | Literal[True]]:
        """Return all that it requires, by the name of the requirement."""
        names = {
            "roles": sorted(self.roles),
            "scope": sorted(self.scopes),
            "methods": sorted(self.methods),
            "oauth_scope": sorted(self.oauth_scope),
        }
        listed: dict[str, list[str] | Literal[True]] = {
            name: values for name, values in names.items() if values
        }
        if self.admin_project:
            listed["admin_project"] = True
        return listed

    def find_missing(self, token: Token) -> dict[str, list[str] | Literal[True]]:
        """Return what a token lacks, by the name of the requirement; empty if it lacks nothing.

        For roles and scope the value lists those of which one is needed, for methods those that
        were not used, for the OAuth scope all that is needed (RFC 6750 §3).
        """
        principal = token.principal
        missing: dict[str, list[str] | Literal[True]] = {}
        if self.roles and self.roles.isdisjoint(principal.role_names):
            missing["roles"] = sorted(self.roles)
        if self.scopes and not isinstance(
            principal.scope, tuple(_SCOPES[name] for name in self.scopes)
        ):
            missing["scope"] = sorted(self.scopes)
        if self.admin_project and not (
            principal.is_admin_project and isinstance(principal.scope, ProjectScope)
        ):
            missing["admin_project"] = True
        unused = self.methods.difference(token.methods)
        if unused:
            missing["methods"] = sorted(unused)
        if not self.oauth_scope <= token.oauth_scope:
            missing["oauth_scope"] = sorted(self.oauth_scope)
        return missing


def parse_requirement(
    *,
    roles: str | Iterable[str] | NotFromRequest | None,
    scope: str | Iterable[str] | None,
    admin_project: bool,
    methods: str | Iterable[str] | None,
    oauth_scope: str | Iterable[str] | None = None,
) -> Requirement:
    """Make a `Requirement`, whose attributes the arguments are; a string is one name.

    Raises:
        ValueError: a scope is unknown, or a set of names is empty, which no token could meet.
    """
    scopes = _parse_names("scope", scope)
    unknown = scopes - _SCOPES.keys()
    if unknown:
        raise ValueError(
            f"scope {min(unknown)!r} does not exist: write 'system', 'domain' or 'project', or "
            "several of them as a tuple"
        )
    scope_values = _parse_names("oauth_scope", oauth_scope)
    for value in scope_values:
        if not _SCOPE_VALUE.fullmatch(value):
            raise ValueError(
                f"oauth_scope {value!r} is no value of an OAuth scope: write several as a tuple"
            )
    return Requirement(
        _parse_names("roles", roles),
        scopes,
        admin_project,
        _parse_names("methods", methods),
        scope_values,
    )


def _parse_names(what: str, names: str | Iterable[str] | NotFromRequest | None) -> frozenset[str]:
    if names is None:
        return frozenset()
    if isinstance(names, NotFromRequest):
        raise TypeError(f"{what} is a name, or several")
    parsed = frozenset([names] if isinstance(names, str) else names)
    if not parsed or "" in parsed:
        raise ValueError(f"{what} names nothing: leave it out, or name what a token needs")
    return parsed
