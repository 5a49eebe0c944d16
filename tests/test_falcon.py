"""`authmw.falcon`: the error handlers of an app see every refusal."""

from __future__ import annotations

from typing import Any

import falcon
import falcon.asgi
import pytest

import authmw
import authmw.falcon
from authmw.testing import IdentityServer
from tests.support.protected import get


class Items:
    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        token = authmw.current()
        resp.media = {"user": None if token is None else token.user.name}

    @authmw.require(roles="admin")
    def on_post(self, _req: falcon.Request, resp: falcon.Response) -> None:
        resp.media = {}


def make_falcon(*middleware: Any) -> falcon.App[Any, Any]:
    app = falcon.App(middleware=list(middleware))
    app.add_route("/", Items())
    return app


@pytest.fixture
def member(server: IdentityServer) -> str:
    return server.issue("member", project="inventory")


def test_falcon_s_error_handlers_see_every_refusal(server: IdentityServer, member: str) -> None:
    inner = make_falcon()

    def answer(_req: Any, resp: falcon.Response, refused: Any, _params: Any) -> None:
        resp.status = refused.refusal.status_line
        resp.media = {"sorry": refused.refusal.missing}

    inner.add_error_handler(authmw.Refused, answer)
    app = authmw.falcon.protect(inner, **server.service_credentials)
    assert get(app, member).json == {"user": "member"}
    nobody = get(app)
    assert (nobody.status_int, nobody.json) == (401, {"sorry": ""})
    assert nobody.headers.getall("WWW-Authenticate") == [f'Keystone uri="{server.url}"']
    server.stop()
    assert get(app, "gAAAAABunknown").status_int == 503


def test_answer_of_falcon_middleware_to_a_rejected_request_is_not_used(
    server: IdentityServer, member: str
) -> None:
    class Cache:
        def process_request(self, _req: Any, resp: falcon.Response) -> None:
            resp.complete = True
            resp.text = "secret"

    app = authmw.falcon.protect(make_falcon(Cache()), **server.service_credentials)
    assert get(app, member).text == "secret"
    answer = get(app, None, "/", **{"X-Roles": "admin"})
    assert (answer.status_int, "secret" in answer.text) == (401, False)


def test_falcon_app_of_asgi_is_refused() -> None:
    with pytest.raises(TypeError, match="is an ASGI app"):
        authmw.falcon.protect(falcon.asgi.App())
