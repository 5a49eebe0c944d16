"""`authmw.django.AuthMiddleware`: who `request.user` is, and what else Django makes of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

import authmw
from authmw.errors import ConfigurationError
from authmw.testing import Fault, IdentityServer
from tests.django.conftest import Serve
from tests.support.entries import DJANGO_WITH_SESSIONS, make_django
from tests.support.views import set_django_up

DELAY = {"delay_auth_decision": True}
OURS_ALONE = DJANGO_WITH_SESSIONS[-1:]
OURS_FIRST = (DJANGO_WITH_SESSIONS[-1], *DJANGO_WITH_SESSIONS[:-1])


def who(request: Any) -> Any:
    """Tell who the user is; as changed, where Django let a POST through."""
    from django.http import JsonResponse

    user = request.user
    token = getattr(user, "token", None)
    return JsonResponse(
        {
            "name": user.get_username(),
            "is_authenticated": user.is_authenticated,
            "roles": sorted(user.roles) if token else [],
            "project": user.project.id if token and user.project else None,
            "is_current": authmw.current() is token,
            "forged": request.headers.get("X-Roles") == "forged",
        }
    )


@pytest.fixture
def member(server: IdentityServer) -> dict[str, str]:
    return {"X-Auth-Token": server.issue("member", project="inventory")}


@pytest.mark.parametrize(
    "middleware", [DJANGO_WITH_SESSIONS, DJANGO_WITH_SESSIONS[-1:], OURS_FIRST]
)
def test_request_user_is_the_user_of_the_token(
    serve: Serve, server: IdentityServer, member: dict[str, str], middleware: Any
) -> None:
    client = serve(who, middleware=middleware)
    told = client.get("/", headers=member).json()
    assert told == {
        "name": "member",
        "is_authenticated": True,
        "roles": ["member", "reader"],
        "project": server.directory.project("inventory").id,
        "is_current": True,
        "forged": False,
    }
    assert authmw.current() is None


def test_without_a_token_nobody_gets_to_a_view(serve: Serve, server: IdentityServer) -> None:
    answer = serve(who).get("/")
    assert (answer.status_code, answer["Content-Type"]) == (401, "application/json")
    assert answer["WWW-Authenticate"] == f'Keystone uri="{server.url}"'
    assert answer.json()["error"]["title"] == "Unauthorized"


@pytest.mark.parametrize(
    "middleware", [DJANGO_WITH_SESSIONS, DJANGO_WITH_SESSIONS[-1:], OURS_FIRST]
)
def test_where_the_app_decides_nobody_is_anonymous(serve: Serve, middleware: Any) -> None:
    client = serve(who, middleware=middleware, **DELAY)
    for headers in ({}, {"X-Auth-Token": "junk"}, {"X-Roles": "forged", "X-User-Name": "admin"}):
        told = client.get("/", headers=headers).json()
        assert (told["is_authenticated"], told["forged"]) == (False, False)


@pytest.mark.parametrize("middleware", [DJANGO_WITH_SESSIONS, OURS_FIRST])
def test_session_is_who_calls_without_a_token_alone(
    serve: Serve, member: dict[str, str], log_in: Any, middleware: Any
) -> None:
    client = serve(who, middleware=middleware, **DELAY)
    log_in(client)
    assert client.get("/").json()["name"] == "local"
    assert client.get("/", headers=member).json()["name"] == "member"
    refused = client.get("/", headers={"X-Auth-Token": "junk"}).json()
    assert (refused["name"], refused["is_authenticated"]) == ("", False)


# --- forged requests (CSRF)


@pytest.mark.parametrize("middleware", [DJANGO_WITH_SESSIONS, OURS_FIRST])
def test_csrf_checks_are_for_requests_that_a_browser_can_be_made_to_send(
    serve: Serve, server: IdentityServer, member: dict[str, str], log_in: Any, middleware: Any
) -> None:
    client = serve(who, middleware=middleware, accept_bearer=True, **DELAY)
    bearer = {"Authorization": f"Bearer {member['X-Auth-Token']}"}
    junk = {"Authorization": "Bearer junk"}
    assert client.post("/").status_code == 403, "nobody"
    # No page of another site can have a browser send these headers.
    assert client.post("/", headers=junk).json()["is_authenticated"] is False
    assert client.post("/", headers={"X-Auth-Token": "junk"}).json()["is_authenticated"] is False
    assert client.post("/", headers={"X-Auth-Token": ""}).status_code == 403
    assert client.post("/", headers=member).status_code == 200
    assert client.post("/", headers=bearer).status_code == 200
    log_in(client)
    for headers in ({}, junk, member, bearer, {"X-Auth-Token": "junk"}, {"X-Auth-Token": ""}):
        assert client.post("/", headers=headers).status_code == 403, "with a session"
    client.get("/", headers=member)
    csrf = _csrf_headers(client)
    assert client.post("/", headers=csrf).json()["name"] == "local"
    assert client.post("/", headers={**member, **csrf}).json()["name"] == "member"


def _csrf_headers(client: Any) -> dict[str, str]:
    from django.middleware.csrf import _get_new_csrf_string

    secret = _get_new_csrf_string()
    client.cookies["csrftoken"] = secret
    return {"X-CSRFToken": secret}


def test_csrf_checks_hold_where_no_token_is_needed(
    serve: Serve, member: dict[str, str], log_in: Any
) -> None:
    """The token of a public path is not looked at, so that it excuses nothing."""
    client = serve(who, public_paths="POST /")
    assert client.post("/", headers=member).status_code == 403
    log_in(client)
    assert client.post("/", headers=member).status_code == 403


def test_login_does_not_make_a_session_of_a_token(serve: Serve, member: dict[str, str]) -> None:
    def view(request: Any) -> Any:
        from django.contrib.auth import login

        with pytest.raises(AttributeError):
            login(request, request.user, backend="django.contrib.auth.backends.ModelBackend")
        return who(request)

    client = serve(view)
    assert client.get("/", headers=member).status_code == 200
    assert "_auth_user_id" not in client.session


# --- what Django asks of a user


def test_login_required_and_permissions(
    serve: Serve, server: IdentityServer, member: dict[str, str]
) -> None:
    from django.contrib.auth.decorators import login_required, permission_required
    from django.urls import path

    reader = {"X-Auth-Token": server.issue("reader", project="inventory")}
    permissions = {"items.add_item": {"roles": "member", "scope": "project"}}
    client = serve(
        login_required(who),
        path("add", permission_required("items.add_item", raise_exception=True)(who)),
        path("unknown", permission_required("items.delete_item", raise_exception=True)(who)),
        settings={"AUTHMW_PERMISSIONS": permissions},
        **DELAY,
    )
    assert client.get("/").status_code == 302
    assert client.get("/", headers=reader).status_code == 200
    assert client.get("/add", headers=reader).status_code == 403
    assert client.get("/add", headers=member).status_code == 200
    assert client.get("/unknown", headers=member).status_code == 403


def test_permissions_of_a_token(serve: Serve, member: dict[str, str]) -> None:
    seen: list[Any] = []

    def view(request: Any) -> Any:
        seen.append(request.user)
        return who(request)

    required = {"items.add_item": {"roles": "member"}, "items.drop": {"roles": "admin"}}
    serve(view, settings={"AUTHMW_PERMISSIONS": required}).get("/", headers=member)
    (user,) = seen
    assert user.get_all_permissions() == {"items.add_item"}
    assert user.has_perm("items.add_item")
    assert user.has_perms(["items.add_item"])
    assert not user.has_perms(["items.add_item", "items.drop"])
    assert not user.has_perm("items.add_item", object()), "nothing is known of single objects"
    assert (user.has_module_perms("items"), user.has_module_perms("item")) == (True, False)
    assert (user.is_staff, user.is_superuser, list(user.groups.all())) == (False, False, [])
    assert asyncio.run(user.ahas_perm("items.add_item"))
    with pytest.raises(NotImplementedError):
        user.save()


def test_users_of_different_projects_are_different(
    serve: Serve, server: IdentityServer, member: dict[str, str]
) -> None:
    """What an app remembers by `request.user` must not be found for another token's rights."""
    seen: list[Any] = []

    def view(request: Any) -> Any:
        seen.append(request.user)
        return who(request)

    client = serve(view)
    for token in (
        server.issue("member", project="inventory"),
        server.issue("member", project="inventory"),
        server.issue("member", project="billing"),
    ):
        client.get("/", headers={"X-Auth-Token": token})
    assert seen[0] == seen[1]
    assert hash(seen[0]) == hash(seen[1])
    assert seen[0] != seen[2]
    assert seen[0].pk == seen[2].pk == seen[0].id
    assert len({*seen}) == 2


def test_responses_vary_with_the_token(serve: Serve, member: dict[str, str]) -> None:
    vary = serve(who).get("/", headers=member)["Vary"]
    assert set(vary.split(", ")) == {"X-Auth-Token", "X-Storage-Token"}
    vary = serve(who, accept_bearer=True, **DELAY).get("/")["Vary"]
    assert {"X-Auth-Token", "X-Storage-Token", "Authorization"} <= set(vary.split(", "))


def test_the_middleware_s_own_answers_vary_too(
    serve: Serve, server: IdentityServer, member: dict[str, str]
) -> None:
    client = serve(who, cors_allowed_origins="https://page.example")
    origin = {"Origin": "https://page.example"}
    refused = client.get("/", headers=origin)
    with server.failing(Fault.ERROR_503):
        undecided = client.get("/", headers={**origin, **member})
    for status, answer in ((401, refused), (503, undecided)):
        vary = set(answer["Vary"].split(", "))
        assert (answer.status_code, vary) == (status, {"Origin", "X-Auth-Token", "X-Storage-Token"})


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        (None, "private"),
        ("max-age=60", "max-age=60, private"),
        ("no-store", "no-store, private"),
        ("Public, max-age=60", "Public, max-age=60"),
        ("s-maxage=60", "s-maxage=60"),
    ],
)
def test_answer_to_a_token_is_private_unless_the_view_shares_it(
    serve: Serve, member: dict[str, str], said: str | None, sent: str
) -> None:
    def view(request: Any) -> Any:
        response = who(request)
        if said is not None:
            response["Cache-Control"] = said
        return response

    client = serve(view, **DELAY)
    assert client.get("/", headers=member)["Cache-Control"] == sent
    assert client.get("/").get("Cache-Control") == said


def test_cache_of_the_site_knows_no_answer_to_a_token_that_is_refused_now(
    serve: Serve, server: IdentityServer
) -> None:
    middleware = (
        "django.middleware.cache.UpdateCacheMiddleware",
        *DJANGO_WITH_SESSIONS,
        "django.middleware.cache.FetchFromCacheMiddleware",
    )
    client = serve(who, middleware=middleware, token_cache_time=0, **DELAY)
    for name in ("X-Auth-Token", "X-Storage-Token"):
        token = server.issue("member", project="inventory")
        assert client.get("/", headers={name: token}).json()["name"] == "member"
        assert client.get("/").json()["name"] == ""
        server.revoke(token)
        assert client.get("/", headers={name: token}).json()["name"] == ""


def test_cache_of_the_site_gives_nobody_another_s_answer(
    serve: Serve, server: IdentityServer, member: dict[str, str]
) -> None:
    middleware = (
        "django.middleware.cache.UpdateCacheMiddleware",
        *DJANGO_WITH_SESSIONS,
        "django.middleware.cache.FetchFromCacheMiddleware",
    )
    client = serve(who, middleware=middleware)
    assert client.get("/", headers=member).json()["name"] == "member"
    reader = {"X-Auth-Token": server.issue("reader", project="inventory")}
    assert client.get("/", headers=reader).json()["name"] == "reader"
    assert client.get("/").status_code == 401


def test_cache_of_a_view_varies_where_it_says_so(
    serve: Serve, server: IdentityServer, member: dict[str, str]
) -> None:
    set_django_up()
    from django.views.decorators.cache import cache_page
    from django.views.decorators.vary import vary_on_headers

    calls: list[str] = []

    @vary_on_headers("X-Auth-Token", "Authorization")  # type: ignore[untyped-decorator]
    def view(request: Any) -> Any:
        calls.append(str(request.user))
        return who(request)

    client = serve(cache_page(60, key_prefix="of-a-view")(view))
    reader = {"X-Auth-Token": server.issue("reader", project="inventory")}
    for headers, name in ((member, "member"), (reader, "reader"), (member, "member")):
        assert client.get("/", headers=headers).json()["name"] == name
    assert calls == ["member", "reader"]


def test_page_about_a_fault_shows_no_token(
    serve: Serve, server: IdentityServer, member: dict[str, str]
) -> None:
    """With DEBUG, Django shows what is in `request.META`, and its settings."""

    def view(_request: Any) -> Any:
        raise ZeroDivisionError

    client = serve(view, settings={"DEBUG": True}, accept_bearer=True)
    client.raise_request_exception = False
    for headers in (member, {"Authorization": f"Bearer {member['X-Auth-Token']}"}):
        answer = client.get("/", headers=headers)
        assert answer.status_code == 500
        assert b"ZeroDivisionError" in answer.content
        assert member["X-Auth-Token"].encode() not in answer.content
        assert server.service_credentials["password"].encode() not in answer.content


# --- refusals


def test_require_answers_as_everywhere(
    serve: Serve, server: IdentityServer, member: dict[str, str]
) -> None:
    client = serve(authmw.require(roles="admin")(who), **DELAY)
    answer = client.get("/", headers=member)
    assert (answer.status_code, answer.json()["error"]["missing"]) == (403, {"roles": ["admin"]})
    nobody = client.get("/")
    assert (nobody.status_code, nobody.json()["error"]["code"]) == (401, 401)
    assert nobody["WWW-Authenticate"] == f'Keystone uri="{server.url}"'
    head = client.head("/", headers=member)
    assert (head.status_code, head.content) == (403, b"")
    assert int(head["Content-Length"]) == len(answer.content)


def test_app_s_own_401_is_challenged_and_its_own_403_left_alone(
    serve: Serve, server: IdentityServer, member: dict[str, str]
) -> None:
    from django.http import HttpResponse
    from django.urls import path

    client = serve(
        lambda _request: HttpResponse("sorry", status=401),
        path("forbidden", lambda _request: HttpResponse("no", status=403)),
        **DELAY,
    )
    answer = client.get("/")
    assert (answer.content, answer["WWW-Authenticate"]) == (
        b"sorry",
        f'Keystone uri="{server.url}"',
    )
    assert client.get("/forbidden", headers=member).content == b"no"


def test_fault_in_a_view_is_the_app_s(serve: Serve, member: dict[str, str]) -> None:
    def view(_request: Any) -> Any:
        raise ZeroDivisionError

    client = serve(view)
    client.raise_request_exception = False
    assert client.get("/", headers=member).status_code == 500
    assert authmw.current() is None


def test_what_middleware_in_front_has_read_is_not_believed(
    serve: Serve, member: dict[str, str]
) -> None:
    """`request.headers` is a copy, made when it is first read."""
    urls: Any = set_django_up()

    def peek(get_response: Any) -> Any:
        def respond(request: Any) -> Any:
            assert request.headers["X-Roles"] == "forged"
            return get_response(request)

        return respond

    urls.peek = peek
    client = serve(who, middleware=[f"{urls.__name__}.peek", *DJANGO_WITH_SESSIONS], **DELAY)
    for headers in (member, {}):
        told = client.get("/", headers={**headers, "X-Roles": "forged"}).json()
        assert told["forged"] is False


def test_streamed_answer_knows_its_token(serve: Serve, member: dict[str, str]) -> None:
    from django.http import StreamingHttpResponse

    closed: list[bool] = []

    def stream() -> Iterator[bytes]:
        try:
            for _ in range(2):
                token = authmw.current()
                yield b"nobody" if token is None else (token.user.name or "").encode()
        finally:
            closed.append(True)

    client = serve(lambda _request: StreamingHttpResponse(stream()))
    answer = client.get("/", headers=member)
    assert b"".join(answer.streaming_content) == b"membermember"
    answer.close()
    assert closed == [True]
    assert authmw.current() is None


# --- settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"AUTHMW": None}, r"AUTHMW is not set: name a configuration file"),
        ({"AUTHMW": ["auth_url"]}, r"AUTHMW = \['auth_url'\]: name a configuration file"),
        ({"AUTHMW": {"AUTH_URL": "https://x"}}, "write 'auth_url': options are in lower case"),
        ({"AUTHMW": "/nowhere.conf"}, "config_file = '/nowhere.conf': name a configuration file"),
        ({"AUTHMW_PERMISSIONS": {"a.b": {"role": "x"}}}, "'role' is no argument of authmw.require"),
        ({"AUTHMW_PERMISSIONS": {"a.b": {"roles": ()}}}, "roles names nothing"),
        ({"AUTHMW_PERMISSIONS": {"a.b": "member"}}, "as a mapping"),
        ({"AUTHMW_PERMISSIONS": ["a.b"]}, "write a mapping"),
    ],
)
def test_wrong_settings_stop_the_start(serve: Serve, settings: Any, message: str) -> None:
    client = serve(who, settings=settings)
    with pytest.raises(ConfigurationError, match=message):
        client.get("/")


# --- ASGI


async def ask(app: Any, method: str = "GET", **headers: str) -> tuple[int, bytes]:
    sent: list[dict[str, Any]] = []
    received = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Any:
        try:
            return next(received)
        except StopIteration:
            await asyncio.sleep(3600)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": "/",
        "raw_path": b"/",
        "root_path": "",
        "scheme": "http",
        "query_string": b"",
        "headers": [(b"host", b"localhost")]
        + [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
        "server": ("localhost", 80),
        "client": ("127.0.0.1", 5),
    }
    await app(scope, receive, send)
    body = b"".join(one.get("body", b"") for one in sent[1:])
    return sent[0]["status"], body


@pytest.mark.parametrize("is_async_view", [False, True])
def test_asgi(server: IdentityServer, database: Any, *, is_async_view: bool) -> None:
    async def view(request: Any) -> Any:
        user = await request.auser()
        assert user == request.user
        return who(request)

    options = {**server.service_credentials, **DELAY}
    app = make_django(options, view if is_async_view else who, DJANGO_WITH_SESSIONS, is_async=True)
    token = server.issue("member", project="inventory")

    async def converse() -> None:
        status, body = await ask(app, x_auth_token=token, x_roles="forged")
        told = json.loads(body)
        assert (status, told["name"], told["is_current"]) == (200, "member", True)
        assert told["forged"] is False
        status, body = await ask(app, x_roles="forged")
        assert (status, json.loads(body)["is_authenticated"]) == (200, False)
        assert (await ask(app, "POST", x_auth_token=token))[0] == 200
        assert (await ask(app, "POST", x_auth_token=token, cookie="sessionid=x"))[0] == 403
        assert (await ask(app, "POST", x_auth_token="junk"))[0] == 200
        assert (await ask(app, "POST", x_auth_token="junk", cookie="sessionid=x"))[0] == 403
        assert (await ask(app, "POST"))[0] == 403

    asyncio.run(converse())


def test_asgi_streams_with_the_token(server: IdentityServer, database: Any) -> None:
    from django.http import StreamingHttpResponse

    async def stream() -> Any:
        for _ in range(2):
            await asyncio.sleep(0)
            token = authmw.current()
            yield b"nobody" if token is None else (token.user.name or "").encode()

    async def view(_request: Any) -> Any:
        return StreamingHttpResponse(stream())

    app = make_django(server.service_credentials, view, DJANGO_WITH_SESSIONS, is_async=True)
    token = server.issue("member", project="inventory")
    assert asyncio.run(ask(app, x_auth_token=token)) == (200, b"membermember")
    assert asyncio.run(ask(app))[0] == 401
