"""Our own 401 and 503, and the service's responses, which pass unchanged."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest
from oslo_config import cfg
from webtest.lint import middleware as lint

import authmw
from authmw.testing import Fault, IdentityServer
from tests.support.protected import Protect

pytestmark = pytest.mark.both_doors

KEYSTONE_401 = {
    "error": {
        "code": 401,
        "title": "Unauthorized",
        "message": "The request you have made requires authentication.",
    }
}


@pytest.mark.parametrize("token", [None, "garbage"])
def test_a_401_is_keystone_s_and_says_where_to_authenticate(
    protect: Protect, token: str | None
) -> None:
    response = protect(www_authenticate_uri="https://id.example/v3").get(token)
    assert response.status == "401 Unauthorized"
    assert response.json == KEYSTONE_401
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers.getall("WWW-Authenticate") == ['Keystone uri="https://id.example/v3"']
    assert "Retry-After" not in response.headers


def test_the_address_in_a_401_is_discovered_where_none_is_configured(
    protect: Protect, server: IdentityServer
) -> None:
    response = protect(www_authenticate_uri="").get()
    assert response.headers["WWW-Authenticate"] == f'Keystone uri="{server.url}/v3"'


def test_a_401_comes_while_the_identity_service_is_gone(
    protect: Protect, server: IdentityServer
) -> None:
    protected = protect(www_authenticate_uri="")
    server.stop()
    response = protected.get()
    assert response.status_int == 401
    assert response.headers["WWW-Authenticate"] == f'Keystone uri="{server.url}"'


def test_where_nobody_can_say_it_is_a_503_with_retry_after(
    protect: Protect, server: IdentityServer
) -> None:
    protected = protect()
    token = server.issue(project="inventory")
    server.stop()
    response = protected.get(token)
    assert response.status == "503 Service Unavailable"
    assert response.json["error"]["code"] == 503
    assert int(response.headers["Retry-After"]) > 0
    assert "WWW-Authenticate" not in response.headers
    assert protected.service.seen == []
    server.start()
    assert protected.get(token).status_int == 200, "an outage is not remembered"


def test_with_delay_an_outage_leaves_the_decision_to_the_app(
    protect: Protect, server: IdentityServer
) -> None:
    protected = protect(delay_auth_decision="true")
    token = server.issue(project="inventory")
    with server.failing(Fault.ERROR_500, "validate"):
        assert protected.get(token).status_int == 200
    assert protected.service.last["HTTP_X_IDENTITY_STATUS"] == "Invalid"
    assert "HTTP_X_USER_ID" not in protected.service.last


@pytest.mark.parametrize("token", [None, "garbage"])
def test_an_answer_to_head_has_no_body(protect: Protect, token: str | None) -> None:
    protected = protect()
    headers = {"X-Auth-Token": token} if token else {}
    response = protected.app.head("/", headers=headers, status=401)
    assert (response.body, response.headers["WWW-Authenticate"][:8]) == (b"", "Keystone")


def test_a_401_of_the_app_gets_our_challenge_beside_its_own(
    protect: Protect, server: IdentityServer, door: str
) -> None:
    protected = protect()
    protected.service.status = "401 Nope"
    response = protected.get(server.issue(project="inventory"))
    # ASGI knows no reason phrases.
    assert response.status == ("401 Nope" if door == "wsgi" else "401 Unauthorized")
    assert response.headers.getall("WWW-Authenticate") == [f'Keystone uri="{server.url}"']
    protected.service.status = "403 Forbidden"
    response = protected.get(server.issue(project="inventory"))
    assert "WWW-Authenticate" not in response.headers


class Body:
    """An app's iterable that knows whether it was closed."""

    def __init__(self) -> None:
        self.closed = False
        self.yielded = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in (b"one", b"", b"two"):
            self.yielded += 1
            yield chunk

    def close(self) -> None:
        self.closed = True


Conversation = tuple[list[Any], list[bytes], Iterable[bytes]]


def converse(app: Callable[..., Any], token: str, **extra: Any) -> Conversation:
    """Call a WSGI app as a server does; return what it started, wrote, and its iterable."""
    environ: dict[str, Any] = {"HTTP_X_AUTH_TOKEN": token, **extra}
    setup_testing_defaults(environ)
    started: list[Any] = []
    written: list[bytes] = []

    def start_response(*arguments: Any) -> Callable[[bytes], Any]:
        started.append(arguments)
        return written.append

    return started, written, app(environ, start_response)


@pytest.fixture
def wrap(server: IdentityServer) -> Callable[[Any], Any]:
    factory = authmw.filter_factory({}, **server.service_credentials)
    return lambda app: factory(app)


def test_what_the_app_s_iterable_gives_is_handed_on_piece_by_piece_and_so_is_close(
    wrap: Callable[[Any], Any], server: IdentityServer
) -> None:
    body = Body()

    def app(environ: Any, start_response: Any) -> Body:
        start_response(
            "200 OK", [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Location", "../x")]
        )
        return body

    started, _, returned = converse(wrap(app), server.issue(project="inventory"))
    assert started == [
        ("200 OK", [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Location", "../x")])
    ]
    assert (body.yielded, body.closed) == (0, False)
    pieces = iter(returned)
    assert [(next(pieces), body.yielded) for _ in range(3)] == [(b"one", 1), (b"", 2), (b"two", 3)]
    assert next(pieces, None) is None
    assert not body.closed
    returned.close()  # type: ignore[attr-defined]
    assert body.closed


def test_write_and_exc_info_pass(wrap: Callable[[Any], Any], server: IdentityServer) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        write = start_response("200 OK", [])
        write(b"early")
        try:
            raise RuntimeError("late failure")
        except RuntimeError:
            start_response("500 Oops", [("X-Late", "1")], sys.exc_info())
        return []

    started, written, _ = converse(wrap(app), server.issue(project="inventory"))
    assert written == [b"early"]
    status, headers, exc_info = started[1]
    assert (status, headers, str(exc_info[1])) == ("500 Oops", [("X-Late", "1")], "late failure")


def test_what_the_app_raises_reaches_the_server(
    wrap: Callable[[Any], Any], server: IdentityServer
) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        raise LookupError("the app's own")

    with pytest.raises(LookupError, match="the app's own"):
        converse(wrap(app), server.issue(project="inventory"))


def streaming(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"one"
    yield b"two"


def writing(environ: Any, start_response: Any) -> list[bytes]:
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    write(b"one")
    return [b"two"]


def refusing(environ: Any, start_response: Any) -> list[bytes]:
    start_response("401 Nope", [("Content-Type", "text/plain")])
    return [b"onetwo"]


@pytest.mark.parametrize("checker", [validator, lint], ids=["wsgiref.validate", "webtest.lint"])
@pytest.mark.parametrize("app", [streaming, writing, refusing])
@pytest.mark.parametrize("token", ["good", "garbage", None])
def test_checkers_on_both_sides_find_nothing(
    wrap: Callable[[Any], Any], server: IdentityServer, app: Any, checker: Any, token: str | None
) -> None:
    if token == "good":
        token = server.issue(project="inventory")
    checked = checker(wrap(checker(app)))
    environ: dict[str, Any] = {"QUERY_STRING": ""}
    if token is not None:
        environ["HTTP_X_AUTH_TOKEN"] = token
    setup_testing_defaults(environ)
    started: list[str] = []
    written: list[bytes] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Callable[[bytes], Any]:
        started.append(status)
        return written.append

    body = checked(environ, start_response)
    chunks = list(body)
    body.close()
    if token in (None, "garbage"):
        assert started == ["401 Unauthorized"]
    else:
        assert b"".join(written + chunks) == b"onetwo"


def test_the_app_that_stands_alone_answers_204_to_whom_it_lets_through(
    server: IdentityServer,
) -> None:
    app = authmw.app_factory({}, **server.service_credentials)
    started, _, _ = converse(app, server.issue(project="inventory"))
    assert started[0][0] == "204 No Content"
    started, _, _ = converse(app, "garbage")
    assert started[0][0] == "401 Unauthorized"


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
@pytest.mark.parametrize(
    "options",
    [
        {"delay_auth_decision": "true"},
        {"delay-auth-decision": "true"},
        {"public_paths": "GET /, OPTIONS /"},
        {"allow_cors_preflight": "true"},
    ],
    ids=str,
)
def test_the_app_that_stands_alone_answers_204_only_to_a_confirmed_identity(
    server: IdentityServer, options: dict[str, str], method: str
) -> None:
    """No service is behind it that could decide on a request without one."""
    good = server.issue(project="inventory")
    sent = [
        {},
        {"HTTP_X_AUTH_TOKEN": "garbage"},
        {"HTTP_X_IDENTITY_STATUS": "Confirmed"},
        {"HTTP_X_AUTH_TOKEN": good, "HTTP_X_SERVICE_TOKEN": "garbage"},
        {"HTTP_X_AUTH_TOKEN": good},
    ]
    with closing(authmw.app_factory({}, **server.service_credentials, **options)) as app:
        statuses = [ask(app, REQUEST_METHOD=method, **one) for one in sent]
        assert statuses == [401, 401, 401, 401, 204]
        server.stop()
        assert ask(app, REQUEST_METHOD=method, HTTP_X_AUTH_TOKEN="unknown") == 503


def test_the_app_that_stands_alone_stays_as_strict_after_a_reload(
    server: IdentityServer, tmp_path: Path
) -> None:
    path = tmp_path / "service.conf"
    path.write_text("[keystone_authtoken]\naccept_bearer = false\n")
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[str(path)])
    options = {**server.service_credentials, "oslo_config_config": conf}
    new = (
        "[keystone_authtoken]\naccept_bearer = true\ndelay_auth_decision = true\n"
        "allow_cors_preflight = true\npublic_paths = OPTIONS /\n"
    )
    good = {"HTTP_AUTHORIZATION": f"Bearer {server.issue(project='inventory')}"}
    with closing(authmw.app_factory({}, **options)) as app:
        path.write_text(new)
        conf.mutate_config_files()
        assert [ask(app, REQUEST_METHOD="OPTIONS", **one) for one in ({}, good)] == [401, 204]


def ask(app: Any, **environ: str) -> int:
    """Return the status of one answer."""
    setup_testing_defaults(environ)
    started: list[str] = []
    list(app(environ, lambda status, _headers, _exc_info=None: started.append(status)))
    return int(started[-1][:3])


def test_one_filter_wraps_several_apps_with_one_memory(
    wrap: Callable[[Any], Any], server: IdentityServer
) -> None:
    first, second = wrap(streaming), wrap(writing)
    token = server.issue(project="inventory")
    for app in (first, second, first):
        started, _, body = converse(app, token)
        list(body)
        assert started[0][0] == "200 OK"
    assert server.calls["validate"] == 1
