"""The rule table: what each attribute of a revocation event means for a token.

An event is a conjunction: it covers the tokens that meet every attribute it states.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from authmw.revocation.facts import RevocationFacts
from authmw.token import parse_time

Value = str | int


class Attribute(NamedTuple):
    """One attribute of revocation events.

    Attributes:
        name: the member's name in the JSON of an event.
        met_by: the member of `RevocationFacts` with the values of a token; one of them must
            be the event's, or None (unknown).
        parse: returns the value a JSON member stands for, None where it can't be read.
    """

    name: str
    met_by: str
    parse: Callable[[object], Value | None]

    @property
    def position(self) -> int:
        """Of `met_by` among the members of `RevocationFacts`: looking there is fastest."""
        return RevocationFacts._fields.index(self.met_by)


def parse_id(member: object) -> str | None:
    """Return an id; None where it is not a non-empty string."""
    return member if isinstance(member, str) and member else None


def parse_seconds(member: object) -> int | None:
    """Return an ISO 8601 time as epoch seconds, truncated; None for any other value."""
    if not isinstance(member, str):
        return None
    try:
        return parse_time(member)
    except ValueError:
        return None


ATTRIBUTES: tuple[Attribute, ...] = (
    Attribute("user_id", "users", parse_id),
    Attribute("project_id", "project", parse_id),
    # The user's domain or the domain of the scope, but never the domain of a project.
    Attribute("domain_id", "domains", parse_id),
    Attribute("domain_scope_id", "domain_scope", parse_id),
    Attribute("audit_id", "audit", parse_id),
    Attribute("audit_chain_id", "audit_chain", parse_id),
    Attribute("role_id", "roles", parse_id),
    Attribute("OS-TRUST:trust_id", "trust", parse_id),
    Attribute("OS-OAUTH1:consumer_id", "consumer", parse_id),
    Attribute("OS-OAUTH1:access_token_id", "access_token", parse_id),
    Attribute("expires_at", "expires_at", parse_seconds),
)

ATTRIBUTE_BY_NAME: Mapping[str, Attribute] = {each.name: each for each in ATTRIBUTES}
