"""Tokens that are bound to a key, or a certificate, of their client (RFC 9449, RFC 8705)."""

from __future__ import annotations

import base64
import hashlib
import logging
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from oslo_config import cfg
from webtest import TestApp

import authmw
from authmw.build import build_filter_parts
from authmw.testing.dpop import DpopClient
from authmw.testing.oidc_server import OidcServer
from tests.support.certificates import Authority
from tests.support.clock import Clock
from tests.support.issuers.filter import IssuerFilter, issuer_options, protect_by
from tests.support.memcached import Memcached
from tests.support.protected import Service

pytestmark = pytest.mark.both_doors

URL = "https://inventory.example/items"
CLIENT = DpopClient()


@pytest.fixture
def server() -> Iterator[OidcServer]:
    with OidcServer() as running:
        yield running


@pytest.fixture
def protected(server: OidcServer, door: str) -> Iterator[IssuerFilter]:
    made = protect_by(server, door=door)
    yield made
    made.close()


@pytest.fixture
def bound(server: OidcServer) -> str:
    return server.issue("ada", key_thumbprint=CLIENT.thumbprint)


def send(
    protected: IssuerFilter, headers: dict[str, str], path: str = "/items", **more: Any
) -> Any:
    return protected.app.get(path, headers=headers, status="*", **more)


def errors_of(answer: Any) -> str:
    return " ".join(answer.headers.getall("WWW-Authenticate"))


def test_each_request_needs_a_proof_of_its_own(protected: IssuerFilter, bound: str) -> None:
    for _ in range(3):
        assert send(protected, CLIENT.authorize(bound, "GET", URL)).status_int == 200
    assert protected.service.last["authmw.token"].oauth.key_thumbprint == CLIENT.thumbprint
    assert protected.service.last["HTTP_X_USER_ID"] == "ada"


def test_query_is_not_in_the_proof(protected: IssuerFilter, bound: str) -> None:
    answer = send(protected, CLIENT.authorize(bound, "GET", URL), "/items?page=2")
    assert answer.status_int == 200


def test_proof_passes_once(protected: IssuerFilter, bound: str) -> None:
    headers = CLIENT.authorize(bound, "GET", URL)
    assert send(protected, headers).status_int == 200
    again = send(protected, headers)
    assert again.status_int == 401
    assert 'DPoP error="invalid_dpop_proof"' in errors_of(again)


def test_bound_token_is_no_bearer_token(
    protected: IssuerFilter, bound: str, caplog: pytest.LogCaptureFixture
) -> None:
    """RFC 9449 §7.2."""
    proof = CLIENT.prove(bound, "GET", URL)
    with caplog.at_level(logging.INFO, "authmw"):
        for headers in (
            {"Authorization": f"Bearer {bound}"},
            {"Authorization": f"DPoP {bound}"},
            {"Authorization": f"Bearer {bound}", "DPoP": proof},
            {"X-Auth-Token": bound},
        ):
            answer = send(protected, headers)
            assert answer.status_int == 401
            assert 'error="invalid_token"' in errors_of(answer)
    assert "wrong_binding" in caplog.text
    assert bound not in caplog.text
    assert proof not in caplog.text


def test_proof_goes_with_x_auth_token_as_well(protected: IssuerFilter, bound: str) -> None:
    proof = CLIENT.prove(bound, "GET", URL)
    assert send(protected, {"X-Auth-Token": bound, "DPoP": proof}).status_int == 200


def test_scheme_is_not_case_sensitive(protected: IssuerFilter, bound: str) -> None:
    headers = CLIENT.authorize(bound, "GET", URL)
    headers["Authorization"] = headers["Authorization"].replace("DPoP", "dpop")
    assert send(protected, headers).status_int == 200


def test_unbound_token_with_a_proof_is_refused(protected: IssuerFilter, server: OidcServer) -> None:
    token = server.issue("ada")
    assert send(protected, CLIENT.authorize(token, "GET", URL)).status_int == 401
    assert send(protected, {"Authorization": f"DPoP {token}"}).status_int == 401
    assert send(protected, {"Authorization": f"Bearer {token}"}).status_int == 200


def test_remembered_token_is_judged_like_a_new_one(server: OidcServer) -> None:
    protected = protect_by(server, accept_bearer="false")
    token = server.issue("ada")
    headers = {"X-Auth-Token": token, "DPoP": CLIENT.prove(token, "GET", URL)}
    assert send(protected, headers).status_int == 401
    assert send(protected, {"X-Auth-Token": token}).status_int == 200
    assert send(protected, headers).status_int == 401
    protected.close()


def test_proof_of_another_key_is_refused(protected: IssuerFilter, bound: str) -> None:
    answer = send(protected, DpopClient().authorize(bound, "GET", URL))
    assert answer.status_int == 401
    assert "invalid_dpop_proof" in errors_of(answer)


@pytest.mark.parametrize(
    "changes",
    [
        {"htm": "POST"},
        {"htu": "https://evil.example/items"},
        {"htu": "https://inventory.example/other"},
        {"ath": "x"},
        {"iat": 0},
        {"jti": None},
    ],
)
def test_proof_of_another_request_is_refused(
    changes: dict[str, Any], protected: IssuerFilter, bound: str
) -> None:
    answer = send(protected, CLIENT.authorize(bound, "GET", URL, **changes))
    assert answer.status_int == 401
    assert "invalid_dpop_proof" in errors_of(answer)


def test_host_header_is_not_believed(protected: IssuerFilter, bound: str) -> None:
    headers = CLIENT.authorize(bound, "GET", "https://evil.example/items")
    forged = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    assert send(protected, {**headers, **forged}).status_int == 401
    good = CLIENT.authorize(bound, "GET", URL)
    assert send(protected, {**good, **forged}).status_int == 200


def test_known_token_still_needs_a_proof(protected: IssuerFilter, bound: str) -> None:
    assert send(protected, CLIENT.authorize(bound, "GET", URL)).status_int == 200
    assert send(protected, {"X-Auth-Token": bound}).status_int == 401


def test_path_before_the_app_is_that_of_the_public_endpoint(server: OidcServer, bound: str) -> None:
    protected = protect_by(server, public_endpoint="https://gateway.example/inventory/")
    url = "https://gateway.example/inventory/items"
    assert send(protected, CLIENT.authorize(bound, "GET", url)).status_int == 200
    assert send(protected, CLIENT.authorize(bound, "GET", URL)).status_int == 401
    protected.close()


def test_without_a_url_of_our_own_no_proof_can_be_checked(
    server: OidcServer, bound: str, caplog: pytest.LogCaptureFixture
) -> None:
    server.audience = "inventory"
    protected = protect_by(server)
    token = server.issue("ada", key_thumbprint=CLIENT.thumbprint)
    with caplog.at_level(logging.INFO, "authmw"):
        assert send(protected, CLIENT.authorize(token, "GET", URL)).status_int == 401
    assert "set [keystone_authtoken] oauth_resource" in caplog.text
    protected.close()


def test_nonce_is_given_and_asked_for(server: OidcServer, bound: str) -> None:
    protected = protect_by(server, dpop_nonce_secret="s" * 32)
    without = send(protected, CLIENT.authorize(bound, "GET", URL))
    assert without.status_int == 401
    assert 'DPoP error="use_dpop_nonce"' in errors_of(without)
    nonce = without.headers["DPoP-Nonce"]
    assert send(protected, CLIENT.authorize(bound, "GET", URL, nonce=nonce)).status_int == 200
    assert send(protected, CLIENT.authorize(bound, "GET", URL, nonce="old")).status_int == 401
    protected.close()


def test_two_filters_in_a_row_accept_one_proof(server: OidcServer, bound: str) -> None:
    protected = protect_by(server)
    inner = protect_by(server)
    inner.middleware._app = protected.middleware._app
    protected.middleware._app = inner.middleware
    headers = CLIENT.authorize(bound, "GET", URL)
    assert send(protected, headers).status_int == 200
    assert send(protected, headers).status_int == 401
    protected.close()
    inner.close()


def test_proof_that_grew_old_while_its_token_was_validated_is_refused(
    server: OidcServer, clock: Clock
) -> None:
    """It is judged when it is used: by then its replay may be forgotten."""
    client = DpopClient(clock=clock)
    token = server.issue("ada", key_thumbprint=client.thumbprint)
    options = {"oslo_config_config": cfg.ConfigOpts(), **issuer_options("a", server)}
    parts = build_filter_parts(options, clock=clock)
    app = TestApp(authmw.AuthMiddleware.from_parts(Service(), parts))

    def pass_slowly() -> float:
        clock.advance(40)
        return clock()

    headers = client.authorize(token, "GET", URL)
    server.clock = pass_slowly  # looked at for each answer, so that reading the keys takes long
    assert app.get("/items", headers=headers, status="*").status_int == 401
    assert app.get("/items", headers=client.authorize(token, "GET", URL)).status_int == 200
    parts.close()


def test_old_proof_is_refused_though_nobody_remembers_it(server: OidcServer, bound: str) -> None:
    protected = protect_by(server, dpop_proof_lifetime=30)
    headers = CLIENT.authorize(bound, "GET", URL, iat=int(time.time()) - 36)
    assert send(protected, headers).status_int == 401
    protected.close()


def test_certificate_bound_token_needs_its_certificate(
    tmp_path: Path, server: OidcServer, protected: IssuerFilter
) -> None:
    """RFC 8705 §3, by the check that Keystone's own tokens pass."""
    pem = Authority(tmp_path, "client").cafile.read_text()
    other = Authority(tmp_path, "other").cafile.read_text()
    thumbprint = hash_certificate(ssl.PEM_cert_to_DER_cert(pem))
    token = server.issue("ada", thumbprint=thumbprint)
    headers = {"Authorization": f"Bearer {token}"}
    assert send(protected, headers).status_int == 401
    for presented, status in ((pem, 200), (other, 401)):
        environ = {"SSL_CLIENT_CERT": presented}
        assert send(protected, headers, extra_environ=environ).status_int == status
    forged = {**headers, "SSL-Client-Cert": pem.replace("\n", " ")}
    assert send(protected, forged).status_int == 401


def hash_certificate(encoded: bytes) -> str:
    """RFC 8705 §3.1."""
    return base64.urlsafe_b64encode(hashlib.sha256(encoded).digest()).rstrip(b"=").decode()


def test_every_token_must_be_bound_to_a_key_where_that_is_required(
    server: OidcServer, bound: str
) -> None:
    protected = protect_by(server, enforce_token_bind="jkt")
    assert send(protected, {"Authorization": f"Bearer {server.issue('ada')}"}).status_int == 401
    assert send(protected, CLIENT.authorize(bound, "GET", URL)).status_int == 200
    protected.close()


def test_no_policy_lets_a_bound_token_pass_without_a_proof(server: OidcServer, bound: str) -> None:
    protected = protect_by(server, enforce_token_bind="disabled")
    assert send(protected, {"Authorization": f"DPoP {bound}"}).status_int == 401
    assert send(protected, CLIENT.authorize(bound, "GET", URL)).status_int == 200
    protected.close()


@pytest.mark.parametrize("is_shared", [False, True])
def test_opaque_token_may_be_bound_as_well(
    *, is_shared: bool, server: OidcServer, memcached: Memcached
) -> None:
    """Its issuer says so; a cache that processes share keeps what it said."""
    options = {
        "issuer__a__profile": "introspection",
        "issuer__a__client_id": server.client_id,
        "issuer__a__client_secret": server.client_secret,
        **({"memcached_servers": memcached.address} if is_shared else {}),
    }
    token = server.issue_opaque("ada", key_thumbprint=CLIENT.thumbprint, scope="a")
    for _ in range(2):
        protected = protect_by(server, **options)
        assert send(protected, {"Authorization": f"Bearer {token}"}).status_int == 401
        headers = CLIENT.authorize(token, "GET", URL)
        assert send(protected, headers).status_int == 200
        assert protected.service.last["authmw.token"].oauth_scope == {"a"}
        assert protected.service.last["authmw.token"].claims["sub"] == "ada"
        assert send(protected, headers).status_int == 401
        protected.close()
    assert server.calls["introspect"] == (1 if is_shared else 2)


def test_proof_passes_once_among_all_processes(
    server: OidcServer, bound: str, memcached: Memcached
) -> None:
    here = protect_by(server, memcached_servers=memcached.address)
    there = protect_by(server, memcached_servers=memcached.address)
    headers = CLIENT.authorize(bound, "GET", URL)
    assert [send(one, headers).status_int for one in (here, there)] == [200, 401]
    here.close()
    there.close()
