"""What a bundle says about a token is what Keystone says, in random worlds.

`AUTHMW_WORLDS` is the number of worlds; 20 unless it is set. `make soak-bundle` takes 1,000.
"""

from __future__ import annotations

import base64
import json
import os
import time
from collections import Counter
from collections.abc import Iterator
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


@pytest.fixture(scope="module")
def keystone_of_worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeystoneOfWorlds]:
    keystone = KeystoneOfWorlds(tmp_path_factory.mktemp("worlds"))
    yield keystone
    keystone.stop()


SEEN: Counter[str] = Counter()
"""How many answers there were of which kind, so that a test can tell that none was missed."""


@settings(
    max_examples=WORLDS,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(world=worlds())
def test_bundle_says_what_keystone_says(
    keystone_of_worlds: KeystoneOfWorlds, world: dict[str, Any]
) -> None:
    built = keystone_of_worlds.build(world)
    t = time.monotonic()
    # Later by more than the lag of a replica: what is not there now was deleted.
    with facts_of(keystone_of_worlds.database_url, CONFIGURATION, newer_by=3600) as facts:
        print(SEEN, built["seconds"], time.monotonic() - t, len(built["answers"]), built["ignored"])
        events = read_events(facts)
        for answer in built["answers"]:
            compare(facts, events, answer)


def read_events(facts: SqliteFacts) -> EventIndex:
    """Return the revocation events of a bundle."""
    index = EventIndex(max_events=100_000, retention_seconds=86400)
    rows = facts._connection.execute("SELECT event FROM revocation_events")
    index.add([parse_event(json.loads(event), 0) for (event,) in rows], time.time())
    return index


def compare(facts: SqliteFacts, events: EventIndex, answer: dict[str, Any]) -> None:
    """Compare what the bundle says about one token with Keystone's answer."""
    claims = read_claims(answer["token"])
    expected = answer["body"] if answer["status"] == 200 else None
    try:
        body = judge(facts, events, claims)
    except InvalidToken as refusal:
        assert expected is None, f"refused: {refusal}\n{claims}\n{expected}"
        SEEN[f"refused {claims.get('openstack_methods')}"] += 1
    else:
        assert expected is not None, f"not refused: {answer}\n{claims}\n{body}"
        assert normalize(body) == normalize(expected), claims
        SEEN[kind_of(body)] += 1


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
