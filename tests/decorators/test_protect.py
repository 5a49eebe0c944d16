"""`authmw.protect` over every kind of WSGI callable and configuration."""

from __future__ import annotations

import functools
import logging
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from oslo_config.cfg import ConfigOpts

import authmw
from authmw.decorators.protect import Protected, Protector
from authmw.testing import IdentityServer
from tests.support.protected import get
from tests.support.views import set_django_up

StartResponse = Callable[..., Any]


def greet(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """Say hello."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["HTTP_X_USER_NAME"].encode()]


def write_file(server: IdentityServer, path: Path) -> Path:
    options = "\n".join(f"{name} = {value}" for name, value in server.service_credentials.items())
    path.write_text(f"[keystone_authtoken]\n{options}\n")
    return path


def by_keyword(server: IdentityServer, _tmp_path: Path) -> Protector:
    return authmw.protect(**server.service_credentials)


def by_file(server: IdentityServer, tmp_path: Path) -> Protector:
    return authmw.protect(config_file=write_file(server, tmp_path / "service.conf"))


def by_object(server: IdentityServer, tmp_path: Path) -> Protector:
    config = ConfigOpts()
    config([], default_config_files=[str(write_file(server, tmp_path / "service.conf"))])
    return authmw.protect(config=config)


def by_all_of_them(server: IdentityServer, tmp_path: Path) -> Protector:
    path = write_file(server, tmp_path / "service.conf")
    path.write_text(path.read_text().replace("username = service", "username = nobody"))
    return authmw.protect(config_file=path, username="service")


@pytest.mark.parametrize("configure", [by_keyword, by_file, by_object, by_all_of_them])
def test_configuration_comes_by_keyword_by_file_or_as_an_object_and_keywords_win(
    server: IdentityServer, tmp_path: Path, configure: Callable[..., Protector]
) -> None:
    app = configure(server, tmp_path)(greet)
    assert get(app).status_int == 401
    answer = get(app, server.issue("member", project="inventory"))
    assert (answer.status_int, answer.text) == (200, "member")


def as_function(protect: Protector) -> Any:
    return protect(greet)


def as_method(protect: Protector) -> Any:
    class Service:
        greeted = "member"

        @protect
        def serve(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
            assert environ["HTTP_X_USER_NAME"] == self.greeted
            return greet(environ, start_response)

    return Service().serve


def as_class_method(protect: Protector) -> Any:
    class Service:
        @protect
        @classmethod
        def serve(cls, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
            assert cls is Service
            return greet(environ, start_response)

    return Service.serve


def as_static_method(protect: Protector) -> Any:
    class Service:
        @protect
        @staticmethod
        def serve(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
            return greet(environ, start_response)

    return Service().serve


class Greeter:
    """A service whose instances are apps."""

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        return greet(environ, start_response)


def as_instance(protect: Protector) -> Any:
    return protect(Greeter())


def as_class_with_call(protect: Protector) -> Any:
    @protect
    class Service(Greeter):
        pass

    service = Service()
    assert isinstance(service, Greeter)
    return service


def as_class_that_is_the_app(protect: Protector) -> Any:
    @protect
    class Service:
        def __init__(self, environ: dict[str, Any], start_response: StartResponse) -> None:
            self.body = greet(environ, start_response)

        def __iter__(self) -> Iterator[bytes]:
            return iter(self.body)

    return Service


@pytest.mark.parametrize(
    "make",
    [
        as_function,
        as_method,
        as_class_method,
        as_static_method,
        as_instance,
        as_class_with_call,
        as_class_that_is_the_app,
    ],
)
def test_every_kind_of_wsgi_callable_can_be_protected(
    server: IdentityServer, make: Callable[[Protector], Any]
) -> None:
    app = make(authmw.protect(**server.service_credentials))
    assert get(app).status_int == 401
    answer = get(app, server.issue("member", project="inventory"))
    assert (answer.status_int, answer.text) == (200, "member")


def test_protecting_a_subclass_leaves_its_base_as_it_was(server: IdentityServer) -> None:
    before = Greeter.__call__
    as_class_with_call(authmw.protect(**server.service_credentials))
    assert Greeter.__call__ is before


def test_name_docstring_and_attributes_stay() -> None:
    greet.section = "hello"  # type: ignore[attr-defined]
    app = authmw.protect(greet)
    assert isinstance(app, Protected)
    seen = {name: getattr(app, name) for name in ("__name__", "__doc__", "__module__", "section")}
    assert seen == {
        "__name__": "greet",
        "__doc__": "Say hello.",
        "__module__": __name__,
        "section": "hello",
    }
    assert vars(app)["__wrapped__"] is greet


def test_equal_configurations_share_one_filter_and_others_do_not(
    server: IdentityServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_file(server, tmp_path / "service.conf")
    apps = [
        authmw.protect(config_file=path)(greet),
        authmw.protect(config_file="service.conf")(Greeter()),
        authmw.protect(config_file=str(path), delay_auth_decision=True)(greet),
    ]
    first, again, other = (app.build_filter_parts() for app in apps)
    assert first is again
    assert other is not first
    token = server.issue("member", project="inventory")
    for app in apps[:2]:
        assert get(app, token).status_int == 200
    assert server.calls["validate"] == 1


def test_a_closed_filter_is_handed_to_no_other_app(server: IdentityServer) -> None:
    first = authmw.protect(**server.service_credentials)(greet)
    closed = first.build_filter_parts()
    closed.close()
    second = authmw.protect(**server.service_credentials)(greet)
    assert not second.build_filter_parts().is_closed
    assert second.build_filter_parts() is second.build_filter_parts()
    second.build_filter_parts().close()


def test_nothing_is_read_before_the_first_request(tmp_path: Path, server: IdentityServer) -> None:
    path = tmp_path / "later.conf"
    app = authmw.protect(config_file=path)(greet)
    write_file(server, path)
    assert get(app, server.issue("member", project="inventory")).status_int == 200


def test_a_wrong_configuration_lets_nobody_through_and_is_named_in_the_log(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    app = authmw.protect(config_file=tmp_path / "missing.conf")(greet)
    for _ in range(3):
        answer = get(app, "token")
        assert (answer.status_int, answer.headers["Retry-After"]) == (503, "60")
        assert "missing.conf" not in answer.text
    (record,) = [record for record in caplog.records if record.levelno == logging.CRITICAL]
    assert "missing.conf" in record.getMessage()
    with pytest.raises(authmw.ConfigurationError, match="name a configuration file that can be"):
        app.build_filter_parts()


def test_a_file_and_an_object_at_once_are_refused() -> None:
    with pytest.raises(TypeError, match="a config_file or a config object, not both"):
        authmw.protect(config_file="service.conf", config=ConfigOpts())


@pytest.mark.parametrize("thing", [7, int])
def test_what_is_no_app_is_refused(thing: Any) -> None:
    with pytest.raises(TypeError, match=r"is no WSGI app|has no __call__"):
        authmw.protect(thing)


def test_an_app_used_before_a_fork_serves_after_it(server: IdentityServer) -> None:
    app = authmw.protect(**server.service_credentials)(greet)
    token = server.issue("member", project="inventory")
    assert get(app, token).status_int == 200
    child = os.fork()
    if child == 0:
        signal.alarm(20)  # a child that hangs ends
        try:
            status = get(app, server.issue("member", project="inventory")).status_int
            # The parent's server does not know what the child has issued.
            known = get(app, token).status_int
            os._exit(0 if (status, known) == (401, 200) else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


async def asgi_function(scope: Any, receive: Any, send: Any) -> None:
    """Answer nothing."""


class AsgiApp:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer nothing."""

    async def serve(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer nothing."""


def asgi_of_a_framework() -> Any:
    from django.core.handlers.asgi import ASGIHandler

    set_django_up()
    return ASGIHandler()


ASGI_APPS: dict[str, Callable[[], Any]] = {
    "function": lambda: asgi_function,
    "instance": AsgiApp,
    "class": lambda: AsgiApp,
    "method": lambda: AsgiApp().serve,
    "method in a class body": lambda: AsgiApp.serve,
    "partial": lambda: functools.partial(asgi_function),
    "plain function that returns a coroutine": lambda: lambda _scope, _receive, _send: None,
    "of a framework": asgi_of_a_framework,
}


@pytest.mark.parametrize("make", ASGI_APPS.values(), ids=ASGI_APPS)
def test_an_asgi_app_is_refused_when_it_is_decorated(make: Callable[[], Any]) -> None:
    with pytest.raises(
        TypeError, match=r"is an ASGI app, and this speaks WSGI: wrap it in authmw.asgi"
    ):
        authmw.protect(make())


@pytest.mark.parametrize("make", ASGI_APPS.values(), ids=ASGI_APPS)
def test_an_asgi_app_is_refused_by_the_middleware(make: Callable[[], Any]) -> None:
    with pytest.raises(TypeError, match="is an ASGI app, and this speaks WSGI"):
        authmw.AuthMiddleware(make(), {})


@pytest.mark.parametrize("view", [lambda: None, lambda _request: None])
def test_what_takes_no_environ_and_start_response_is_refused(view: Any) -> None:
    with pytest.raises(TypeError, match=r"is no WSGI app, which is called with \(environ, start"):
        authmw.protect(view)
