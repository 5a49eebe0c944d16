"""How often our own user authenticates is bounded, whatever clients send."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from typing import Any

from keystoneauth1.session import Session
from webtest import TestApp

from authmw import AuthMiddleware
from authmw.identity.renewal_limit import Doubt, RenewalLimit
from authmw.testing import IdentityServer
from tests.support.misbehaving import TOKEN_BODY, MisbehavingIdentity, Stage, answer
from tests.support.other_service import run_other_service

REQUESTS = 50


def test_token_that_another_service_refuses_renews_ours_once(server: IdentityServer) -> None:
    with run_other_service() as other:
        session = Session()

        def service(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            session.get(other.url, auth=environ["keystone.token_auth"], raise_exc=False)
            start_response("200 OK", [])
            return [b""]

        protected = AuthMiddleware(service, server.service_credentials)
        client = TestApp(protected)
        token = server.issue("member", project="inventory")
        headers = {"X-Auth-Token": token}
        client.get("/", headers=headers)
        before = server.calls["issue"]
        other.statuses = [401] * (2 * REQUESTS)
        for _ in range(REQUESTS):
            client.get("/", headers=headers)
        protected.close()
    assert server.calls["issue"] - before == 1


def test_unknown_tokens_behind_a_proxy_that_replaces_404_renew_ours_once() -> None:
    def service(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [b""]

    with MisbehavingIdentity().served() as identity:

        def validate(client: socket.socket) -> None:
            is_unknown = identity.last(Stage.VALIDATION).headers["x-subject-token"].startswith("un")
            page = answer(404, b"<html>no</html>", content_type="text/html")
            (page if is_unknown else answer(200, {"token": TOKEN_BODY}))(client)

        identity.behaviours = {Stage.VALIDATION: validate}
        protected = AuthMiddleware(
            service,
            {
                "auth_type": "password",
                "auth_url": f"{identity.url}/v3",
                "username": "nova",
                "password": "x",
                "user_domain_id": "default",
                "http_request_max_retries": "0",
                "www_authenticate_uri": "http://id.example",
            },
        )
        client = TestApp(protected)
        for number in range(REQUESTS):
            headers = {"X-Auth-Token": f"unknown-{number}"}
            assert client.get("/", headers=headers, status="*").status_int == 503
            headers = {"X-Auth-Token": f"known-{number}"}
            assert client.get("/", headers=headers, status="*").status_int == 200
        protected.close()
        assert identity.count(Stage.AUTHENTICATION) == 2


def test_each_doubt_has_its_own_pause() -> None:
    now = [100.0]
    limit = RenewalLimit(clock=lambda: now[0])
    for doubt in Doubt:
        assert [limit.allows(doubt) for _ in range(3)] == [True, False, False]
    for doubt in Doubt:
        now[0] = 100.0 + doubt.value - 0.1
        assert not limit.allows(doubt)
        now[0] = 100.0 + doubt.value
        assert limit.allows(doubt)
