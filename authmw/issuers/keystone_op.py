"""What the OAuth2 provider of Keystone's successor adds to RFC 9068 (its ADR-0026, §4 to §6).

Its verifier decodes claims into a typed structure, so a claim that is missing or mistyped there
refuses the token; these rules do the same. Three are stricter: a token that says `sub` and
`user_id` of two users, claims of a scope that it does not have, and roles without a scope are
refused, since its OP never makes one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from authmw.errors import InvalidToken, Reason

AUDIENCE_PREFIX: Final = "openstack-apis:"

# `scope_type` and the claims that stand beside it (ADR-0026 §4, OpenStackScope).
SCOPE_CLAIMS: Final[Mapping[str, tuple[str, ...]]] = {
    "project": ("project_id", "project_domain_id"),
    "domain": ("domain_id",),
    "system": ("system_id",),
    "unscoped": (),
}
_ALL_SCOPE_CLAIMS: Final = tuple(dict.fromkeys(sum(SCOPE_CLAIMS.values(), ())))

# ADR-0026 §4, DelegationContext; all but the first are bound to one project.
_PLAIN: Final = "plain"
DELEGATED_METHODS: Final = frozenset({"trust", "app_cred", "ec2"})


def derive_audience(identifier: str) -> str | None:
    """Return the audience of a domain's tokens: `iss` ends in /v4/oauth2/{domain_id} (§4)."""
    parent, _, domain_id = urlsplit(identifier).path.rpartition("/")
    if not domain_id or not parent.endswith("/v4/oauth2"):
        return None
    return AUDIENCE_PREFIX + domain_id


def complain(identifier: str | None, audiences: frozenset[str]) -> str | None:
    """Say what is wrong with an issuer identifier and its audiences; None if nothing is."""
    derived = derive_audience(identifier or "")
    if derived is None:
        return "the issuer of a domain ends in /v4/oauth2/ and the domain's id"
    if audiences != {derived}:
        # Otherwise a domain whose key has leaked could speak for another (§5, "Domain Key
        # Isolation and aud Binding").
        return f"the audience of this issuer is {derived}; leave the option out, or write that"
    return None


def verify_user(claims: Mapping[str, object]) -> None:
    """`sub` and `user_id` are the same user (§4, both structures)."""
    if claims.get("user_id") != claims.get("sub"):
        raise InvalidToken(Reason.MALFORMED, "'sub' and 'user_id' are not the same")
    ruleset_version = claims.get("keystone_ruleset_version")
    if type(ruleset_version) is not int or ruleset_version < 0:
        raise InvalidToken(Reason.MALFORMED, "'keystone_ruleset_version' is no natural number")
    if type(claims.get("amr")) is not list:
        raise InvalidToken(Reason.MALFORMED, "'amr' is no array of names")


def verify_scope(claims: Mapping[str, object]) -> None:
    """The claims of the scope are those of `scope_type`, all of them and no other."""
    scope_type = claims.get("scope_type")
    needed = SCOPE_CLAIMS.get(scope_type) if type(scope_type) is str else None
    if needed is None:
        raise InvalidToken(Reason.MALFORMED, f"'scope_type' is none of {sorted(SCOPE_CLAIMS)}")
    for name in _ALL_SCOPE_CLAIMS:
        value = claims.get(name)
        if name not in needed:
            if value is not None:
                raise InvalidToken(Reason.MALFORMED, f"{name!r} in a token of another scope")
        elif type(value) is not str or not value:
            raise InvalidToken(Reason.MALFORMED, f"{name!r} is missing, empty or no string")
    roles = claims.get("roles")
    if type(roles) is not list or not all([type(role) is str for role in roles]):  # noqa: C419
        raise InvalidToken(Reason.MALFORMED, "'roles' is no array of names")
    if needed and type(claims.get("scope_roles")) is not list:
        raise InvalidToken(Reason.MALFORMED, "'scope_roles' is missing or no array")
    if not needed and (roles or claims.get("scope_roles")):
        raise InvalidToken(Reason.MALFORMED, "an unscoped token has roles")


def verify_delegation(claims: Mapping[str, object]) -> None:
    """A delegated token is scoped to the project that was delegated (§6, step 7)."""
    context = claims.get("delegation_context")
    if type(context) is not dict:
        raise InvalidToken(Reason.MALFORMED, "'delegation_context' is missing or no object")
    method, project_id = context.get("auth_method"), context.get("delegated_project_id")
    if method == _PLAIN:
        if project_id is not None:  # invariant I2
            raise InvalidToken(Reason.MALFORMED, "a plain token has a 'delegated_project_id'")
        return
    if type(method) is not str or method not in DELEGATED_METHODS:
        raise InvalidToken(Reason.MALFORMED, "'auth_method' is none that exists")
    if type(project_id) is not str or not project_id:
        raise InvalidToken(Reason.MALFORMED, "a delegated token lacks 'delegated_project_id'")
    if claims.get("scope_type") != "project":  # invariant I5
        raise InvalidToken(Reason.MALFORMED, "a delegated token is not scoped to a project")
    if claims.get("project_id") != project_id:  # invariant I3
        raise InvalidToken(
            Reason.MALFORMED, "a delegated token is scoped to another project than was delegated"
        )
