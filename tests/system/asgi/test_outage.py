"""An app that decides by itself, in an outage: what can't be decided is 503, at ASGI's door too."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, WebSocket
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import WebSocketRoute

import authmw
import authmw.asgi
from authmw.testing import Cloud
from tests.system.asgi.conftest import Answer, connect, get, read
from tests.system.asgi.test_frameworks import DENIAL, PLACES, caller, make_websockets


@pytest.fixture
def headers(cloud: Cloud) -> Iterator[dict[str, str]]:
    """A valid token, while Keystone is out of reach."""
    token = cloud.personas.project_admin().headers
    with cloud.outage():
        yield token


def expect_503(answer: Answer) -> None:
    assert (answer.status, answer.json["error"]["code"]) == (503, 503)
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["content-type"] == "application/json"
    assert "www-authenticate" not in answer.headers


@pytest.mark.parametrize("place", PLACES)
def test_a_token_that_nobody_could_validate_gets_503(
    cloud: Cloud, headers: dict[str, str], place: str
) -> None:
    make, path = PLACES[place]
    app = cloud.protect(make(), delay_auth_decision="true")
    expect_503(get(app, path, headers))
    assert get(app, path).status == 401


def test_current_token_is_503_and_current_is_none(cloud: Cloud, headers: dict[str, str]) -> None:
    app = FastAPI()

    @app.get("/any")
    async def any_token(token: Annotated[authmw.Token, Depends(authmw.current_token)]) -> None: ...

    @app.get("/none")
    async def none() -> str:
        return caller()

    protected = cloud.protect(app, delay_auth_decision="true")
    expect_503(get(protected, "/any", headers))
    assert get(protected, "/none", headers).json == "nobody"


@authmw.require(roles="admin")
async def decorated(websocket: Any) -> None:
    await websocket.accept()


def make_starlette() -> Starlette:
    return Starlette(routes=[WebSocketRoute("/decorated", decorated)])


def make_decorated() -> FastAPI:
    app = FastAPI()

    @app.websocket("/decorated")
    @authmw.require(roles="admin")
    async def endpoint(websocket: WebSocket) -> None:
        await websocket.accept()

    return app


WEBSOCKETS: dict[str, Any] = {
    "fastapi dependency": (make_websockets, "/dependency"),
    "fastapi decorator": (make_decorated, "/decorated"),
    "starlette decorator": (make_starlette, "/decorated"),
}


@pytest.mark.parametrize("place", WEBSOCKETS)
def test_a_websocket_gets_503_before_it_is_accepted(
    cloud: Cloud, headers: dict[str, str], place: str
) -> None:
    make, path = WEBSOCKETS[place]
    app = cloud.protect(make(), delay_auth_decision="true")
    expect_503(read(connect(app, path, headers, **DENIAL)))
    assert connect(app, path, headers) == [{"type": "websocket.close", "code": 1013, "reason": ""}]
    assert connect(app, path)[0]["code"] == 1008


def test_an_accepted_websocket_is_closed_to_come_again(
    cloud: Cloud, headers: dict[str, str]
) -> None:
    app = cloud.protect(make_websockets(), delay_auth_decision="true")
    sent = connect(app, "/late", headers, **DENIAL)
    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.close"]
    assert sent[1]["code"] == 1013


WITHOUT_KEYSTONE = {
    "issuers alone": {
        "issuer.acme.issuer": "https://login.acme.example",
        "issuer.acme.audience": "https://inventory.example",
    },
    "offline": {"token_validation": "offline", "revocation_poll_interval": "0"},
}


@pytest.mark.parametrize("kind", WITHOUT_KEYSTONE)
def test_where_no_keystone_is_configured_its_address_is_not_sought(
    kind: str, tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    options = dict(WITHOUT_KEYSTONE[kind])
    if kind == "offline":
        options["jws_public_key_repository"] = make_keys(tmp_path)
    app = authmw.asgi.AuthMiddleware(PlainTextResponse("in"), options)
    wsgi = authmw.AuthMiddleware(lambda _environ, _start_response: [], options)
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert get(app).status == 401
        begun: list[str] = []
        wsgi(
            {"REQUEST_METHOD": "GET", "PATH_INFO": "/"},
            lambda status, *_more: begun.append(status),
        )
    app.close()
    wsgi.close()
    assert begun[0].startswith("401")
    assert caplog.messages == []


def make_keys(directory: Any) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (directory / "key.pem").write_bytes(pem)
    return str(directory)
