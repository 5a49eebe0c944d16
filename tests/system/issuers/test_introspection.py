"""Opaque tokens, about which the filter asks their issuer (RFC 7662)."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from oslo_config import cfg
from webtest import TestApp

from authmw import AuthMiddleware
from authmw.build import build_filter_parts
from authmw.errors import ConfigurationError
from authmw.identity.discovery import DiscoveryReader
from authmw.identity.documents import FetchedDocument
from authmw.testing.faults import Fault
from authmw.testing.oidc_server import OidcServer
from tests.support.clock import Clock
from tests.support.issuers.filter import IssuerFilter, issuer_options, protect_by
from tests.support.memcached import Memcached
from tests.support.protected import Service

Protect = Callable[..., IssuerFilter]


@pytest.fixture
def server() -> Iterator[OidcServer]:
    with OidcServer() as running:
        yield running


@pytest.fixture
def protect(server: OidcServer) -> Iterator[Protect]:
    made: list[IssuerFilter] = []

    def make(**options: object) -> IssuerFilter:
        defaults: dict[str, object] = {
            "issuer__a__profile": "introspection",
            "issuer__a__client_id": server.client_id,
            "issuer__a__client_secret": server.client_secret,
            "http_request_max_retries": "0",
        }
        made.append(protect_by(server, **{**defaults, **options}))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_active_token_is_accepted_and_remembered(server: OidcServer, protect: Protect) -> None:
    protected = protect()
    token = server.issue_opaque("ada", roles=["member"], username="Ada")
    assert protected.status_of(token) == protected.status_of(token) == 200
    environ = protected.service.last
    assert environ["HTTP_X_USER_ID"] == "ada"
    assert environ["HTTP_X_USER_NAME"] == "Ada"
    assert environ["HTTP_X_ROLES"] == "member"
    assert server.calls == {"discover": 1, "introspect": 1}


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_client_authenticates_itself(method: str, server: OidcServer, protect: Protect) -> None:
    server.client_secret = "a secret: with /odd %characters+"
    protected = protect(issuer__a__auth_method=method)
    assert protected.status_of(server.issue_opaque("ada")) == 200


def test_token_that_is_not_active_is_refused(
    server: OidcServer, protect: Protect, caplog: pytest.LogCaptureFixture
) -> None:
    protected = protect()
    token = server.issue_opaque("ada")
    server.revoke(token)
    with caplog.at_level(logging.INFO, "authmw"):
        assert protected.status_of(token) == 401
        assert protected.status_of("made-up") == 401
    assert "not_found" in caplog.text
    assert token not in caplog.text


def test_token_for_another_audience_is_refused(server: OidcServer, protect: Protect) -> None:
    token = server.issue_opaque("ada", audience="https://other.example")
    assert protect().status_of(token) == 401


def test_endpoint_may_be_configured(server: OidcServer, protect: Protect) -> None:
    protected = protect(issuer__a__introspection_endpoint=server.introspection_endpoint)
    assert protected.status_of(server.issue_opaque("ada")) == 200
    assert server.calls == {"introspect": 1}


def test_wrong_secret_is_an_outage_that_names_the_options(
    server: OidcServer, protect: Protect, caplog: pytest.LogCaptureFixture
) -> None:
    protected = protect(issuer__a__client_secret="wrong-secret")
    assert protected.get(server.issue_opaque("ada")).status_int == 503
    assert "client_secret" in caplog.text
    assert "wrong-secret" not in caplog.text


FAULTS = [
    *(Fault.RESET, Fault.HALF_BODY, Fault.ERROR_500, Fault.ERROR_503, Fault.HTML),
    *(Fault.NOT_JSON, Fault.ODD_JSON, Fault.REDIRECT, Fault.HTML_404, Fault.FORBIDDEN),
]


@pytest.mark.parametrize("fault", FAULTS)
def test_everything_else_is_an_outage(fault: Fault, server: OidcServer, protect: Protect) -> None:
    protected = protect()
    known, unknown = server.issue_opaque("ada"), server.issue_opaque("ada")
    assert protected.status_of(known) == 200
    with server.failing(fault, "introspect"):
        assert protected.status_of(unknown) == 503
        assert protected.status_of(known) == 200
    deadline = time.monotonic() + 10
    while protected.status_of(unknown) != 200:  # a probe finds out that it is back
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_outage_costs_a_few_requests_only(server: OidcServer, protect: Protect) -> None:
    protected = protect()
    with server.failing(Fault.ERROR_500, "introspect"):
        for _ in range(30):
            assert protected.status_of(server.issue_opaque("ada")) == 503
        time.sleep(0.3)
        before = server.calls["introspect"]
        for _ in range(30):
            assert protected.status_of(server.issue_opaque("ada")) == 503
        assert server.calls["introspect"] <= before + 2


def test_many_requests_with_a_new_token_ask_once(server: OidcServer, protect: Protect) -> None:
    protected = protect()
    token = server.issue_opaque("ada")
    server.delay_seconds = 0.3
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(protected.status_of(token)))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert statuses == [200] * 16
    assert server.calls["introspect"] == 1


@pytest.mark.parametrize("exp", ["an hour", "not said"])
def test_answer_counts_for_its_time_and_in_an_outage_for_its_grace(exp: str, clock: Clock) -> None:
    claims = {"claims": {"exp": None}} if exp == "not said" else {}
    with OidcServer(clock=clock, lifetime_seconds=3600) as server:
        service = Service()
        parts = build_filter_parts(
            {
                "oslo_config_config": cfg.ConfigOpts(),
                "http_request_max_retries": "0",
                "token_cache_time": "60",
                "identity_outage_grace": "120",
                **issuer_options("a", server),
                "issuer.a.profile": "introspection",
                "issuer.a.client_id": server.client_id,
                "issuer.a.client_secret": server.client_secret,
            },
            clock=clock,
        )
        app = TestApp(AuthMiddleware.from_parts(service, parts))

        def status_of(token: str) -> int:
            return int(app.get("/", headers={"X-Auth-Token": token}, status="*").status_int)

        try:
            token = server.issue_opaque("ada", **claims)
            revoked = server.issue_opaque("ada", **claims)
            assert status_of(token) == status_of(revoked) == 200
            server.revoke(revoked)
            clock.now += 59
            assert status_of(token) == status_of(revoked) == 200
            assert server.calls["introspect"] == 2
            for _ in range(3):
                clock.now += 61
                assert status_of(token) == 200
            assert status_of(revoked) == 401
            with server.failing(Fault.ERROR_503, "introspect"):
                clock.now += 61
                assert status_of(token) == 200
                assert status_of(revoked) in (401, 503)
                clock.now += 120
                assert status_of(token) == 503
        finally:
            parts.close()


def test_token_that_the_issuer_stumbles_over_costs_no_other_call(
    server: OidcServer, protect: Protect
) -> None:
    """Else whoever finds such a token has the discovery document read again and again."""
    protected = protect()
    assert protected.status_of(server.issue_opaque("ada")) == 200
    for _ in range(10):
        with server.failing(Fault.ERROR_500, "introspect"):
            protected.status_of("such a token")
        protected.status_of(server.issue_opaque("ada"))
    assert server.calls["discover"] == 1


def test_endpoint_that_has_moved_is_found(clock: Clock) -> None:
    found = []

    def fetch(uri: str, _headers: Mapping[str, str]) -> FetchedDocument:
        found.append(uri)
        endpoint = f"https://login.example/introspect-{len(found)}"
        body = {"issuer": "https://login.example", "introspection_endpoint": endpoint}
        return FetchedDocument(200, {}, json.dumps(body).encode())

    reader = DiscoveryReader("https://login.example", fetch)
    reader.read(clock())
    reader.forget(clock())
    assert reader.read(clock()).introspection_endpoint == "https://login.example/introspect-1"
    clock.now += 61
    reader.forget(clock())
    assert reader.read(clock()).introspection_endpoint == "https://login.example/introspect-2"
    clock.now -= 4000  # set back
    reader.forget(clock())
    assert reader.read(clock()).introspection_endpoint == "https://login.example/introspect-3"


def test_silent_issuer_costs_a_request_no_more_than_the_deadline(
    server: OidcServer, protect: Protect
) -> None:
    protected = protect(identity_deadline="1")
    with server.failing(Fault.HANG, "introspect"):
        began = time.monotonic()
        assert protected.status_of(server.issue_opaque("ada")) == 503
        assert time.monotonic() - began < 3


def test_answers_are_shared_through_memcached(
    server: OidcServer, protect: Protect, empty_memcached: Memcached
) -> None:
    options = {
        "memcached_servers": empty_memcached.address,
        "memcache_security_strategy": "ENCRYPT",
        "memcache_secret_key": "of a test, and long enough for one",
    }
    token = server.issue_opaque("ada", roles=["member"])
    assert protect(**options).status_of(token) == 200
    other = protect(**options)
    assert other.status_of(token) == 200
    assert other.service.last["HTTP_X_ROLES"] == "member"
    assert server.calls["introspect"] == 1
    # Who asks for another audience, or reads other claims, does not share.
    assert protect(**options, issuer__a__audience="https://other.example").status_of(token) == 401
    assert server.calls["introspect"] == 2


def test_issuers_of_one_name_share_no_answers(
    server: OidcServer, protect: Protect, empty_memcached: Memcached
) -> None:
    """Two services may call different issuers "a", and their clients alike."""
    options = {"memcached_servers": empty_memcached.address}
    token = server.issue_opaque("ada")
    assert protect(**options).status_of(token) == 200
    with OidcServer(client_secret=server.client_secret) as other:
        strict = protect_by(
            other,
            issuer__a__profile="introspection",
            issuer__a__client_id=other.client_id,
            issuer__a__client_secret=other.client_secret,
            **options,
        )
        try:
            assert strict.status_of(token) == 401
            assert other.calls["introspect"] == 1
        finally:
            strict.close()


@pytest.mark.parametrize(
    "changes",
    [
        {"expires_at": "ends"},
        {"required_values": "client_id:other-client"},
        {"user_id": "client_id"},
    ],
)
def test_services_that_read_answers_otherwise_share_none(
    changes: dict[str, str], server: OidcServer, protect: Protect, empty_memcached: Memcached
) -> None:
    options = {"memcached_servers": empty_memcached.address}
    token = server.issue_opaque("ada", claims={"ends": 1})
    assert protect(**options).status_of(token) == 200
    reads = {f"issuer__a__{name}": value for name, value in changes.items()}
    protect(**options, **reads).status_of(token)
    assert server.calls["introspect"] == 2


def test_signed_tokens_of_that_issuer_are_asked_about_too(
    server: OidcServer, protect: Protect
) -> None:
    """Keycloak's lightweight tokens are signed, and say nothing."""
    assert protect().status_of(server.issue("ada")) == 401  # this server knows opaque ones alone
    assert server.calls["introspect"] == 1


def test_signed_tokens_are_verified_where_a_section_says_so(
    server: OidcServer, protect: Protect
) -> None:
    protected = protect(
        issuer__signed__issuer=server.issuer, issuer__signed__audience=server.audience
    )
    assert protected.status_of(server.issue("ada")) == 200
    assert protected.status_of(server.issue_opaque("ada")) == 200
    assert server.calls["introspect"] == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"client_id": None}, "client_id is not set"),
        ({"client_secret": None}, "client_secret is not set: client_secret_basic needs it."),
        ({"auth_method": "none"}, "auth_method = 'none'"),
        ({"auth_method": "private_key_jwt"}, "jwt_key_file is not set"),
        ({"auth_method": "client_secret_jwt"}, "jwt_algorithm is not set"),
        (
            {
                "auth_method": "private_key_jwt",
                "jwt_key_file": "/nonexistent",
                "jwt_algorithm": "ES256",
            },
            "jwt_key_file = '/nonexistent': write a PEM file",
        ),
        ({"introspection_endpoint": "http://evil.example/"}, "introspection_endpoint = "),
    ],
)
def test_wrong_options_stop_the_start(
    options: dict[str, object], said: str, protect: Protect
) -> None:
    changed = {f"issuer__a__{name}": value for name, value in options.items()}
    with pytest.raises(ConfigurationError, match="authmw_issuer:a") as refused:
        protect(**changed)
    assert said in str(refused.value)


def test_key_file_is_read_at_start(tmp_path: Path, server: OidcServer, protect: Protect) -> None:
    path = tmp_path / "key.pem"
    key = ec.generate_private_key(ec.SECP256R1())
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    protect(
        issuer__a__auth_method="private_key_jwt",
        issuer__a__jwt_key_file=str(path),
        issuer__a__jwt_algorithm="ES256",
    )
