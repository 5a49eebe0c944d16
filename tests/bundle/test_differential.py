"""What a bundle says about a token is what Keystone says, in random worlds.

`AUTHMW_WORLDS` is the number of worlds; 20 unless it is set. `make soak-bundle` takes 1,000.
"""

from __future__ import annotations

import base64
import json
import os
import time
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from authmw.authority.keystone_claims import parse_keystone_claims
from authmw.bundle.evaluate import evaluate
from authmw.bundle.sqlite_reader import SqliteFacts
from authmw.errors import InvalidToken, Reason
from authmw.revocation.events import parse_event
from authmw.revocation.facts import facts_of as revocation_facts_of
from authmw.revocation.index import EventIndex
from authmw.token import Token
from tests.bundle.keystone_worlds import CONFIGURATION, KeystoneOfWorlds, facts_of
from tests.bundle.worlds import worlds

WORLDS = int(os.environ.get("AUTHMW_WORLDS", "20"))

pytestmark = pytest.mark.heavy


KINDS = {
    "unscoped",
    "project",
    "domain",
    "system",
    "OS-TRUST:trust",
    "OS-OAUTH1",
    "application_credential",
    "federated project",
    "refused",
}
"""The answers that must have been seen, lest the worlds be too poor."""


def test_bundle_says_what_keystone_says(keystone_of_worlds: KeystoneOfWorlds) -> None:
    seen: Counter[str] = Counter()

    @settings(
        max_examples=WORLDS,
        # The same few worlds each time, unless many are asked for.
        derandomize="AUTHMW_WORLDS" not in os.environ,
        deadline=None,
        database=None,
        # A world that fails is printed; to look for a smaller one takes longer than to read it.
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(world=worlds())
    def compare_world(world: dict[str, Any]) -> None:
        answers = keystone_of_worlds.build(world)["answers"]
        # Later by more than the lag of a replica: what is not there now was deleted.
        with facts_of(keystone_of_worlds.database_url, CONFIGURATION, newer_by=3600) as facts:
            events = read_events(facts)
            seen.update(compare(facts, events, answer) for answer in answers)

    compare_world()
    assert seen.keys() >= KINDS, seen


def read_events(facts: SqliteFacts) -> EventIndex:
    """Return the revocation events of a bundle."""
    index = EventIndex(max_events=100_000, retention_seconds=86400)
    rows = facts.revocation_events()
    index.add([parse_event(each, 0) for each in rows], time.time())
    return index


def compare(facts: SqliteFacts, events: EventIndex, answer: dict[str, Any]) -> str:
    """Compare what the bundle says about one token with Keystone's answer; returns its kind."""
    claims = read_claims(answer["token"])
    refusal: InvalidToken | None = None
    body: dict[str, Any] = {}
    try:
        body = judge(facts, events, claims)
    except InvalidToken as error:
        refusal = error
    if refusal is not None:
        assert answer["status"] != 200, f"refused: {refusal}\n{claims}\n{answer['body']}"
        return "refused"
    assert answer["status"] == 200, f"not refused: {answer}\n{claims}\n{body}"
    assert normalize(body) == normalize(answer["body"]), claims
    return kind_of(body)


def read_claims(token: str) -> dict[str, Any]:
    """Return the claims of a token that Keystone signed."""
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(
        base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    )
    return claims


def judge(facts: SqliteFacts, events: EventIndex, claims: dict[str, Any]) -> dict[str, Any]:
    """Return the token body by the bundle; raises InvalidToken."""
    body = evaluate(
        parse_keystone_claims(claims),
        issued_at=claims["iat"],
        expires_at=claims["exp"],
        now=time.time(),
        facts=facts,
    )
    token = Token.from_body(body, None, answered_at=0, fresh_until=0, usable_until=0)
    if events.find_attributes(revocation_facts_of(token)) is not None:
        raise InvalidToken(Reason.REVOKED)
    return body


def normalize(body: dict[str, Any]) -> dict[str, Any]:
    """Return a body whose lists that have no order are sorted, and name a thing once."""
    normal = dict(body)
    for name in ("roles", "catalog", "service_providers"):
        if name in body:
            normal[name] = sort_by_id(body[name])
    for service in normal.get("catalog", ()):
        service["endpoints"] = sort_by_id(service["endpoints"])
    credential = body.get("application_credential")
    if credential is not None and "access_rules" in credential:
        rules = sort_by_id(credential["access_rules"])
        normal["application_credential"] = {**credential, "access_rules": rules}
    return normal


def sort_by_id(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [dict(each) for _, each in sorted({each["id"]: each for each in items}.items())]


def kind_of(body: dict[str, Any]) -> str:
    """Name the kind of a token that was accepted."""
    for name in ("OS-TRUST:trust", "OS-OAUTH1", "application_credential"):
        if name in body:
            return name
    scope = next((name for name in ("project", "domain", "system") if name in body), "unscoped")
    return f"federated {scope}" if "OS-FEDERATION" in body["user"] else scope
