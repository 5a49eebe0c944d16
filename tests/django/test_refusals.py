"""What Django's views and REST framework's permissions answer where a token is refused."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest

import authmw
from authmw.testing import Fault, IdentityServer
from tests.django.conftest import Serve
from tests.django.test_middleware import ask
from tests.django.test_rest import make_view
from tests.support.entries import DJANGO_WITH_SESSIONS, make_django
from tests.support.views import set_django_up

DELAY = {"delay_auth_decision": True}

# What stands in permission_classes; a token that nobody could validate has none of it.
_PERMISSIONS = (
    "IsAuthenticated",
    "HasRole('member')",
    "HasRole('member') | IsAuthenticated",
    "~HasRole('guest')",
)


def _hello(_request: Any) -> Any:
    from django.http import HttpResponse

    return HttpResponse("hello")


async def _hello_async(_request: Any) -> Any:
    return _hello(_request)


def _permission(expression: str) -> Any:
    set_django_up()
    from rest_framework import permissions

    from authmw.django import rest

    return eval(expression, {**vars(permissions), **vars(rest)})


# --- outages


def _issue_two(client: Any, server: IdentityServer) -> list[dict[str, str]]:
    """Return the headers of a token that the filter remembers, and of one that it has not seen."""
    issued = [
        {"X-Auth-Token": server.issue("member", project="inventory")},
        {"X-Auth-Token": server.issue("member", project="inventory")},
    ]
    assert client.get("/", headers=issued[0]).status_code == 200
    return issued


def _assert_undecided(answer: Any) -> None:
    assert answer.status_code == 503
    assert int(answer["Retry-After"]) > 0
    assert "WWW-Authenticate" not in answer
    assert answer.json()["error"]["code"] == 503


def test_require_says_that_nobody_could_validate_the_token(
    serve: Serve, server: IdentityServer
) -> None:
    from django.urls import path

    def checking(request: Any) -> Any:
        authmw.check(roles="member")
        return _hello(request)

    client = serve(
        authmw.require()(_hello), path("check", checking), path("public", _hello), **DELAY
    )
    seen, unseen = _issue_two(client, server)
    with server.failing(Fault.ERROR_503):
        _assert_undecided(client.get("/", headers=unseen))
        _assert_undecided(client.post("/", headers=unseen))
        _assert_undecided(client.get("/check", headers=unseen))
        assert client.get("/public", headers=unseen).status_code == 200
        assert client.get("/").status_code == 401
        assert client.get("/", headers=seen).status_code == 200


@pytest.mark.parametrize(
    ("expression", "has_authentication"),
    [
        *((expression, True) for expression in _PERMISSIONS),
        ("HasRole('member')", False),
        ("~HasRole('guest')", False),
    ],
)
def test_permissions_of_rest_framework_say_so(
    serve: Serve, server: IdentityServer, expression: str, *, has_authentication: bool
) -> None:
    view = make_view(_permission(expression), authentication=None if has_authentication else [])
    client = serve(view.as_view(), **DELAY)
    seen, unseen = _issue_two(client, server)
    with server.failing(Fault.ERROR_503):
        for answer in (client.get("/", headers=unseen), client.post("/", headers=unseen)):
            _assert_undecided(answer)
        assert client.get("/").status_code == 401
        assert client.get("/", headers=seen).status_code == 200


_VIEWS: dict[str, Callable[[], Any]] = {
    "sync": lambda: authmw.require()(_hello),
    "async": lambda: authmw.require()(_hello_async),
    "rest": lambda: make_view(_permission("IsAuthenticated")).as_view(),
}


@pytest.mark.parametrize("view", _VIEWS)
def test_asgi_says_so(server: IdentityServer, database: Any, view: str) -> None:
    options = {**server.service_credentials, **DELAY}
    app = make_django(options, _VIEWS[view](), DJANGO_WITH_SESSIONS, is_async=True)
    seen, unseen = (server.issue("member", project="inventory") for _ in range(2))

    async def converse() -> None:
        assert (await ask(app, x_auth_token=seen))[0] == 200
        with server.failing(Fault.ERROR_503):
            for method in ("GET", "POST"):
                status, body = await ask(app, method, x_auth_token=unseen)
                assert (status, json.loads(body)["error"]["code"]) == (503, 503)
            assert (await ask(app))[0] == 401
            assert (await ask(app, x_auth_token=seen))[0] == 200

    asyncio.run(converse())


def test_django_s_own_decorators_answer_by_themselves(serve: Serve, server: IdentityServer) -> None:
    from django.contrib.auth.decorators import login_required, permission_required
    from django.urls import path

    permitted = permission_required("items.add_item", raise_exception=True)(_hello)
    client = serve(
        login_required(_hello),
        path("permitted", permitted),
        settings={"LOGIN_URL": "/login"},
        **DELAY,
    )
    unseen = {"X-Auth-Token": server.issue("member", project="inventory")}
    with server.failing(Fault.ERROR_503):
        for headers in ({}, {"X-Auth-Token": "junk"}, unseen):
            answer = client.get("/", headers=headers)
            assert (answer.status_code, answer["Location"]) == (302, "/login?next=/")
            assert client.get("/permitted", headers=headers).status_code == 403


def test_public_view_of_rest_framework_runs_unless_nobody_could_validate_the_token(
    serve: Serve, server: IdentityServer
) -> None:
    client = serve(make_view(_permission("AllowAny")).as_view(), **DELAY)
    seen, unseen = _issue_two(client, server)
    for headers in ({}, seen, {"X-Auth-Token": "junk"}):
        assert client.get("/", headers=headers).status_code == 200
    with server.failing(Fault.ERROR_503):
        for headers in ({}, seen):
            assert client.get("/", headers=headers).status_code == 200
        _assert_undecided(client.get("/", headers=unseen))


# --- forged requests (CSRF)


def test_client_with_a_refused_token_learns_to_renew_it(serve: Serve, log_in: Any) -> None:
    client = serve(authmw.require()(_hello), accept_bearer=True, **DELAY)
    refused = ({"X-Auth-Token": "junk"}, {"Authorization": "Bearer junk"})
    for headers in refused:
        answer = client.post("/", headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, 401)
        assert "Keystone uri=" in answer["WWW-Authenticate"]
    client.cookies["of-another-login"] = "x"
    for headers in refused:
        assert client.post("/", headers=headers).status_code == 403
    client.cookies.clear()
    for headers in refused:
        assert client.post("/", headers=headers, REMOTE_USER="ada").status_code == 403
    log_in(client)
    for headers in refused:
        answer = client.post("/", headers=headers)
        assert (answer.status_code, answer["Content-Type"]) == (403, "text/html; charset=utf-8")


# --- what Django makes of a refusal


def test_asgi_asks_for_the_challenge_of_a_refusal_in_a_group_in_a_thread(
    server: IdentityServer, database: Any
) -> None:
    async def view(_request: Any) -> None:
        async def check() -> None:
            authmw.check()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(check())

    # Nothing has asked Keystone before, and none of this names the address for clients.
    options = {**server.service_credentials, **DELAY, "identity_deadline": "5"}
    options.pop("www_authenticate_uri", None)
    app = make_django(options, view, DJANGO_WITH_SESSIONS, is_async=True)

    async def converse() -> tuple[float, int]:
        with server.failing(Fault.HANG):
            asking = asyncio.create_task(ask(app))
            begin = time.monotonic()
            await asyncio.sleep(0.3)
            seconds = time.monotonic() - begin
        return seconds, (await asking)[0]

    seconds, status = asyncio.run(converse())
    assert status == 401
    assert seconds < 3, "the event loop waited for Keystone"


def _raise(_request: Any) -> Any:
    authmw.check(roles="admin")


async def _raise_async(_request: Any) -> Any:
    authmw.check(roles="admin")


def test_refusal_is_logged_without_a_traceback(
    serve: Serve, server: IdentityServer, caplog: pytest.LogCaptureFixture
) -> None:
    from django.urls import path

    member = {"X-Auth-Token": server.issue("member", project="inventory")}
    client = serve(_raise, path("rest", make_view(_permission("HasRole('admin')")).as_view()))
    caplog.set_level(logging.INFO)
    for number, url in enumerate(("/", "/rest"), 1):
        assert client.get(url, headers=member).status_code == 403
        told = [one for one in caplog.records if one.name == "django.request"]
        assert [(one.levelname, one.exc_info) for one in told] == [("WARNING", None)] * number
    assert "its token lacks" in caplog.text


@pytest.mark.parametrize("view", [_raise, _raise_async])
def test_asgi_logs_no_traceback(
    server: IdentityServer, database: Any, caplog: pytest.LogCaptureFixture, view: Any
) -> None:
    app = make_django(server.service_credentials, view, DJANGO_WITH_SESSIONS, is_async=True)
    member = server.issue("member", project="inventory")
    status, body = asyncio.run(ask(app, x_auth_token=member))
    assert (status, json.loads(body)["error"]["missing"]) == (403, {"roles": ["admin"]})
    told = [one for one in caplog.records if one.name == "django.request"]
    assert [one.exc_info for one in told] == [None]


@pytest.mark.parametrize("is_behind", [True, False])
def test_exception_middleware_behind_ours_sees_refusals(
    serve: Serve, server: IdentityServer, *, is_behind: bool
) -> None:
    from django.core.exceptions import PermissionDenied
    from django.http import HttpResponse

    urls: Any = set_django_up()

    class Answering:
        def __init__(self, get_response: Any) -> None:
            self._get_response = get_response

        def __call__(self, request: Any) -> Any:
            return self._get_response(request)

        def process_exception(self, _request: Any, exception: Exception) -> Any:
            assert isinstance(exception, PermissionDenied)
            return HttpResponse("of the project", status=418)

    urls.Answering = Answering
    its, ours = (f"{urls.__name__}.Answering",), DJANGO_WITH_SESSIONS
    client = serve(_raise, middleware=(*ours, *its) if is_behind else (*its, *ours))
    member = {"X-Auth-Token": server.issue("member", project="inventory")}
    assert client.get("/", headers=member).status_code == (418 if is_behind else 403)


def test_handler403_is_asked_for_the_project_s_own(serve: Serve, server: IdentityServer) -> None:
    from django.core.exceptions import PermissionDenied
    from django.http import HttpResponse
    from django.urls import path

    def own(_request: Any) -> Any:
        raise PermissionDenied

    urls: Any = set_django_up()
    urls.handler403 = lambda _request, exception: HttpResponse("own page", status=403)
    try:
        client = serve(_raise, path("own", own))
        member = {"X-Auth-Token": server.issue("member", project="inventory")}
        assert client.get("/own", headers=member).content == b"own page"
        assert client.get("/", headers=member).json()["error"]["missing"] == {"roles": ["admin"]}
    finally:
        del urls.handler403
