"""What a bundle says about a token is what Keystone says, in random worlds.

`AUTHMW_WORLDS` is the number of worlds; 12 unless it is set. `make soak-bundle` takes 1,000.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from authmw.bundle.explain import Explainer
from authmw.bundle.facts import pack_id, unpack_id
from authmw.bundle.sqlite_reader import SqliteFacts
from authmw.errors import InvalidToken, Reason
from authmw.revocation.events import parse_event
from authmw.revocation.facts import facts_of as revocation_facts_of
from authmw.revocation.index import EventIndex
from authmw.token import Token
from tests.bundle.full_world import TOKEN, WORLD
from tests.bundle.keystone_worlds import CONFIGURATION, KeystoneOfWorlds
from tests.bundle.worlds import worlds
from tests.support.bundles import evaluate_claims, facts_of, normalize, read_claims

WORLDS = int(os.environ.get("AUTHMW_WORLDS", "12"))

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


def test_what_is_surprising_in_keystone_is_so_in_a_bundle(
    keystone_of_worlds: KeystoneOfWorlds,
) -> None:
    """A token on a disabled domain passes; a federated user has its system roles everywhere."""
    world = {
        **WORLD,
        "domains": 2,
        "grants": [
            ["user", 0, "domain", 1, 0, False],
            ["user", 3, "project", 1, 1, False],
        ],
        "system_grants": [["group", 0, 0], ["user", 3, 0]],
        "trusts": [],
        "credentials": [],
        "tokens": [
            {**TOKEN, "user": 0, "scope": ["domain", 1]},
            {**TOKEN, "user": 3, "scope": ["project", 1], "groups": [0]},
        ],
        "changes": [["disable domain", 1]],
    }
    answers = keystone_of_worlds.build(world)["answers"]
    assert [answer["status"] for answer in answers] == [200, 200]
    assert len({role["id"] for role in answers[1]["body"]["roles"]}) == 2
    with facts_of(keystone_of_worlds.database_url, CONFIGURATION, newer_by=3600) as facts:
        events = read_events(facts)
        kinds = [compare(facts, events, answer) for answer in answers]
    assert kinds == ["domain", "federated project"]


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
    kind = kind_of(body)
    if kind in ("project", "domain", "system", "application_credential"):
        compare_explained(facts, body, kind)
    return kind


def compare_explained(facts: SqliteFacts, body: dict[str, Any], kind: str) -> None:
    """Compare the roles of a token with those that `authmw bundle explain` lists."""
    explainer = Explainer(facts, facts._rows, int(time.time()))
    user_id = pack_id(body["user"]["id"])
    if kind == "system":
        holdings = explainer.on_system(user_id)
    elif kind == "domain":
        holdings = explainer.on_domain(pack_id(body["domain"]["id"]), user_id)
    else:
        holdings = explainer.on_project(pack_id(body["project"]["id"]), user_id)
    explained = {unpack_id(each.role_ids[-1]) for each in holdings}
    held = {role["id"] for role in body["roles"]}
    # A delegation only takes roles away.
    assert held <= explained if kind == "application_credential" else held == explained, body


def judge(facts: SqliteFacts, events: EventIndex, claims: dict[str, Any]) -> dict[str, Any]:
    """Return the token body by the bundle; raises InvalidToken."""
    body = evaluate_claims(facts, claims)
    token = Token.from_body(body, None, answered_at=0, fresh_until=0, usable_until=0)
    if events.find_attributes(revocation_facts_of(token)) is not None:
        raise InvalidToken(Reason.REVOKED)
    return body


def kind_of(body: dict[str, Any]) -> str:
    """Name the kind of a token that was accepted."""
    for name in ("OS-TRUST:trust", "OS-OAUTH1", "application_credential"):
        if name in body:
            return name
    scope = next((name for name in ("project", "domain", "system") if name in body), "unscoped")
    return f"federated {scope}" if "OS-FEDERATION" in body["user"] else scope
