"""Keystone is frozen: it accepts connections and answers nobody."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest

from authmw.testing.issuer import Issuer
from tests.support.clock import Clock
from tests.system.keystone.bearers import BEARERS, Bearers
from tests.system.keystone.conftest import MakeFilter

FRESH_SECONDS = 60
GRACE_SECONDS = 300
IMPATIENT = {
    "authority_cache_time": str(FRESH_SECONDS),
    "identity_outage_grace": str(GRACE_SECONDS),
    "identity_deadline": "1",
    "http_connect_timeout": "1",
    "http_request_max_retries": "0",
}
SEEN = ("project", "domain", "system", "unscoped", "trust-impersonating", "credential-with-rules")


def forge(token: str, **claims: str) -> str:
    header, payload, signature = token.split(".")
    changed = json.loads(base64.urlsafe_b64decode(payload + "==")) | claims
    text = base64.urlsafe_b64encode(json.dumps(changed).encode()).rstrip(b"=").decode()
    return f"{header}.{text}.{signature}"


@pytest.mark.parametrize("mode", ["auto", pytest.param("offline", marks=pytest.mark.slow)])
def test_new_tokens_of_known_bearers_are_accepted_for_the_grace_and_nothing_forged_ever(
    make_filter: MakeFilter,
    bearers: Bearers,
    clock: Clock,
    frozen: Callable[[], None],
    mode: str,
) -> None:
    protected = make_filter(token_validation=mode, **IMPATIENT)
    issues = {kind: BEARERS[kind](bearers) for kind in SEEN}
    tokens = {kind: [issue() for _ in range(3)] for kind, issue in issues.items()}
    stranger = bearers.api.issue(bearers.make_member()).id
    admin = bearers.api.admin.id
    foreign = Issuer().sign({"sub": admin, "iat": 1, "exp": 4102444800})
    told = {kind: protected.ask(tokens[kind][0]) for kind in SEEN}
    assert [one.status for one in told.values()] == [200] * len(SEEN)

    frozen()
    for number, pause_seconds in ((1, FRESH_SECONDS + 1), (2, GRACE_SECONDS - 10)):
        clock.advance(pause_seconds)
        for kind in SEEN:
            now_told = protected.ask(tokens[kind][number])
            assert (now_told.status, now_told.headers) == (200, told[kind].headers), kind
            assert protected.ask(tokens[kind][0]).headers == told[kind].headers
            assert protected.ask(forge(tokens[kind][number], sub=admin)).status == 401
        assert protected.ask(foreign).status == 401
        assert protected.ask(stranger).status == 503

    clock.advance(10)
    for kind in SEEN:
        assert [protected.ask(token).status for token in tokens[kind]] == [503] * 3, kind
    assert protected.ask(forge(tokens["project"][0], sub=admin)).status == 401


def test_when_keystone_answers_again_so_does_the_filter(
    make_filter: MakeFilter, bearers: Bearers, clock: Clock
) -> None:
    protected = make_filter(**IMPATIENT)
    process = bearers.on_project()
    token, other = process(), process()
    stranger = bearers.api.issue(bearers.make_member()).id
    assert protected.ask(token).status == 200
    keystone = bearers.keystone.jws
    keystone.suspend()
    try:
        clock.advance(FRESH_SECONDS + GRACE_SECONDS + 1)
        assert [protected.ask(one).status for one in (token, other, stranger)] == [503] * 3
    finally:
        keystone.resume()
    clock.advance(30)  # past any pause of the circuit breaker
    assert [protected.ask(one).status for one in (token, other, stranger)] == [200] * 3
