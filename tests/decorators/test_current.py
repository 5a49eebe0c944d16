"""`authmw.current()` returns the token of the current request, wherever its code runs."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from wsgiref.util import FileWrapper, setup_testing_defaults

import greenlet
import pytest

import authmw
from authmw.testing import IdentityServer

StartResponse = Callable[..., Any]
Environ = dict[str, Any]


def caller() -> bytes:
    token = authmw.current()
    return b"nobody" if token is None else (token.user.name or "").encode()


def call(app: Any, token: str | None = None, **more: Any) -> Iterable[bytes]:
    """Call the app as a server does, without reading the body."""
    environ: Environ = {"PATH_INFO": "/", **more}
    setup_testing_defaults(environ)
    if token is not None:
        environ["HTTP_X_AUTH_TOKEN"] = token
    body: Iterable[bytes] = app(environ, lambda _status, _headers, _exc_info=None: None)
    return body


Tokens = dict[str, str]


@pytest.fixture
def tokens(server: IdentityServer) -> Tokens:
    return {name: server.issue(name, project="inventory") for name in ("member", "reader")}


def test_the_token_is_there_while_the_app_runs_and_only_then(
    server: IdentityServer, tokens: Tokens
) -> None:
    @authmw.protect(**server.service_credentials)
    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])
        assert authmw.current() is environ["authmw.token"]
        return [caller()]

    assert caller() == b"nobody"
    assert list(call(app, tokens["member"])) == [b"member"]
    assert caller() == b"nobody"
    assert list(call(app, tokens["reader"])) == [b"reader"]


def test_a_request_let_through_without_a_token_never_has_the_previous_ones(
    server: IdentityServer, tokens: Tokens
) -> None:
    @authmw.protect(delay_auth_decision=True, **server.service_credentials)
    def app(_environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield caller()

    assert list(call(app, tokens["member"])) == [b"member"]
    assert list(call(app)) == [b"nobody"]
    assert list(call(app, "garbage")) == [b"nobody"]


def test_it_is_gone_after_an_app_that_raised(server: IdentityServer, tokens: Tokens) -> None:
    @authmw.protect(**server.service_credentials)
    def app(_environ: Environ, _start_response: StartResponse) -> Iterable[bytes]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        call(app, tokens["member"])
    assert caller() == b"nobody"


@pytest.fixture
def streaming(server: IdentityServer) -> Any:
    closed_by: list[bytes] = []

    @authmw.protect(**server.service_credentials)
    def app(_environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [])
        try:
            while True:
                yield caller()
        finally:
            closed_by.append(caller())

    app.closed_by = closed_by  # type: ignore[attr-defined]
    return app


def test_two_streams_read_in_turns_keep_their_own(streaming: Any, tokens: Tokens) -> None:
    member, reader = (iter(call(streaming, tokens[name])) for name in ("member", "reader"))
    seen = [(next(member), next(reader), caller()) for _ in range(2)]
    assert seen == [(b"member", b"reader", b"nobody")] * 2


def test_closing_a_stream_is_part_of_its_request(streaming: Any, tokens: Tokens) -> None:
    body = call(streaming, tokens["member"])
    next(iter(body))
    body.close()  # type: ignore[attr-defined]
    assert streaming.closed_by == [b"member"]
    assert caller() == b"nobody"


def test_a_stream_may_be_read_in_another_thread(streaming: Any, tokens: Tokens) -> None:
    body = iter(call(streaming, tokens["member"]))
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(next, body).result() == b"member"
        assert pool.submit(caller).result() == b"nobody"


def test_threads_that_serve_at_once_see_their_own(server: IdentityServer, tokens: Tokens) -> None:
    meet = threading.Barrier(2, timeout=10)

    @authmw.protect(**server.service_credentials)
    def app(_environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])
        meet.wait()
        return [caller()]

    with ThreadPoolExecutor(2) as pool:
        bodies = list(pool.map(lambda name: list(call(app, tokens[name])), tokens))
    assert bodies == [[b"member"], [b"reader"]]


def test_greenlets_that_switch_in_mid_request_see_their_own(
    server: IdentityServer, tokens: Tokens
) -> None:
    hub = greenlet.getcurrent()

    @authmw.protect(**server.service_credentials)
    def app(_environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])
        hub.switch()
        return [caller()]

    greenlets = [
        greenlet.greenlet(lambda name=name: list(call(app, tokens[name]))) for name in tokens
    ]
    for one in greenlets:
        one.switch()
        assert caller() == b"nobody"
    assert [one.switch() for one in greenlets] == [[b"member"], [b"reader"]]


def test_tasks_of_the_app_inherit_it(server: IdentityServer, tokens: Tokens) -> None:
    async def ask() -> bytes:
        return await asyncio.create_task(asyncio.to_thread(caller))

    @authmw.protect(**server.service_credentials)
    def app(_environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [asyncio.run(ask())]

    assert list(call(app, tokens["member"])) == [b"member"]


def a_list(_environ: Environ) -> Iterable[bytes]:
    return [b"hello"]


def a_tuple(_environ: Environ) -> Iterable[bytes]:
    return (b"hello",)


def a_file(_environ: Environ) -> Iterable[bytes]:
    return io.BytesIO(b"hello")


def a_wrapped_file(environ: Environ) -> Iterable[bytes]:
    wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](io.BytesIO(b"hello"))
    return wrapped


@pytest.mark.parametrize("make", [a_list, a_tuple, a_file, a_wrapped_file])
def test_what_a_server_knows_how_to_send_reaches_it_as_it_is(
    server: IdentityServer, tokens: Tokens, make: Callable[[Environ], Iterable[bytes]]
) -> None:
    made: list[object] = []

    @authmw.protect(**server.service_credentials)
    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])
        body = make(environ)
        made.append(body)
        return body

    body = call(app, tokens["member"], **{"wsgi.file_wrapper": FileWrapper})
    assert body is made[0]


def test_an_iterable_without_close_can_be_closed(server: IdentityServer, tokens: Tokens) -> None:
    @authmw.protect(**server.service_credentials)
    def app(_environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])
        return map(bytes.upper, [b"hello"])

    body = call(app, tokens["member"])
    assert list(body) == [b"HELLO"]
    body.close()  # type: ignore[attr-defined]
