"""The rule table: what each attribute of a revocation event means for a token.

An event is a conjunction: it covers the tokens that meet every attribute it states.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from authmw.revocation.facts import RevocationFacts

Value = str | int


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of revocation events.

    Attributes:
        name: the member's name in the JSON of an event.
        met_by: returns the values of a token; one of them must be the event's. A None
            among them meets nothing, since no event states None.
        parse: returns the value a JSON member stands for, None where it can't be read.
    """

    name: str
    met_by: Callable[[RevocationFacts], tuple[Value | None, ...]]
    parse: Callable[[object], Value | None]


def parse_id(member: object) -> str | None:
    """Return an id; None for anything that is none."""
    return member if isinstance(member, str) and member else None


def parse_seconds(member: object) -> int | None:
    """Return an ISO 8601 time as epoch seconds, truncated; None for anything that is none.

    The Identity API speaks UTC; where it leaves the zone out it still means UTC.
    """
    if not isinstance(member, str):
        return None
    try:
        time = datetime.fromisoformat(member)
        return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() // 1)
    except (ValueError, OverflowError):
        return None


ATTRIBUTES: tuple[Attribute, ...] = (
    Attribute(
        "user_id", lambda token: (token.user_id, token.trustor_id, token.trustee_id), parse_id
    ),
    Attribute("project_id", lambda token: (token.project_id,), parse_id),
    # The user's domain or the one the token is for; a project's domain is neither.
    Attribute("domain_id", lambda token: (token.user_domain_id, token.domain_scope_id), parse_id),
    Attribute("domain_scope_id", lambda token: (token.domain_scope_id,), parse_id),
    Attribute("audit_id", lambda token: (token.audit_id,), parse_id),
    Attribute("audit_chain_id", lambda token: (token.audit_chain_id,), parse_id),
    Attribute("role_id", lambda token: token.role_ids, parse_id),
    Attribute("OS-TRUST:trust_id", lambda token: (token.trust_id,), parse_id),
    Attribute("OS-OAUTH1:consumer_id", lambda token: (token.consumer_id,), parse_id),
    Attribute("OS-OAUTH1:access_token_id", lambda token: (token.access_token_id,), parse_id),
    Attribute("expires_at", lambda token: (token.expires_at,), parse_seconds),
)

ATTRIBUTE_BY_NAME: Mapping[str, Attribute] = {each.name: each for each in ATTRIBUTES}
