"""Whatever is sent as a signed token is accepted or refused, and few keys are tried."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oslo_config import cfg

from authmw.build.offline import make_verifier
from authmw.config.loading import load_settings
from authmw.errors import InvalidToken
from authmw.jose.key_set import KeySet
from authmw.testing import IdentityServer
from tests.support.clock import Clock
from tests.support.doors import AsgiDoor
from tests.support.embedded_identity import make_filter
from tests.support.filters import Filter
from tests.support.signing import MAKERS, Counter, HeldKeys, public_key, public_pem, sign

MAX_KEYS = 3
ALGORITHMS = ",".join(MAKERS)
RULES = load_settings(
    {
        "oslo_config_config": cfg.ConfigOpts(),
        "jws_public_key_repository": "not read here",
        "jws_max_keys": str(MAX_KEYS),
        "jws_accepted_algorithms": ALGORITHMS,
    }
)


class Kept(logging.Handler):
    """Keeps what is logged."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@dataclasses.dataclass
class Target:
    """A filter, two good tokens of different users, and the same verification counted."""

    protected: Filter
    good: str
    other: str
    errors: list[logging.LogRecord]
    """What was logged as an error: a fault of ours is answered with 503 and logged so."""

    def ask_by_asgi(self, token: str) -> int:
        """Send the same token to the other door of the filter, if a header can have it."""
        statuses: list[int] = []

        def app(_environ: Any, start_response: Any) -> list[bytes]:
            start_response("200 OK", [])
            return []

        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/v1/items", "HTTP_X_AUTH_TOKEN": token}
        AsgiDoor(app, self.protected._parts)(
            environ, lambda status, _headers: statuses.append(int(status[:3]))
        )
        return statuses[0]

    def send(self, token: str) -> int:
        status = self.protected.ask(token).status
        assert self.ask_by_asgi(token) == status
        assert self.errors == []
        counter = Counter()
        keys = [counter.watch(public_key(name, number)) for name in MAKERS for number in range(2)]
        by = make_verifier(RULES, HeldKeys(KeySet(keys * MAX_KEYS)))
        with contextlib.suppress(InvalidToken):
            by.verify(token, self.protected.clock())
        assert len(counter.tried) <= MAX_KEYS
        return status


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with IdentityServer() as server:
        keys = tmp_path_factory.mktemp("hostile") / "keys"
        keys.mkdir()
        for name in MAKERS:
            (keys / f"{name}.pem").write_bytes(public_pem(name))
        protected = make_filter(
            server,
            keys,
            Clock(),
            jws_max_keys=str(MAX_KEYS),
            jws_accepted_algorithms=ALGORITHMS,
            authority_cache_time="3600",
        )
        good, other = (server.issue_jws(user, project="inventory") for user in ("member", "reader"))
        assert [protected.ask(token).status for token in (good, other)] == [200, 200]
        kept = Kept(logging.ERROR)
        logging.getLogger("authmw").addHandler(kept)
        yield Target(protected, good, other, kept.records)
        logging.getLogger("authmw").removeHandler(kept)


hostile = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
# What a server can put into the environ: one character for each octet of the header.
characters = st.characters(max_codepoint=255)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | st.text(st.characters(codec=None), max_size=20)
    | st.sampled_from(["ES256", "JWT", "none", "HS256", "all", "trust", "\r\nX-Roles: admin"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
claim_names = st.sampled_from(
    [
        *("sub", "iat", "exp", "nbf", "aud", "iss", "jti", "cnf", "unknown"),
        *("openstack_methods", "openstack_audit_ids", "openstack_project_id"),
        *("openstack_domain_id", "openstack_system", "openstack_trust_id"),
        *("openstack_app_cred_id", "openstack_group_ids", "openstack_thumbprint"),
    ]
)


def encode(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


@hostile
@given(st.text(characters, max_size=300) | st.text("AZaz09-_.=+/ eyJ", max_size=300))
def test_any_text_with_a_dot_is_refused(target: Target, text: str) -> None:
    assert target.send(f"{text[: len(text) // 2]}.{text[len(text) // 2 :]}") == 401


@hostile
@given(st.data())
def test_a_good_token_with_anything_changed_is_refused(target: Target, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(target.good) - 1))
    length = data.draw(st.integers(0, 3))
    put = data.draw(st.text(characters, max_size=3))
    changed = target.good[:position] + put + target.good[position + length :]
    # White space around a token is not part of it.
    assert target.send(changed) == (200 if changed.strip() == target.good else 401)


@hostile
@given(st.lists(st.integers(0, 5), max_size=6))
def test_segments_of_two_good_tokens_make_no_third(target: Target, order: list[int]) -> None:
    segments = [*target.good.split("."), *target.other.split(".")]
    made = ".".join(segments[number] for number in order)
    same = [segment for segment in (target.good, target.other) if segment == made]
    header_is_shared = made.replace(segments[3], segments[0]) in (target.good, target.other)
    assert target.send(made) == (200 if same or header_is_shared else 401)


@hostile
@given(st.dictionaries(st.sampled_from(["alg", "typ", "kid", "crit", "b64", "jwk"]), json_values))
def test_any_header_over_good_claims_is_refused(target: Target, header: dict[str, Any]) -> None:
    _, payload, signature = target.good.split(".")
    made = f"{encode(json.dumps(header).encode())}.{payload}.{signature}"
    assert target.send(made) == (200 if made == target.good else 401)


@hostile
@given(st.sampled_from(list(MAKERS)), st.binary(max_size=140))
def test_any_signature_is_refused(target: Target, algorithm: str, signature: bytes) -> None:
    header = encode(json.dumps({"alg": algorithm}).encode())
    assert target.send(f"{header}.{target.good.split('.')[1]}.{encode(signature)}") == 401


@hostile
@given(st.dictionaries(claim_names | st.text(max_size=8), json_values, max_size=4))
def test_any_claims_that_a_key_of_ours_signed_end_in_a_verdict(
    target: Target, changes: dict[str, Any]
) -> None:
    payload = json.loads(base64.urlsafe_b64decode(target.good.split(".")[1] + "=="))
    token = sign(json.dumps({**payload, **changes}).encode())
    # 200 only for who is known already: changed times and audit ids are another token of his.
    changed = changes.keys() - {"iat", "exp", "nbf", "jti", "openstack_audit_ids"}
    same = all(payload.get(name) == changes[name] for name in changed)
    assert target.send(token) in ((200, 401) if same else (401, 503))


@hostile
@given(st.binary(max_size=200))
def test_any_payload_that_a_key_of_ours_signed_is_refused(target: Target, octets: bytes) -> None:
    assert target.send(sign(octets)) == 401


def test_deep_long_and_numerous_things_are_refused(target: Target) -> None:
    for claims in (
        b'{"a":' + b"[" * 3000 + b"]" * 3000 + b"}",
        b'{"iat":' + b"9" * 5000 + b"}",
        b"{" + b",".join(b'"%d":1' % number for number in range(500)) + b"}",
    ):
        assert target.send(sign(claims)) == 401
    assert target.send("." * 7999) == 401
    assert target.send(target.good + "." * 8000) == 401
