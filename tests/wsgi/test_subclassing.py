"""Subclasses written for keystonemiddleware: what they override is called, or refused.

The list of what can be overridden is the peer's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keystonemiddleware.auth_token as peer
import pytest
import webob
import webob.exc
from oslo_config import cfg
from webtest import TestApp

import authmw
from authmw.errors import InvalidToken, Reason
from authmw.testing import Fault, IdentityServer
from authmw.token import Token
from authmw.wsgi.peer_request import AuthTokenRequest
from tests.support.protected import Embed, Protected, Service

OVERRIDABLE = sorted(
    {
        name
        for base in peer.AuthProtocol.__mro__
        for name in vars(base)
        if base is not object and not name.startswith("__")
    }
)
NEVER_CALLED = [name for name in OVERRIDABLE if name != "process_request"]


def override(*_arguments: Any, **_named: Any) -> None:
    pytest.fail("nothing here calls it")


def test_the_peer_s_list_is_what_it_was() -> None:
    """A method that a new version adds is refused or called before anybody relies on it."""
    assert {
        "process_request",
        "fetch_token",
        "validate_allowed_request",
        "_confirm_token_bind",
    } <= (set(OVERRIDABLE))


@pytest.mark.parametrize("name", NEVER_CALLED)
def test_what_only_the_peer_calls_is_refused_when_the_class_is_defined(name: str) -> None:
    for value in (override, property(override), staticmethod(override)):
        with pytest.raises(TypeError, match=rf"Theirs has {name}, which authmw never calls"):
            type("Theirs", (authmw.AuthProtocol,), {name: value, "__qualname__": "Theirs"})
    mixin = type("Mixin", (), {name: override})
    with pytest.raises(TypeError, match=rf"has {name}, which authmw never calls"):
        type("Theirs", (mixin, authmw.AuthProtocol), {})


@pytest.mark.parametrize("name", NEVER_CALLED)
def test_what_only_the_peer_calls_is_refused_wherever_it_is_set_later(
    embed: Embed, name: str
) -> None:
    class Mixin:
        pass

    class Theirs(Mixin, authmw.AuthProtocol):
        pass

    middleware = embed(Theirs).app.app
    for owner in (Theirs, authmw.AuthProtocol, middleware):
        with pytest.raises(TypeError, match=rf"{name}, which authmw never calls"):
            setattr(owner, name, override)
        assert not hasattr(owner, name)
    setattr(Mixin, name, override)
    with pytest.raises(TypeError, match=rf"Theirs has {name}, which authmw never calls"):
        embed(Theirs)


def test_a_subclass_may_have_a_metaclass_of_the_standard_library() -> None:
    import abc

    class Base(abc.ABC):
        @abc.abstractmethod
        def audit(self) -> None:
            """Do what a service wants."""

    class Theirs(authmw.AuthProtocol, Base):
        pass

    with pytest.raises(TypeError, match="abstract"):
        Theirs(Service(), {})  # type: ignore[abstract]


def refuse(_self: Any, _environ: dict[str, Any], _token: Token) -> None:
    raise InvalidToken(Reason.ACCESS_RULE, "by a hook")


def open_all(_self: Any, _environ: dict[str, Any]) -> bool:
    return True


# A hook, whether a good token is sent, and the status that it makes of 200 or 401.
HOOKS = (("on_authenticated", refuse, True, 401), ("is_open", open_all, False, 200))


@pytest.mark.parametrize("row", HOOKS, ids=lambda row: str(row[0]))
@pytest.mark.parametrize("where", ["class", "class in use", "mixin in use", "instance", "base"])
def test_our_hooks_are_found_where_they_are(
    embed: Embed,
    server: IdentityServer,
    monkeypatch: pytest.MonkeyPatch,
    row: tuple[str, Any, bool, int],
    where: str,
) -> None:
    name, hook, is_sent, status = row

    class Mixin:
        pass

    class Sub(Mixin, authmw.AuthProtocol):
        pass

    token = server.issue(project="inventory") if is_sent else None
    if where == "class":
        setattr(Sub, name, hook)
    protected = embed(Sub)
    middleware = protected.app.app
    if where != "class":
        assert protected.get(token).status_int == (200 if is_sent else 401)
    if where == "class in use":
        setattr(Sub, name, hook)
    elif where == "mixin in use":
        setattr(Mixin, name, hook)
    elif where == "instance":
        setattr(middleware, name, hook.__get__(middleware))
    elif where == "base":
        monkeypatch.setattr(authmw.AuthProtocol, name, hook)
    assert protected.get(token).status_int == status


# process_request, as services override it.

NO_AUTH = ("/", "/healthcheck")


def skipping(base: Any) -> Any:
    class Skipping(base):  # type: ignore[misc]
        def process_request(self, request: Any) -> Any:
            if request.path in NO_AUTH:
                return None
            return super().process_request(request)

    return Skipping


def test_a_subclass_may_let_paths_through_before_it_calls_super(
    embed: Embed, server: IdentityServer
) -> None:
    protected = embed(skipping(authmw.AuthProtocol))
    forged = {"X-Roles": "admin", "X-User-Id": "root", "X-Identity-Status": "Confirmed"}
    assert protected.get("garbage", "/healthcheck", headers=forged).status_int == 200
    seen = protected.service.last
    assert seen["HTTP_X_IDENTITY_STATUS"] == "Invalid"
    assert not {"HTTP_X_ROLES", "HTTP_X_USER_ID"} & seen.keys()
    assert seen["keystone.token_auth"].user is None
    assert server.calls["validate"] == 0

    assert protected.get(path="/v2", headers=forged).status_int == 401
    assert len(protected.service.seen) == 1
    assert protected.get(server.issue("member", project="inventory"), "/v2").status_int == 200
    assert protected.service.last["HTTP_X_USER_NAME"] == "member"
    assert protected.service.last["HTTP_X_IDENTITY_STATUS"] == "Confirmed"
    assert protected.service.last["authmw.token"].user.name == "member"


def test_a_skipped_request_and_a_rejected_one_end_as_with_the_peer(
    embed: Embed, server: IdentityServer
) -> None:
    ours = embed(skipping(authmw.AuthProtocol), www_authenticate_uri=server.url)
    service = Service()
    conf = {**server.service_credentials, "oslo_config_config": cfg.ConfigOpts()}
    theirs = Protected(
        server,
        service,
        TestApp(skipping(peer.AuthProtocol)(service, {**conf, "www_authenticate_uri": server.url})),
    )
    good = server.issue("member", project="inventory")
    for path in ("/", "/healthcheck", "/v2"):
        for token in (None, "garbage", good):
            told, expected = ours.get(token, path), theirs.get(token, path)
            assert told.status_int == expected.status_int, (path, token)
            if told.status_int == 401:
                assert told.json == expected.json
                assert told.headers["WWW-Authenticate"] == expected.headers["WWW-Authenticate"]


@pytest.mark.parametrize("delay", ["false", "true"])
def test_super_says_no_by_the_exceptions_of_webob(
    embed: Embed, server: IdentityServer, delay: str
) -> None:
    caught: list[type[Exception]] = []

    class Catching(authmw.AuthProtocol):
        def process_request(self, request: Any) -> Any:
            try:
                return super().process_request(request)
            except webob.exc.HTTPServiceUnavailable as error:
                caught.append(type(error))
                return webob.Response(status=500, json_body={"error": "configuration"})
            except webob.exc.HTTPUnauthorized as error:
                caught.append(type(error))
                raise

    protected = embed(Catching, delay_auth_decision=delay)
    statuses = [protected.get(token).status_int for token in (None, "garbage")]
    with server.failing(Fault.ERROR_503):
        statuses.append(protected.get("gAAAA-unknown").status_int)
    if delay == "true":
        assert (statuses, caught) == ([200, 200, 200], [])
    else:
        assert (statuses, len(caught), len(protected.service.seen)) == ([401, 401, 500], 3, 0)


def test_an_outage_that_nobody_catches_is_our_503(embed: Embed, server: IdentityServer) -> None:
    protected = embed(skipping(authmw.AuthProtocol))
    with server.failing(Fault.ERROR_503):
        answer = protected.get("gAAAA-unknown", "/v2")
    assert (answer.status_int, answer.json["error"]["code"]) == (503, 503)
    assert "Retry-After" in answer.headers


ANSWERS: dict[str, Callable[[], Any]] = {
    "a response": lambda: webob.Response(status=403, text="by an override"),
    "an exception": lambda: webob.exc.HTTPForbidden(body=b"by an override"),
    "a raised exception": lambda: webob.exc.HTTPForbidden(body=b"by an override"),
    "bytes": lambda: b"by an override",
    "text": lambda: "by an override",
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_an_override_answers_itself(embed: Embed, server: IdentityServer, kind: str) -> None:
    def process_request(self: Any, request: Any) -> Any:
        super(type(self), self).process_request(request)
        answer = ANSWERS[kind]()
        if kind == "a raised exception":
            raise answer
        return answer

    sub = type("Sub", (authmw.AuthProtocol,), {"process_request": process_request})
    protected = embed(sub)
    answer = protected.get(server.issue(project="inventory"))
    assert answer.status_int == (200 if kind in ("bytes", "text") else 403)
    assert answer.body == b"by an override"
    assert protected.service.seen == []


def test_the_request_has_what_the_peer_s_has(embed: Embed, server: IdentityServer) -> None:
    seen: list[Any] = []

    class Looking(authmw.AuthProtocol):
        def process_request(self, request: Any) -> Any:
            assert request.headers.get("X-User-Id") is None
            seen.append((request.user_token, request.service_token, request.auth_type))
            super().process_request(request)
            seen.append((request.user_token_valid, request.token_info["token"]["user"]["name"]))
            seen.append((request.token_auth.user.username, request.headers["X-Roles"]))
            seen.append(request.service_token_valid)
            request.headers["X-Billing"] = "42"

    protected = embed(Looking)
    user = server.issue("member", project="inventory")
    service = server.issue("service", project="service")
    headers = {"X-Service-Token": service, "X-User-Id": "root"}
    extra = {"AUTH_TYPE": "Negotiate"}
    assert protected.get(user, headers=headers, extra_environ=extra).status_int == 200
    assert seen[0] == (user, service, "negotiate")
    assert seen[1:] == [(True, "member"), ("member", "member,reader"), True]
    assert protected.service.last["HTTP_X_BILLING"] == "42"
    theirs = {name for name in vars(peer._request._AuthTokenRequest) if not name.startswith("_")}
    # What puts a token into headers is super()'s own affair.
    assert theirs - set(dir(AuthTokenRequest)) == {
        "set_user_headers",
        "set_service_headers",
        "set_service_catalog_headers",
    }


def test_our_hooks_run_within_super(embed: Embed, server: IdentityServer) -> None:
    class Both(skipping(authmw.AuthProtocol)):  # type: ignore[misc]
        on_authenticated = refuse

        def is_open(self, environ: dict[str, Any]) -> bool:
            return bool(environ["PATH_INFO"] == "/open")

    protected = embed(Both)
    assert protected.get(server.issue(project="inventory"), "/v2").status_int == 401
    assert protected.get(path="/open").status_int == 200


def test_process_request_may_be_set_on_a_class_in_use_or_an_instance(
    embed: Embed, server: IdentityServer
) -> None:
    class Sub(authmw.AuthProtocol):
        pass

    def process_request(_self: Any, _request: Any) -> Any:
        raise webob.exc.HTTPForbidden

    token = server.issue(project="inventory")
    one, other = embed(Sub), embed(Sub)
    assert one.get(token).status_int == 200
    one.app.app.process_request = process_request.__get__(one.app.app)
    assert (one.get(token).status_int, other.get(token).status_int) == (403, 200)
    setattr(Sub, "process_request", process_request)  # noqa: B010 - a type checker refuses it
    assert other.get(token).status_int == 403


def test_a_request_that_an_override_made_says_nothing_of_the_one_that_came(
    embed: Embed, server: IdentityServer
) -> None:
    class Copying(authmw.AuthProtocol):
        def process_request(self, request: Any) -> Any:
            return super().process_request(request.copy())

    protected = embed(Copying)
    assert protected.get("garbage").status_int == 401
    assert protected.get(server.issue(project="inventory")).status_int == 200
    assert protected.service.last["HTTP_X_IDENTITY_STATUS"] == "Invalid"


def test_what_an_override_says_itself_of_a_caller_is_the_service_s_word(embed: Embed) -> None:
    class Own(authmw.AuthProtocol):
        def process_request(self, request: Any) -> Any:
            request.user_token_valid = True
            request.headers["X-User-Id"] = "of-a-certificate"

    protected = embed(Own)
    assert protected.get(headers={"X-Roles": "admin"}).status_int == 200
    seen = protected.service.last
    assert (seen["HTTP_X_IDENTITY_STATUS"], seen["HTTP_X_USER_ID"]) == (
        "Confirmed",
        "of-a-certificate",
    )
    assert "HTTP_X_ROLES" not in seen


def test_a_fault_in_an_override_opens_nothing(embed: Embed, server: IdentityServer) -> None:
    class Broken(authmw.AuthProtocol):
        def process_request(self, request: Any) -> Any:
            raise ZeroDivisionError

    protected = embed(Broken)
    with pytest.raises(ZeroDivisionError):
        protected.get(server.issue(project="inventory"))
    assert protected.service.seen == []


async def wait(*_arguments: Any) -> None:
    pytest.fail("nobody runs it")


def begin(*_arguments: Any) -> Iterator[None]:
    yield pytest.fail("nobody runs it")


@pytest.mark.parametrize("hook", [wait, begin])
@pytest.mark.parametrize("name", ["is_open", "on_authenticated", "process_request"])
def test_a_hook_whose_code_nobody_would_run_is_refused_wherever_it_is_set(
    embed: Embed, name: str, hook: Any
) -> None:
    refusal = rf"{name} is a coroutine or generator function"
    with pytest.raises(TypeError, match=refusal):
        type("Theirs", (authmw.AuthProtocol,), {name: hook})

    class Mixin:
        pass

    class Sub(Mixin, authmw.AuthProtocol):
        pass

    with pytest.raises(TypeError, match=refusal):
        setattr(Sub, name, hook)
    with pytest.raises(TypeError, match=refusal):
        setattr(embed(Sub).app.app, name, hook)
    setattr(Mixin, name, hook)
    with pytest.raises(TypeError, match=refusal):
        embed(Sub)


@pytest.mark.parametrize("hook", [wait, begin])
@pytest.mark.parametrize("name", ["is_open", "on_authenticated", "process_request"])
def test_a_hook_that_hides_that_opens_nothing(
    embed: Embed, server: IdentityServer, name: str, hook: Any
) -> None:
    def hidden(*arguments: Any) -> Any:
        return hook(*arguments)

    protected = embed(type("Theirs", (authmw.AuthProtocol,), {name: hidden}))
    with pytest.raises(TypeError):
        protected.get(server.issue(project="inventory"))
    assert protected.service.seen == []


@pytest.mark.parametrize(
    ("status", "body"), [("302 Found", b""), ("401 Unauthorized", b""), ("418 Teapot", b"short")]
)
def test_reject_answers_as_it_likes_behind_an_override(
    embed: Embed, status: str, body: bytes
) -> None:
    class Polite(skipping(authmw.AuthProtocol)):  # type: ignore[misc]
        def reject(
            self, _environ: dict[str, Any], start_response: Any, **_named: Any
        ) -> list[bytes]:
            length = str(len(body))
            start_response(status, [("Content-Type", "text/plain"), ("Content-Length", length)])
            return [body]

    response = embed(Polite).get("garbage", "/items")
    assert (response.status, response.body) == (status, body)
