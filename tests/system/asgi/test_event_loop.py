"""The event loop goes on while tokens are looked up; clients come and go, and services stop."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import certifi
import pytest

import authmw
import authmw.asgi
from authmw.asgi.interface import Receive, Scope, Send
from authmw.build import build_filter_parts
from authmw.testing import Cloud, Fault, IdentityServer
from tests.support.doors import call
from tests.support.waiting import wait_for
from tests.system.asgi.conftest import connect, fetch, get, scope_of

_OF_LOOKUPS = ("authmw-opaque", "authmw-signed", "authmw-upkeep")


def lookup_threads() -> set[str]:
    return {one.name for one in threading.enumerate() if one.name.startswith(_OF_LOOKUPS)}


def ours() -> set[threading.Thread]:
    return {one for one in threading.enumerate() if one.name.startswith("authmw-")}


async def tell(scope: Scope, receive: Receive, send: Send) -> None:
    """Say who calls."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    token = authmw.current()
    name = "nobody" if token is None else str(token.user.name)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": name.encode()})


@pytest.fixture
def server() -> Iterator[IdentityServer]:
    with IdentityServer() as running:
        yield running


@pytest.fixture
def app(server: IdentityServer) -> Iterator[authmw.asgi.AuthMiddleware]:
    before = lookup_threads()
    made = authmw.asgi.AuthMiddleware(
        tell, {**server.service_credentials, "revocation_poll_interval": "0"}, max_lookups=4
    )
    yield made
    made.close()
    assert wait_for(lambda: lookup_threads() <= before, 10)


def test_a_hit_leaves_the_event_loop_for_nothing(
    app: authmw.asgi.AuthMiddleware, server: IdentityServer
) -> None:
    headers = {"X-Auth-Token": server.issue("member", project="inventory")}
    both = {**headers, "X-Service-Token": server.issue("service", project="service")}
    assert get(app, headers=both).body == b"member"
    app._lookups.close()
    assert wait_for(lambda: not app._lookups._state.get().executors, 10)
    for sent in (headers, both, {}, {**headers, "X-Auth-Token": " "}):
        get(app, headers=sent)
    assert app._lookups._state.get().executors == {}


def test_while_keystone_hangs_known_tokens_pass_at_once(
    app: authmw.asgi.AuthMiddleware, server: IdentityServer
) -> None:
    known = {"X-Auth-Token": server.issue("member", project="inventory")}
    unknown = [server.issue("reader", project="inventory") for _ in range(20)]
    get(app, headers=known)

    async def crowd() -> tuple[float, list[int]]:
        waiting = [
            asyncio.create_task(fetch(app, headers={"X-Auth-Token": token})) for token in unknown
        ]
        await asyncio.sleep(0.3)
        began = time.monotonic()
        for _ in range(100):
            assert (await fetch(app, headers=known)).body == b"member"
        took = time.monotonic() - began
        assert (await fetch(app)).status == 401, "whoever has none is told at once"
        assert not any(task.done() for task in waiting)
        assert len(app._lookups._state.get().executors["opaque"]._threads) == 4
        server_hang.close()
        return took, [(await task).status for task in waiting]

    with contextlib.ExitStack() as server_hang:
        server_hang.enter_context(server.failing(Fault.HANG, "validate"))
        took, statuses = asyncio.run(crowd())
    assert took < 1
    assert set(statuses) == {200}


def test_many_requests_with_one_new_token_cause_one_validation(
    app: authmw.asgi.AuthMiddleware, server: IdentityServer
) -> None:
    token = server.issue("member", project="inventory")
    server.forget_requests()

    async def crowd() -> list[int]:
        tasks = [fetch(app, headers={"X-Auth-Token": token}) for _ in range(200)]
        return [answer.status for answer in await asyncio.gather(*tasks)]

    assert asyncio.run(crowd()) == [200] * 200
    assert server.calls["validate"] == 1
    server.forget_requests()

    async def refused_crowd() -> list[int]:
        tasks = [fetch(app, headers={"X-Auth-Token": "made-up"}) for _ in range(200)]
        return [answer.status for answer in await asyncio.gather(*tasks)]

    assert asyncio.run(refused_crowd()) == [401] * 200
    assert server.calls["validate"] == 1


def test_a_client_that_goes_away_leaves_nothing_behind(
    app: authmw.asgi.AuthMiddleware, server: IdentityServer
) -> None:
    token = server.issue("member", project="inventory")

    async def come_and_go() -> None:
        with server.failing(Fault.HANG, "validate"):
            tasks = [
                asyncio.create_task(fetch(app, headers={"X-Auth-Token": token})) for _ in range(9)
            ]
            await asyncio.sleep(0.2)
            for task in tasks:
                task.cancel()
            done = await asyncio.gather(*tasks, return_exceptions=True)
            assert {type(one) for one in done} == {asyncio.CancelledError}
        assert authmw.current() is None
        assert (await fetch(app, headers={"X-Auth-Token": token})).body == b"member"

    asyncio.run(come_and_go())
    jobs = app._lookups._state.get().jobs
    assert wait_for(lambda: not jobs, 10)


def test_the_token_is_gone_when_the_client_went_away_in_the_middle(cloud: Cloud) -> None:
    inside = asyncio.Event()

    async def wait(_scope: Scope, _receive: Receive, _send: Send) -> None:
        inside.set()
        await asyncio.sleep(60)

    async def come_and_go() -> None:
        app = cloud.protect(wait)
        task = asyncio.create_task(fetch(app, headers=cloud.personas.project_member().headers))
        await inside.wait()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert authmw.current() is None

    asyncio.run(come_and_go())


def test_requests_of_one_task_don_t_see_each_other_s_token(cloud: Cloud) -> None:
    """As on a connection that is kept alive, by a server with one task a connection."""
    app = cloud.protect(tell, delay_auth_decision="true")
    headers = cloud.personas.project_member().headers

    async def connection() -> list[bytes]:
        return [
            (await fetch(app, headers=sent)).body
            for sent in (headers, {}, {"X-Auth-Token": "garbage"}, headers)
        ]

    told = asyncio.run(connection())
    assert told == [b"project_member", b"nobody", b"nobody", b"project_member"]


def test_a_task_that_outlives_its_request_has_no_token(cloud: Cloud) -> None:
    """A worker that the first request starts must not act as the first caller for ever."""
    tasks: list[asyncio.Task[tuple[Any, Any]]] = []
    over = asyncio.Event()

    async def work() -> tuple[Any, Any]:
        during = authmw.current()
        await over.wait()
        with pytest.raises(authmw.Refused):
            authmw.check(roles="member")
        return during, authmw.current()

    async def start(scope: Scope, receive: Receive, send: Send) -> None:
        tasks.append(asyncio.create_task(work()))
        await asyncio.sleep(0)
        await tell(scope, receive, send)

    async def serve() -> tuple[Any, Any]:
        await fetch(cloud.protect(start), headers=cloud.personas.project_member().headers)
        over.set()
        return await tasks[0]

    during, after = asyncio.run(serve())
    assert during.user.name == "project_member"
    assert after is None


async def live(app: Any, during: Any) -> list[str]:
    """Run a lifespan as a server does, with some code in the middle."""
    incoming: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    sent: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    task = asyncio.create_task(
        app({"type": "lifespan", "asgi": {"version": "3.0"}}, incoming.get, sent.put)
    )
    said = []
    for kind in ("lifespan.startup", "lifespan.shutdown"):
        await incoming.put({"type": kind})
        said.append((await asyncio.wait_for(sent.get(), 10))["type"])
        if kind == "lifespan.startup":
            await during()
    await asyncio.wait_for(task, 10)
    return said


def test_the_end_of_the_lifespan_closes_the_filter_and_a_new_one_opens_it(
    server: IdentityServer,
) -> None:
    app = authmw.asgi.AuthMiddleware(tell, server.service_credentials)
    headers = {"X-Auth-Token": server.issue("member", project="inventory")}

    async def use() -> None:
        assert (await fetch(app, headers=headers)).body == b"member"
        assert ours() > before

    before = ours()
    for _ in range(2):
        said = asyncio.run(live(app, use))
        assert said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
        assert wait_for(lambda: ours() <= before, 10)


def test_a_closed_filter_that_can_t_be_built_anew_admits_nobody(
    server: IdentityServer, tmp_path: Path
) -> None:
    cafile = tmp_path / "ca.pem"
    cafile.write_bytes(Path(certifi.where()).read_bytes())
    app = authmw.asgi.AuthMiddleware(tell, server.service_credentials, cafile=str(cafile))
    headers = {"X-Auth-Token": server.issue("member", project="inventory")}

    async def use() -> None:
        assert (await fetch(app, headers=headers)).body == b"member"

    asyncio.run(live(app, use))
    authorities = cafile.read_bytes()
    cafile.unlink()
    for _ in range(2):
        sent: list[Any] = []
        with pytest.raises(authmw.ConfigurationError, match="cafile"):
            asyncio.run(app({"type": "lifespan"}, _startup, functools.partial(_note, sent)))
        assert [one["type"] for one in sent] == ["lifespan.startup.failed"]
        assert str(cafile) in sent[0]["message"]
        assert get(app, headers=headers).status == 503
        assert connect(app, "/", headers)[0]["code"] == 1013
    cafile.write_bytes(authorities)
    asyncio.run(live(app, use))


async def _startup() -> dict[str, str]:
    return {"type": "lifespan.startup"}


async def _note(sent: list[Any], message: Any) -> None:
    sent.append(message)


@pytest.mark.parametrize("option", [{}, {"delay_auth_decision": True}, {"public_paths": "/"}])
def test_a_closed_filter_admits_nobody(
    server: IdentityServer, caplog: pytest.LogCaptureFixture, option: dict[str, Any]
) -> None:
    app = authmw.asgi.AuthMiddleware(tell, server.service_credentials, **option)
    headers = {"X-Auth-Token": server.issue("member", project="inventory")}
    assert get(app, headers=headers).status == 200
    app.close()
    app.close()
    for sent in (headers, {}):
        assert get(app, headers=sent).status == 503
        assert connect(app, "/", sent)[0]["code"] == 1013
    assert [one.levelname for one in caplog.records if "is closed" in one.message] == ["CRITICAL"]
    assert "is closed" in app.find_troubles(0.0)[0]
    assert app.stats() == {}


def test_a_request_that_waits_while_the_filter_is_closed_is_not_admitted(
    app: authmw.asgi.AuthMiddleware, server: IdentityServer
) -> None:
    before = lookup_threads()
    headers = {"X-Auth-Token": server.issue("member", project="inventory")}

    async def close_meanwhile() -> int:
        with server.lock:  # the server answers afterwards
            asking = asyncio.create_task(fetch(app, headers=headers))
            await asyncio.sleep(0.3)
            assert lookup_threads() > before
            app.close()
        return (await asking).status

    assert asyncio.run(close_meanwhile()) == 503


def test_an_app_without_a_lifespan_stays_open(server: IdentityServer) -> None:
    async def plain(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        await tell(scope, receive, send)

    app = authmw.asgi.AuthMiddleware(plain, server.service_credentials)
    with pytest.raises(AssertionError):
        asyncio.run(call(app, {"type": "lifespan"}))
    headers = {"X-Auth-Token": server.issue("member", project="inventory")}
    assert get(app, headers=headers).body == b"member"
    assert not app._parts.refresher._loops.get().all[0].is_closed
    app.close()


def test_parts_of_others_are_left_open(server: IdentityServer) -> None:
    parts = build_filter_parts({**server.service_credentials})
    app = authmw.asgi.AuthMiddleware.from_parts(tell, parts)

    async def use() -> None:
        await fetch(app)

    asyncio.run(live(app, use))
    assert not parts.refresher._loops.get().all[0].is_closed
    parts.close()


def test_a_scope_of_another_type_goes_nowhere(cloud: Cloud) -> None:
    with pytest.raises(ValueError, match="no ASGI scope of type 'webtransport'"):
        asyncio.run(call(cloud.protect(tell), {"type": "webtransport"}))


@pytest.mark.parametrize("headers", [[(b"x-auth-token", 7)], [("x-auth-token", "text")], [b"x"], 3])
def test_a_scope_that_no_server_makes_is_a_503(cloud: Cloud, headers: Any) -> None:
    answer = get(cloud.protect(tell), headers=None, scheme="http")
    assert answer.status == 401
    scope = {**scope_of(), "headers": headers}
    sent = asyncio.run(call(cloud.protect(tell), scope))
    assert sent[0]["status"] == 503


def test_a_fault_of_ours_in_a_thread_is_a_503(
    app: authmw.asgi.AuthMiddleware, server: IdentityServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    resolver = app._parts.authenticator._resolver
    monkeypatch.setattr(resolver, "validator", type("Failing", (), {"validate": fail})())
    token = server.issue("member", project="inventory")
    assert get(app, headers={"X-Auth-Token": token}).status == 503
    assert connect(app, "/", {"X-Auth-Token": token})[0]["code"] == 1013


def test_what_can_t_be_protected_is_refused() -> None:
    def wsgi(_environ: Any, _start_response: Any) -> list[bytes]:
        return []

    made: Any = authmw.asgi.AuthMiddleware
    with pytest.raises(TypeError, match="wsgi is no ASGI app: a WSGI app goes into"):
        made(wsgi, {})
    with pytest.raises(TypeError, match="no hooks, and no subclasses"):
        type("Mine", (made,), {})
    with pytest.raises(TypeError, match="a config_file or a config object, not both"):
        made(tell, config_file="x", config="y")
    with pytest.raises(authmw.ConfigurationError, match="delay_auth_decision"):
        made(tell, delay_auth_decision="maybe")


@pytest.mark.parametrize("number", [0, -1, "x", "8", 2.5, True])
def test_threads_for_lookups_are_a_whole_number(server: IdentityServer, number: Any) -> None:
    says = f"max_lookups = {number!r}: write a whole number of threads, at least 1"
    with pytest.raises(authmw.ConfigurationError, match=re.escape(says)):
        authmw.asgi.AuthMiddleware(tell, server.service_credentials, max_lookups=number)
    parts = build_filter_parts(server.service_credentials)
    with pytest.raises(authmw.ConfigurationError, match=re.escape(says)):
        authmw.asgi.AuthMiddleware.from_parts(tell, parts, max_lookups=number)
    parts.close()


def test_of_two_in_a_row_the_inner_one_judges_the_same_token(cloud: Cloud) -> None:
    token = cloud.personas.project_member().token
    seen: list[list[bytes]] = []

    async def count(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append([value for name, value in scope["headers"] if name == b"x-auth-token"])
        await tell(scope, receive, send)

    for accepts in ("true", "false"):
        app = cloud.protect(cloud.protect(count, accept_bearer=accepts), accept_bearer="true")
        for headers in ({"Authorization": f"Bearer {token}"}, {"X-Auth-Token": token}):
            assert get(app, headers=headers).body == b"project_member"
    assert seen == [[token.encode()]] * 4
