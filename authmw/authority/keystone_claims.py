"""The claims of Keystone's JWS tokens, parsed.

Keystone does not promise them as an interface (`keystone.token.providers.jws`): an unknown claim is
ignored, and a required claim that is missing or mistyped refuses the token.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from authmw.errors import InvalidToken, Reason


@dataclass(frozen=True, slots=True)
class KeystoneClaims:
    """The claims of a Keystone token; absent is None.

    Attributes:
        user_id: `sub`: who authenticated. In an impersonating trust this is the trustee,
            while the bearer counts as the trustor.
        system: whether the scope is the system.
        group_ids: `openstack_group_ids`: the groups that an identity provider's mapping gave a
            federated user for this token; None: the token is not a federated user's.
    """

    user_id: str
    methods: tuple[str, ...]
    audit_ids: tuple[str, ...]
    project_id: str | None
    domain_id: str | None
    system: bool
    group_ids: tuple[str, ...] | None
    trust_id: str | None
    application_credential_id: str | None
    access_token_id: str | None
    thumbprint: str | None
    identity_provider_id: str | None
    protocol_id: str | None


_STRING_CLAIMS = (
    "sub",
    "openstack_project_id",
    "openstack_domain_id",
    "openstack_system",
    "openstack_trust_id",
    "openstack_app_cred_id",
    "openstack_access_token_id",
    "openstack_thumbprint",
    "openstack_idp_id",
    "openstack_protocol_id",
)


def parse_keystone_claims(claims: Mapping[str, object]) -> KeystoneClaims:
    """Parse the claims of a token whose signature was verified.

    Raises:
        InvalidToken: (malformed) with the name of the claim at fault.
    """
    user_id, project_id, domain_id, system, *others = _parse_optional_strings(claims)
    if user_id is None:
        raise InvalidToken(Reason.MALFORMED, "claim 'sub' is missing")
    if (project_id is not None) + (domain_id is not None) + (system is not None) > 1:
        raise InvalidToken(Reason.MALFORMED, "the claims name more than one scope")
    if system is not None and system != "all":
        raise InvalidToken(Reason.MALFORMED, "claim 'openstack_system' is not 'all'")
    return KeystoneClaims(
        user_id,
        parse_strings(claims, "openstack_methods"),
        parse_strings(claims, "openstack_audit_ids"),
        project_id,
        domain_id,
        system is not None,
        _parse_group_ids(claims),
        *others,
    )


def _parse_optional_strings(claims: Mapping[str, object]) -> list[str | None]:
    """Return the values of `_STRING_CLAIMS`; absent is None."""
    values: list[str | None] = []
    for name in _STRING_CLAIMS:
        value = claims.get(name)
        if type(value) is str and value:
            values.append(value)
        elif name in claims:
            raise InvalidToken(Reason.MALFORMED, f"claim {name!r} is no string, or empty")
        else:
            values.append(None)
    return values


def parse_strings(claims: Mapping[str, object], name: str) -> tuple[str, ...]:
    """Parse a claim that is a list of strings; raises as `parse_keystone_claims` does."""
    values = claims.get(name)
    if type(values) is not list or not values:
        raise InvalidToken(Reason.MALFORMED, f"claim {name!r} is missing or no list")
    for value in values:
        if type(value) is not str or not value:
            raise InvalidToken(Reason.MALFORMED, f"claim {name!r} is no list of strings")
    return tuple(values)


def name_refused(refusal: InvalidToken, claims: Mapping[str, object]) -> None:
    """Have the log name a refused token by its audit id and user, as far as the claims have them.

    Args:
        refusal: of a registered claim.
        claims: of a token whose signature was verified.
    """
    user_id, audit_ids = claims.get("sub"), claims.get("openstack_audit_ids")
    if type(user_id) is str:
        refusal.user_id = user_id
    if type(audit_ids) is list and audit_ids and type(audit_ids[0]) is str:
        refusal.audit_id = audit_ids[0]


def _parse_group_ids(claims: Mapping[str, object]) -> tuple[str, ...] | None:
    """Return the ids of `[{"id": ...}, ...]`."""
    name = "openstack_group_ids"
    groups = claims.get(name)
    if groups is None and name not in claims:
        return None
    if type(groups) is not list:
        raise InvalidToken(Reason.MALFORMED, f"claim {name!r} is no list")
    ids = []
    for group in groups:
        group_id = group.get("id") if type(group) is dict else None
        if type(group_id) is not str or not group_id:
            raise InvalidToken(Reason.MALFORMED, f"claim {name!r} is no list of groups")
        ids.append(group_id)
    return tuple(ids)
