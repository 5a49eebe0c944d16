"""Revocation events as Keystone keeps and shows them (Identity API v3, OS-REVOKE).

The rule is deliberately stated literally and apart from the indexed one of the filter, so that
the two can be tested against each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from authmw.testing.directory import Directory
from authmw.testing.records import Grant, OnDomain, OnProject
from authmw.testing.token_bodies import render_time, roles_of

_JSON_NAMES = {
    "trust_id": "OS-TRUST:trust_id",
    "consumer_id": "OS-OAUTH1:consumer_id",
    "access_token_id": "OS-OAUTH1:access_token_id",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokedAttributes:
    """The attributes of an event; None: the event does not state it."""

    user_id: str | None = None
    role_id: str | None = None
    domain_id: str | None = None
    domain_scope_id: str | None = None
    project_id: str | None = None
    audit_id: str | None = None
    audit_chain_id: str | None = None
    trust_id: str | None = None
    consumer_id: str | None = None
    access_token_id: str | None = None
    expires_at: int | None = None

    def stated(self) -> dict[str, str | int]:
        """Return the attributes that are not None."""
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in values if value is not None}


@dataclass(frozen=True, slots=True)
class RevocationEvent:
    """Covers all tokens with these attributes, issued up to and in the second `issued_before`.

    Times are epoch seconds.
    """

    attributes: RevokedAttributes
    issued_before: int
    revoked_at: int

    def render(self) -> dict[str, str]:
        """Return the event as a member of `events` in GET /v3/OS-REVOKE/events."""
        rendered = {
            _JSON_NAMES.get(name, name): render_time(value, fraction=False)
            if isinstance(value, int)
            else value
            for name, value in self.attributes.stated().items()
        }
        return rendered | {
            "issued_before": render_time(self.issued_before),
            "revoked_at": render_time(self.revoked_at),
        }

    def is_covering(
        self, issued_at: int, values: Mapping[str, frozenset[str | int | None]]
    ) -> bool:
        """Return whether this event revokes a token with these values, issued then."""
        return issued_at <= self.issued_before and all(
            value in values[name] for name, value in self.attributes.stated().items()
        )


def revocable_values(grant: Grant, directory: Directory) -> dict[str, frozenset[str | int | None]]:
    """Return, for each attribute an event can state, the values by which it meets this grant."""
    trust = None if grant.trust_id is None else directory.trusts.get(grant.trust_id)
    access = (
        None
        if grant.oauth1_access_id is None
        else directory.oauth1_accesses.get(grant.oauth1_access_id)
    )
    user = directory.users.get(grant.user_id)
    domain_scope = grant.target.domain_id if isinstance(grant.target, OnDomain) else None
    return {
        "user_id": frozenset(
            {grant.user_id} | ({trust.trustor_user_id, trust.trustee_user_id} if trust else set())
        ),
        "role_id": frozenset(role.id for role in roles_of(grant, directory)),
        "domain_id": frozenset({user.domain_id if user else None, domain_scope}),
        "domain_scope_id": frozenset({domain_scope}),
        "project_id": frozenset(
            {grant.target.project_id} if isinstance(grant.target, OnProject) else ()
        ),
        "audit_id": frozenset({grant.audit_ids[0]}),
        "audit_chain_id": frozenset({grant.audit_ids[-1]}),
        "trust_id": frozenset({grant.trust_id}),
        "consumer_id": frozenset({access.consumer_id if access else None}),
        "access_token_id": frozenset({grant.oauth1_access_id}),
        "expires_at": frozenset({grant.expires_at}),
    }
