"""A hostile or broken issuer among others: it hurts its own tokens, and nobody else's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from authmw.testing.faults import Fault
from authmw.testing.oidc_server import OidcServer
from authmw.testing.signing_key import SigningKey
from tests.support.issuers.filter import IssuerFilter, protect_by


@pytest.fixture
def good() -> Iterator[OidcServer]:
    with OidcServer() as running:
        yield running


@pytest.fixture
def evil() -> Iterator[OidcServer]:
    with OidcServer() as running:
        yield running


@pytest.fixture
def protected(good: OidcServer, evil: OidcServer) -> Iterator[IssuerFilter]:
    made = protect_by(good, evil, http_request_max_retries="0", identity_deadline="2")
    yield made
    made.close()


def forge(victim: OidcServer, key: SigningKey, **header: object) -> str:
    """Return a token that says it is of one issuer, signed with a key of somebody else."""
    genuine = victim.issue("admin", roles=["admin"])
    claims = dict(_claims_of(genuine))
    return key.sign(claims, **{"typ": "at+jwt", "kid": key.kid, **header})


def _claims_of(token: str) -> dict[str, object]:
    import base64
    import json

    payload = token.split(".")[1]
    claims: dict[str, object] = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return claims


def test_no_key_of_one_verifies_a_token_of_the_other(
    good: OidcServer, evil: OidcServer, protected: IssuerFilter
) -> None:
    assert protected.status_of(good.issue("ada")) == protected.status_of(evil.issue("eve")) == 200
    assert protected.status_of(forge(good, evil.keys[-1])) == 401
    assert protected.status_of(forge(good, evil.keys[-1], kid=good.keys[-1].kid)) == 401
    assert protected.status_of(forge(evil, good.keys[-1])) == 401


def test_issuer_that_publishes_the_others_key_gains_nothing(
    good: OidcServer, evil: OidcServer, protected: IssuerFilter
) -> None:
    token = good.issue("ada")
    assert protected.status_of(token) == 200
    evil.keys.append(good.keys[-1])
    # When the other withdraws that key, its tokens in memory end, whoever still publishes it.
    assert protected.status_of(forge(evil, good.keys[-1])) == 200
    good.rotate_key(forget_older=True)
    assert protected.status_of(good.issue("ada")) == 200  # reads the keys again
    assert protected.status_of(token) == 401


@pytest.mark.parametrize("call", ["discover", "keys"])
@pytest.mark.parametrize(
    "fault", [Fault.HANG, Fault.RESET, Fault.ERROR_500, Fault.HTML, Fault.ODD_JSON, Fault.REDIRECT]
)
def test_issuer_that_does_not_answer_properly_is_an_outage_of_its_own(
    fault: Fault, call: str, good: OidcServer, evil: OidcServer, protected: IssuerFilter
) -> None:
    with evil.failing(fault, call):  # type: ignore[arg-type]
        began = time.monotonic()
        assert protected.status_of(evil.issue("eve")) == 503
        assert protected.status_of(good.issue("ada")) == 200
        assert time.monotonic() - began < 4
        began = time.monotonic()
        for _ in range(20):
            assert protected.status_of(evil.issue("eve")) == 503
            assert protected.status_of(good.issue("ada")) == 200
        assert time.monotonic() - began < 3


@pytest.mark.parametrize("said", ["https://accounts.google.com", "", "{}/", "{}#"])
def test_discovery_document_of_another_issuer_is_not_used(
    said: str, good: OidcServer, evil: OidcServer, protected: IssuerFilter
) -> None:
    evil.claimed_issuer = said.format(evil.issuer)
    if not said:
        evil.claimed_issuer = good.issuer
    assert protected.status_of(evil.issue("eve")) == 503
    assert evil.calls["keys"] == good.calls["keys"] == 0


def test_keys_of_another_issuer_in_the_discovery_document_verify_no_token_of_that_one(
    good: OidcServer, evil: OidcServer, protected: IssuerFilter
) -> None:
    evil.foreign_jwks_uri = good.jwks_uri
    assert protected.status_of(evil.issue("eve")) == 401
    assert protected.status_of(good.issue("ada")) == 200


def test_huge_jwk_set_is_refused_and_costs_others_little(
    good: OidcServer, evil: OidcServer, protected: IssuerFilter
) -> None:
    evil.surplus_keys = 30_000
    assert protected.status_of(good.issue("ada")) == 200
    assert protected.status_of(evil.issue("eve")) == 503
    worst = _worst_seconds(lambda: protected.status_of(good.issue("ada")), 20)
    assert worst < 1


def test_flood_of_unknown_kids_reads_the_keys_of_its_issuer_once(
    good: OidcServer, evil: OidcServer, protected: IssuerFilter
) -> None:
    assert protected.status_of(good.issue("ada")) == protected.status_of(evil.issue("eve")) == 200
    flood = SigningKey.generate("flood")
    for n in range(50):
        assert protected.status_of(forge(evil, flood, kid=f"made-up-{n}")) == 401
    assert evil.calls["keys"] == 2
    assert good.calls["keys"] == 1
    # The good one's new key is found at once, as nobody has used up its early reading.
    good.rotate_key()
    assert protected.status_of(good.issue("ada")) == 200


def test_flood_while_the_issuer_is_silent_holds_no_request_for_long(
    good: OidcServer, evil: OidcServer, protected: IssuerFilter
) -> None:
    assert protected.status_of(good.issue("ada")) == protected.status_of(evil.issue("eve")) == 200
    flood = SigningKey.generate("flood")
    with evil.failing(Fault.HANG, "keys"):
        attackers = [
            threading.Thread(
                target=protected.status_of, args=(forge(evil, flood, kid=f"made-up-{n}"),)
            )
            for n in range(16)
        ]
        for thread in attackers:
            thread.start()
        worst = _worst_seconds(lambda: protected.status_of(good.issue("ada")), 20)
        for thread in attackers:
            thread.join(5)
    assert worst < 1


def test_issuers_that_nobody_uses_are_never_asked_and_need_no_threads(good: OidcServer) -> None:
    others = {}
    for n in range(100):
        others[f"issuer__other{n}__issuer"] = f"https://other{n}.invalid"
        others[f"issuer__other{n}__audience"] = good.audience
    protected = protect_by(good, **others)
    try:
        before = {thread.name for thread in threading.enumerate()}
        assert protected.status_of(good.issue("ada")) == 200
        ours = {thread.name for thread in threading.enumerate()} - before
        assert len([name for name in ours if name.startswith("authmw-")]) <= 2, ours
    finally:
        protected.close()


def _worst_seconds(ask: Callable[[], int], times: int) -> float:
    worst = 0.0
    for _ in range(times):
        began = time.monotonic()
        assert ask() == 200
        worst = max(worst, time.monotonic() - began)
    return worst
