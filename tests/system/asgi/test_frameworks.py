"""FastAPI and Starlette behind the middleware: who gets in, and what a refusal looks like."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, Request, WebSocket
from fastapi.exceptions import FastAPIError
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute

import authmw
import authmw.asgi
from authmw.testing import Cloud
from authmw.testing.issuer_personas import IssuerPersonas
from tests.support.doors import call
from tests.system.asgi.conftest import connect, get, scope_of

Admin = Annotated[authmw.Token, Depends(authmw.asgi.require_token(roles="admin"))]
AnyToken = Annotated[authmw.Token, Depends(authmw.current_token)]
OfProject = Annotated[authmw.Token, Depends(authmw.asgi.require_token(scope="project"))]
MISSING = {"roles": ["admin"]}
TOLD: list[str] = []


def caller() -> str:
    token = authmw.current()
    return "nobody" if token is None else str(token.user.name)


def make_fastapi() -> FastAPI:
    app = FastAPI()
    router = APIRouter(
        prefix="/router", dependencies=[Depends(authmw.asgi.require_token(roles="admin"))]
    )

    @app.get("/dependency")
    async def dependency(token: Admin) -> str:
        return str(token.user.name)

    @app.get("/dependency-of-a-function")
    def dependency_of_a_function(token: Admin) -> str:
        assert token is authmw.current()
        return str(token.user.name)

    @app.get("/decorator")
    @authmw.require(roles="admin")
    async def decorator(request: Request, limit: int = 3) -> str:
        assert limit == 3
        assert request.headers["x-roles"].startswith("admin")
        return caller()

    @app.get("/decorator-of-a-function")
    @authmw.require(roles="admin")
    def decorator_of_a_function(limit: int = 3) -> str:
        assert limit == 3
        return caller()

    @app.get("/in-the-middle")
    async def in_the_middle() -> str:
        authmw.check(roles="admin")
        return caller()

    @app.get("/in-the-middle-of-a-function")
    def in_the_middle_of_a_function() -> str:
        authmw.check(roles="admin")
        return caller()

    @router.get("/item")
    async def item() -> str:
        return caller()

    app.include_router(router)
    sub = FastAPI()

    @sub.get("/item")
    async def item_of_a_sub_app(token: Admin) -> str:
        return str(token.user.name)

    app.mount("/sub", sub)
    return app


def make_starlette() -> Starlette:
    @authmw.require(roles="admin")
    async def decorator(request: Any) -> PlainTextResponse:
        return PlainTextResponse(caller())

    @authmw.require(roles="admin")
    def function(request: Any) -> PlainTextResponse:
        return PlainTextResponse(caller())

    class Endpoint(HTTPEndpoint):
        @authmw.require(roles="admin")
        async def get(self, request: Any) -> PlainTextResponse:
            return PlainTextResponse(caller())

    async def plain(scope: Any, receive: Any, send: Any) -> None:
        authmw.check(roles="admin")
        await PlainTextResponse(caller())(scope, receive, send)

    return Starlette(
        routes=[
            Route("/decorator", decorator),
            Route("/function", function),
            Route("/endpoint", Endpoint),
            Mount("/mount", routes=[Route("/decorator", decorator)]),
            Mount("/asgi", app=plain),
        ]
    )


PLACES = {
    **{
        f"fastapi {path}": (make_fastapi, path)
        for path in (
            "/dependency",
            "/dependency-of-a-function",
            "/decorator",
            "/decorator-of-a-function",
            "/in-the-middle",
            "/in-the-middle-of-a-function",
            "/router/item",
            "/sub/item",
        )
    },
    **{
        f"starlette {path}": (make_starlette, path)
        for path in ("/decorator", "/function", "/endpoint", "/mount/decorator", "/asgi/")
    },
}


@pytest.mark.parametrize("place", PLACES)
def test_who_has_the_role_gets_in_and_others_are_told_what_is_missing(
    cloud: Cloud, place: str
) -> None:
    make, path = PLACES[place]
    app = cloud.protect(make())
    admin = get(app, path, cloud.personas.project_admin().headers)
    assert (admin.status, admin.body.strip(b'"')) == (200, b"project_admin")
    reader = get(app, path, cloud.personas.project_reader().headers)
    assert (reader.status, reader.json["error"]["missing"]) == (403, MISSING)
    assert reader.headers["content-type"] == "application/json"
    assert reader.headers["content-length"] == str(len(reader.body))
    nobody = get(app, path)
    assert (nobody.status, nobody.json["error"]["code"]) == (401, 401)
    assert nobody.headers["www-authenticate"].startswith("Keystone uri=")


@pytest.mark.parametrize("place", PLACES)
def test_with_delay_the_requirement_refuses_whoever_has_no_token(cloud: Cloud, place: str) -> None:
    make, path = PLACES[place]
    answer = get(cloud.protect(make(), delay_auth_decision="true"), path)
    assert (answer.status, answer.json["error"]["code"]) == (401, 401)
    assert answer.headers["www-authenticate"].startswith("Keystone uri=")


# No route of a framework's stands before a plain app there.
@pytest.mark.parametrize("place", [place for place in PLACES if place != "starlette /asgi/"])
def test_without_a_middleware_nobody_gets_in(place: str) -> None:
    make, path = PLACES[place]
    answer = get(make(), path, {"X-Roles": "admin", "X-Identity-Status": "Confirmed"})
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Keystone")


def test_a_handler_of_the_app_s_own_answers(cloud: Cloud) -> None:
    app = make_fastapi()

    @app.exception_handler(HTTPException)
    async def handle(_request: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse(
            {"problem": error.detail}, status_code=error.status_code, headers=error.headers
        )

    answer = get(cloud.protect(app), "/dependency", cloud.personas.project_reader().headers)
    assert answer.json == {"problem": "This takes the role admin."}
    assert answer.status == 403


def test_a_503_says_once_when_to_try_again_whatever_the_handler_returns(cloud: Cloud) -> None:
    told_by_default = make_fastapi()
    told_by_a_handler = make_fastapi()

    @told_by_a_handler.exception_handler(authmw.Refused)
    async def handle(_request: Request, refused: authmw.Refused) -> JSONResponse:
        return JSONResponse(refused.refusal.message, status_code=refused.refusal.status)

    headers = {"X-Auth-Token": "gAAAAABunknown"}
    cloud.identity.stop()
    try:
        for app in (told_by_default, told_by_a_handler):
            protected = cloud.protect(app, delay_auth_decision="true")
            start, *_ = asyncio.run(call(protected, scope_of("/dependency", headers)))
            assert start["status"] == 503
            assert [name for name, _ in start["headers"]].count(b"retry-after") == 1
    finally:
        cloud.identity.start()


def test_a_misspelt_option_is_an_error() -> None:
    with pytest.raises(TypeError, match="did you mean 'delay_auth_decision'"):
        authmw.asgi.AuthMiddleware(make_fastapi(), delay_auth_decison=True)


def test_the_app_s_own_401_gets_our_challenge_and_keeps_its_body(cloud: Cloud) -> None:
    app = FastAPI()

    @app.get("/")
    async def refuse() -> None:
        raise HTTPException(401, "not you")

    answer = get(cloud.protect(app), "/", cloud.personas.project_reader().headers)
    assert (answer.status, answer.json) == (401, {"detail": "not you"})
    assert answer.headers["www-authenticate"].startswith("Keystone uri=")


@pytest.fixture
def closed_at_the_end() -> Iterator[Callable[..., authmw.asgi.AuthMiddleware]]:
    """Makes middleware: frameworks keep apps, and with them filters, for longer than a test."""
    made: list[authmw.asgi.AuthMiddleware] = []

    def make(app: Any, conf: Any) -> authmw.asgi.AuthMiddleware:
        made.append(authmw.asgi.AuthMiddleware(app, conf))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_middleware_may_be_added_to_the_app_itself(
    cloud: Cloud, closed_at_the_end: Callable[..., authmw.asgi.AuthMiddleware]
) -> None:
    app = make_fastapi()
    app.add_middleware(closed_at_the_end, cloud.options)
    assert get(app, "/dependency").status == 401
    assert get(app, "/dependency", cloud.personas.project_admin().headers).status == 200
    starlette = Starlette(
        routes=make_starlette().routes,
        middleware=[Middleware(closed_at_the_end, cloud.options)],
    )
    assert get(starlette, "/endpoint", cloud.personas.project_reader().headers).status == 403


def test_background_work_and_streams_have_the_token_and_what_outlives_them_has_none(
    cloud: Cloud,
) -> None:
    told: list[str] = []
    app = FastAPI()

    @app.get("/background")
    async def background(tasks: BackgroundTasks) -> str:
        tasks.add_task(lambda: told.append(caller()))
        return caller()

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def parts() -> Any:
            for _ in range(3):
                yield caller()

        return StreamingResponse(parts())

    protected = cloud.protect(app)
    headers = cloud.personas.project_reader().headers
    assert get(protected, "/background", headers).json == "project_reader"
    assert told == ["project_reader"]
    assert get(protected, "/stream", headers).body == b"project_reader" * 3
    assert caller() == "nobody"


def make_websockets() -> FastAPI:
    app = FastAPI()

    @app.websocket("/open")
    async def accept(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(caller())

    @app.websocket("/dependency")
    async def dependency(websocket: WebSocket, token: Admin) -> None:
        await websocket.accept()
        await websocket.send_text(str(token.user.name))

    @app.websocket("/late")
    async def late(websocket: WebSocket) -> None:
        await websocket.accept()
        authmw.check(roles="admin")

    return app


DENIAL: dict[str, Any] = {"extensions": {"websocket.http.response": {}}}


def test_a_websocket_is_refused_before_it_is_accepted(cloud: Cloud) -> None:
    app = cloud.protect(make_websockets())
    assert connect(app, "/open") == [{"type": "websocket.close", "code": 1008, "reason": ""}]
    start, body = connect(app, "/open", **DENIAL)
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 401)
    assert dict(start["headers"])[b"www-authenticate"].startswith(b"Keystone uri=")
    assert b"requires authentication" in body["body"]


def test_a_websocket_with_a_token_is_the_app_s(cloud: Cloud) -> None:
    app = cloud.protect(make_websockets())
    accepted = connect(app, "/open", cloud.personas.project_reader().headers)
    assert [message["type"] for message in accepted][:2] == ["websocket.accept", "websocket.send"]
    assert accepted[1]["text"] == "project_reader"
    admin = connect(app, "/dependency", cloud.personas.project_admin().headers)
    assert admin[1]["text"] == "project_admin"


@pytest.mark.parametrize("token_in", ["subprotocol", "query", "cookie"])
def test_a_token_elsewhere_than_in_the_headers_is_none(cloud: Cloud, token_in: str) -> None:
    app = cloud.protect(make_websockets(), accept_bearer="true")
    token = cloud.personas.project_admin().token
    more: dict[str, Any] = {}
    headers = {}
    if token_in == "subprotocol":
        headers["Sec-WebSocket-Protocol"] = f"bearer, {token}"
        more["subprotocols"] = ["bearer", token]
    elif token_in == "query":
        more["query_string"] = f"access_token={token}&x-auth-token={token}".encode()
    else:
        headers["Cookie"] = f"X-Auth-Token={token}; access_token={token}"
    more.pop("subprotocols", None)
    assert connect(app, "/open", headers, **more)[0]["type"] == "websocket.close"


@pytest.mark.parametrize("denial", [{}, DENIAL])
def test_a_requirement_refuses_a_websocket(cloud: Cloud, denial: dict[str, Any]) -> None:
    app = cloud.protect(make_websockets())
    sent = connect(app, "/dependency", cloud.personas.project_reader().headers, **denial)
    if denial:
        assert (sent[0]["type"], sent[0]["status"]) == ("websocket.http.response.start", 403)
        assert b'"missing": {"roles": ["admin"]}' in sent[1]["body"]
        assert len(sent) == 2
    else:
        assert sent == [{"type": "websocket.close", "code": 1008, "reason": ""}]


def test_a_requirement_after_accept_closes_the_websocket(cloud: Cloud) -> None:
    app = cloud.protect(make_websockets())
    sent = connect(app, "/late", cloud.personas.project_reader().headers, **DENIAL)
    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.close"]
    assert sent[1]["code"] == 1008


def test_public_paths_and_delay_hold_for_websockets(cloud: Cloud) -> None:
    app = cloud.protect(make_websockets(), public_paths="/open")
    assert connect(app, "/open", {"X-User-Name": "forged"})[1]["text"] == "nobody"
    assert connect(app, "/late")[0]["type"] == "websocket.close"
    delayed = cloud.protect(make_websockets(), delay_auth_decision="true")
    assert connect(delayed, "/open", {"X-Auth-Token": "garbage"})[1]["text"] == "nobody"


def test_a_route_of_a_websocket_in_starlette(cloud: Cloud) -> None:
    async def endpoint(websocket: Any) -> None:
        authmw.check(roles="admin")
        await websocket.accept()

    app = cloud.protect(Starlette(routes=[WebSocketRoute("/", endpoint)]))
    assert connect(app, "/", cloud.personas.project_admin().headers)[0]["type"].endswith("accept")
    refused = connect(app, "/", cloud.personas.project_reader().headers)
    assert refused[0]["type"] == "websocket.close"


# Mistakes with which no route may come into being: a client would say what is required of it, or
# nothing would be checked at all.
NO_DEPENDENCIES: dict[str, Any] = {
    "check": authmw.check,
    "check of a role": functools.partial(authmw.check, roles="admin"),
    "require, not called": authmw.require,
    "require_token, not called": authmw.asgi.require_token,
}


@pytest.mark.parametrize("mistake", NO_DEPENDENCIES)
def test_what_would_read_the_requirement_from_the_query_is_no_dependency(mistake: str) -> None:
    app = FastAPI()
    with pytest.raises(FastAPIError, match="NotFromRequest"):
        app.get("/", dependencies=[Depends(NO_DEPENDENCIES[mistake])])(lambda: "in")


def test_a_decorator_as_a_dependency_lets_nobody_in(cloud: Cloud) -> None:
    app = FastAPI()
    app.get("/", dependencies=[Depends(authmw.require(roles="admin"))])(lambda: "in")
    headers = cloud.personas.project_admin().headers
    protected = cloud.protect(app)
    for sent in ({}, {"query_string": b"view=x"}, {"body": b'{"view": "x"}'}):
        assert get(protected, "/", headers, **sent).status == 422


def test_current_token_is_a_dependency(cloud: Cloud) -> None:
    app = FastAPI()

    @app.get("/")
    def who(token: Annotated[authmw.Token, Depends(authmw.current_token)]) -> str:
        return str(token.user.name)

    delayed = cloud.protect(app, delay_auth_decision="true")
    assert get(delayed, "/", cloud.personas.project_reader().headers).json == "project_reader"
    assert get(delayed, "/").status == 401


def test_any_valid_token_may_be_without_a_name_and_a_project(cloud: Cloud) -> None:
    app = FastAPI()

    @app.get("/user")
    def user(token: AnyToken) -> list[str | None]:
        with pytest.raises(LookupError):
            _ = token.project
        assert token.project_or_none is None
        return [token.user.id, token.user.name]

    @app.get("/project")
    def project(token: OfProject) -> str:
        return token.project.id

    issuer = cloud.add_issuer()
    protected = cloud.protect(app)
    headers = IssuerPersonas(issuer).user("ada").headers
    assert get(protected, "/user", headers).json == ["ada", None]
    assert get(protected, "/project", headers).status == 403
