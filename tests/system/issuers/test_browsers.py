"""OAuth clients in a browser read of an answer what CORS exposes to them (Fetch, §3.2.3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import flask
import flask_cors
import pytest
from oslo_config import cfg
from webtest import TestApp

import authmw
from authmw.testing.oidc_server import OidcServer
from tests.support.issuers.filter import issuer_options

PAGE = "https://app.example.org"


@pytest.fixture(scope="module")
def server() -> Iterator[OidcServer]:
    with OidcServer() as running:
        yield running


def protect(server: OidcServer, app: Any, **options: str) -> TestApp:
    conf = {"oslo_config_config": cfg.ConfigOpts(), **issuer_options("a", server), **options}
    return TestApp(authmw.filter_factory({}, **conf)(app))


def make_app(origins: list[str]) -> flask.Flask:
    app = flask.Flask("inventory")

    @app.get("/")
    @authmw.require(oauth_scope="inventory.write")
    def add_item() -> str:
        return ""

    if origins:
        flask_cors.CORS(app, origins=origins, expose_headers=["X-Total"])
    return app


def exposed_by(answer: Any) -> set[str]:
    """Return what a page may read: fields may stand in several headers, in any case."""
    fields = ",".join(answer.headers.getall("Access-Control-Expose-Headers"))
    return {name.strip().lower() for name in fields.split(",") if name.strip()}


def ask(app: TestApp, token: str | None, origin: str = PAGE) -> Any:
    more = {} if token is None else {"Authorization": f"Bearer {token}"}
    return app.get("/", headers={"Origin": origin, **more}, status="*")


def test_answers_of_ours_expose_the_nonce_where_there_is_one(server: OidcServer) -> None:
    app = protect(server, make_app([]), cors_allowed_origins=PAGE, dpop_nonce_secret="s" * 32)
    for token, status in ((None, 401), ("bad", 401), (server.issue("ada"), 403)):
        answer = ask(app, token)
        assert answer.status_int == status
        assert {"www-authenticate", "retry-after", "dpop-nonce"} == exposed_by(answer)
    plain = protect(server, make_app([]), cors_allowed_origins=PAGE)
    assert exposed_by(ask(plain, None)) == {"www-authenticate", "retry-after"}


def test_challenges_in_answers_of_an_app_are_exposed_where_the_app_does_cors(
    server: OidcServer,
) -> None:
    app = protect(server, make_app([PAGE]), delay_auth_decision="true", dpop_nonce_secret="s" * 32)
    refused, forbidden = ask(app, None), ask(app, server.issue("ada"))
    assert (refused.status_int, forbidden.status_int) == (401, 403)
    assert exposed_by(refused) == {"x-total", "www-authenticate", "dpop-nonce"}
    assert exposed_by(forbidden) == {"x-total", "www-authenticate"}
    for answer in (refused, forbidden):
        assert answer.headers.getall("Access-Control-Allow-Origin") == [PAGE]


def test_nothing_is_exposed_to_pages_that_the_app_does_not_allow(server: OidcServer) -> None:
    app = protect(server, make_app([PAGE]), delay_auth_decision="true")
    assert exposed_by(ask(app, None, "https://evil.example.org")) == set()
    assert exposed_by(ask(protect(server, make_app([]), delay_auth_decision="true"), None)) == set()


def test_answers_that_have_no_challenge_stay_as_they_are(server: OidcServer) -> None:
    app = protect(server, make_app([PAGE]), delay_auth_decision="true")
    answer = ask(app, server.issue("ada", scope="inventory.write"))
    assert answer.status_int == 200
    assert exposed_by(answer) == {"x-total"}
