"""The app's answer is untouched: all that PEP 3333 lets an app do around start_response.

Two kinds of servers: one reads the headers when start_response is called, as gunicorn and uWSGI
do, the other when it sends them, as wsgiref and mod_wsgi do.
"""

from __future__ import annotations

import http.client
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.util import setup_testing_defaults

import cheroot.wsgi
import keystonemiddleware.auth_token
import pytest

import authmw

CONF = {
    "delay_auth_decision": "true",
    "www_authenticate_uri": "http://127.0.0.1:1",
    "auth_type": "password",
    "auth_url": "http://127.0.0.1:1",
    "username": "u",
    "password": "p",
    "user_domain_id": "default",
    "project_name": "p",
    "project_domain_id": "default",
}
CHALLENGE = ("WWW-Authenticate", 'Keystone uri="http://127.0.0.1:1"')
STATUSES = (
    "200 OK",
    "400 Bad Request",
    "401 Unauthorized",
    "403 Forbidden",
    "404 Not Found",
    "409 Conflict",
    "500 Internal Server Error",
)
LATE = ("Content-Type", "application/json")
Headers = list[tuple[str, str]]


def ours(app: Any) -> Any:
    return authmw.filter_factory({}, **CONF, revocation_poll_interval="0")(app)


def peers(app: Any) -> Any:
    return keystonemiddleware.auth_token.AuthProtocol(app, dict(CONF))


class Server:
    """Calls an app once, as a server does; raises what a server would.

    Args:
        is_eager: whether the headers are read when start_response is called.
    """

    def __init__(self, *, is_eager: bool = True) -> None:
        self.is_eager = is_eager
        self.status = ""
        self.headers: Headers = []
        self.given: Headers = []
        self.sent: Headers | None = None
        self.body = b""
        self.events: list[str] = []

    def start_response(
        self, status: str, headers: Headers, exc_info: Any = None
    ) -> Callable[[bytes], Any]:
        self.events.append(f"start {status[:3]}")
        if exc_info:
            try:
                if self.sent is not None:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self.status:
            raise AssertionError("headers are set already")
        self.status, self.given = status, headers
        self.headers = list(headers) if self.is_eager else headers
        return self.write

    def write(self, content: bytes) -> None:
        assert self.status, "write() before start_response()"
        if self.sent is None and content:
            self.sent = list(self.headers)
        self.body += content

    def serve(self, app: Any, **environ: Any) -> Server:
        setup_testing_defaults(environ)
        body = app(environ, self.start_response)
        self.events.append("returned")
        try:
            for step in body:
                self.events.append(f"step {step.decode()}")
                self.write(step)
            if self.sent is None:
                assert self.status, "no start_response()"
                self.sent = list(self.headers)
        finally:
            if hasattr(body, "close"):
                body.close()
        return self


def late_then_list(status: str) -> Any:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        headers = [("X-First", "1")]
        start_response(status, headers)
        headers.append(LATE)
        return [b"{}"]

    return app


def late_then_iterator(status: str) -> Any:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        headers = [("X-First", "1")]
        start_response(status, headers)
        headers.append(LATE)
        return iter([b"{}"])

    return app


def late_in_a_generator(status: str) -> Any:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        headers = [("X-First", "1")]
        start_response(status, headers)
        headers.append(LATE)
        yield b"{}"

    return app


def late_in_a_generator_without_a_body(status: str) -> Any:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        headers = [("X-First", "1")]
        start_response(status, headers)
        headers.append(LATE)
        yield from ()

    return app


def error_middleware(status: str) -> Any:
    """As ironic, magnum, zun and cyborg have one: it fills the headers once it has the body."""
    state: dict[str, Any] = {}

    def inner(environ: Any, start_response: Any) -> list[bytes]:
        start_response(status, [("X-First", "1"), ("Content-Type", "text/html")])
        return [b"<html>"]

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        def replacement(status: str, headers: Headers, exc_info: Any = None) -> Any:
            state["headers"] = [(name, value) for name, value in headers if name != "Content-Type"]
            return start_response(status, state["headers"], exc_info)

        b"".join(inner(environ, replacement))
        state["headers"].append(LATE)
        return [b"{}"]

    return app


LATE_APPS = (
    late_then_list,
    late_then_iterator,
    late_in_a_generator,
    late_in_a_generator_without_a_body,
    error_middleware,
)


@pytest.mark.parametrize("is_eager", [True, False], ids=["eager", "keeping"])
@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("make", LATE_APPS)
def test_what_an_app_adds_to_its_list_arrives_as_with_the_peer(
    make: Any, status: str, *, is_eager: bool
) -> None:
    served, theirs = (
        Server(is_eager=is_eager).serve(protect(make(status))) for protect in (ours, peers)
    )
    assert LATE in (served.sent or [])
    assert (served.status, served.body) == (status, theirs.body)
    assert sorted(served.sent or []) == sorted(theirs.sent or [])


@pytest.mark.parametrize("status", STATUSES)
def test_the_list_is_the_app_s_own_unless_something_is_added(status: str) -> None:
    headers = [("X-First", "1"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response(status, headers)
        return [b""]

    protected = ours(app)
    before = list(headers)
    for _ in range(2):
        served = Server().serve(protected)
        if status.startswith("401"):
            assert served.sent == [*before, CHALLENGE]
        else:
            assert served.given is headers
    assert headers == before, "one list may serve many answers"


@pytest.mark.parametrize("status", STATUSES)
def test_a_real_server_sends_what_came_late(status: str) -> None:
    server = cheroot.wsgi.Server(("127.0.0.1", 0), ours(late_then_list(status)), numthreads=1)
    server.prepare()
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        host, port = server.bind_addr[:2]
        connection = http.client.HTTPConnection(str(host), int(port), timeout=10)
        connection.request("GET", "/")
        answer = connection.getresponse()
        assert answer.read() == b"{}"
        assert answer.getheader("Content-Type") == "application/json"
        connection.close()
    finally:
        server.stop()
        thread.join(10)


def test_write_sends_before_the_app_returns() -> None:
    server = Server()

    def app(environ: Any, start_response: Any) -> list[bytes]:
        headers = [("X-First", "1")]
        write = start_response("401 Unauthorized", headers)
        headers.append(LATE)
        write(b"one ")
        assert server.sent == [("X-First", "1"), LATE, CHALLENGE]
        assert server.body == b"one "
        write(b"two ")
        return [b"three"]

    assert server.serve(ours(app)).body == b"one two three"
    assert server.events == ["start 401", "returned", "step three"]


def test_write_may_go_on_while_the_body_is_sent() -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        write = start_response("200 OK", [])

        def body() -> Iterator[bytes]:
            yield b"one "
            write(b"two ")
            yield b"three"

        return body()

    assert Server().serve(ours(app)).body == b"one two three"


def test_a_generator_starts_at_its_first_step_and_may_yield_nothing_first() -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b""
        yield b"hello"

    served = Server().serve(ours(app))
    assert served.events == ["returned", "start 200", "step ", "step hello"]


def test_an_iterable_that_is_not_asked_step_by_step_may_start_late() -> None:
    class Sized:
        def __init__(self, start_response: Any) -> None:
            self.start_response = start_response

        def __len__(self) -> int:
            return 1

        def __iter__(self) -> Iterator[bytes]:
            self.start_response("401 Unauthorized", [])
            return iter([b"hello"])

    served = Server().serve(ours(lambda environ, start_response: Sized(start_response)))
    assert (served.sent, served.body) == ([CHALLENGE], b"hello")


def fail(start_response: Any, status: str, headers: Headers) -> Any:
    try:
        raise RuntimeError("the app's own")
    except RuntimeError:
        return start_response(status, headers, sys.exc_info())


def test_exc_info_replaces_an_answer_that_was_not_sent() -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("X-First", "1")])
        write = fail(start_response, "401 Unauthorized", [("X-Second", "1")])
        write(b"oh ")
        return [b"no"]

    served = Server().serve(ours(app))
    assert (served.status, served.body) == ("401 Unauthorized", b"oh no")
    assert served.sent == [("X-Second", "1"), CHALLENGE]


def test_exc_info_may_come_with_the_first_call() -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        fail(start_response, "500 Oops", [])
        return [b"no"]

    assert Server().serve(ours(app)).status == "500 Oops"


def test_exc_info_is_raised_in_the_app_once_something_was_sent() -> None:
    reached = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])(b"sent")
        fail(start_response, "500 Oops", [])
        reached.append("after")
        return []

    with pytest.raises(RuntimeError, match="the app's own"):
        Server().serve(ours(app))
    assert reached == []


def test_exc_info_in_a_step_replaces_or_is_raised() -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b""
        fail(start_response, "500 Oops", [])
        yield b"oh"
        fail(start_response, "500 Again", [])
        yield b"never"

    server = Server()
    with pytest.raises(RuntimeError, match="the app's own"):
        server.serve(ours(app))
    assert (server.status, server.body) == ("500 Oops", b"oh")


def test_a_second_call_without_exc_info_is_the_server_s_to_refuse() -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        try:
            start_response("201 Created", [])
        except AssertionError as error:
            return [str(error).encode()]
        return [b"accepted"]

    assert Server().serve(ours(app)).body == b"headers are set already"


def test_an_app_that_never_starts_is_the_server_s_to_notice() -> None:
    with pytest.raises(AssertionError, match="start_response"):
        Server().serve(ours(lambda environ, start_response: [b"hello"]))


class Closed:
    """A body that knows what became of it."""

    def __init__(self, *, fails: bool = False) -> None:
        self.closed = 0
        self.fails = fails

    def __iter__(self) -> Iterator[bytes]:
        yield b"one"
        if self.fails:
            raise LookupError("in the middle")

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize("fails", [False, True])
def test_close_is_called_once_whatever_came(*, fails: bool) -> None:
    body = Closed(fails=fails)

    def app(environ: Any, start_response: Any) -> Closed:
        start_response("200 OK", [])
        return body

    try:
        Server().serve(ours(app))
    except LookupError:
        assert fails
    assert body.closed == 1


def test_a_body_is_closed_where_the_server_refuses_its_headers() -> None:
    body = Closed()

    def app(environ: Any, start_response: Any) -> Closed:
        start_response("200 OK", [("X", "a\nb")])
        return body

    def start_response(*_: Any) -> Any:
        raise ValueError("a line break")

    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    with pytest.raises(ValueError, match="a line break"):
        ours(app)(environ, start_response)
    assert body.closed == 1
