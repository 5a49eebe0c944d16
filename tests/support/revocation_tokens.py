"""Tokens and the events that may cover them."""

from __future__ import annotations

from typing import Any

from authmw.revocation.events import RevocationEvent, parse_event
from authmw.token import Token
from tests.support.literal_revocation import Json, iso
from tests.support.token_bodies import ISSUED_AT, make_body

TRUST: Json = {
    "id": "t1",
    "trustor_user": {"id": "trustor"},
    "trustee_user": {"id": "trustee"},
    "impersonation": True,
}
OAUTH1: Json = {"consumer_id": "c1", "access_token_id": "a1"}


def make_token(body: Json) -> Token:
    """Read a token body the way validators do."""
    return Token.from_body(body, None, answered_at=0, fresh_until=0, usable_until=0)


def token_of(scope: str = "project", **members: Any) -> Token:
    """Return a token of this scope; see `make_body`."""
    return make_token(make_body(scope, **members))


def render_event(*, issued_before: float = ISSUED_AT, **attributes: object) -> Json:
    """Return an event as Keystone writes it."""
    times = {"issued_before": iso(issued_before), "revoked_at": iso(issued_before)}
    return {**attributes, **times}


def event_of(*, issued_before: float = ISSUED_AT, **attributes: object) -> RevocationEvent:
    """Return an event as we read it."""
    return parse_event(render_event(issued_before=issued_before, **attributes), 0)
