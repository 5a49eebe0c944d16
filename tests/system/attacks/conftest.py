"""A filter on an embedded identity server, and a client that may send it anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from authmw.build import build_filter_parts
from authmw.middleware import WsgiApp
from authmw.testing import IdentityServer
from tests.support.clock import Clock
from tests.support.doors import Middleware, open_door


@dataclass
class Answer:
    """What a request came to."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Target:
    """The app under attack; `seen` is what reached it, one environ a request."""

    middleware: WsgiApp
    clock: Clock
    seen: list[dict[str, Any]] = field(default_factory=list)

    def attack(self, environ: dict[str, Any] | None = None, **more: Any) -> Answer:
        """Send a GET of / with these environ entries, which no server has looked at."""
        whole: dict[str, Any] = {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/",
            "SERVER_NAME": "service.example",
            "SERVER_PORT": "80",
            "wsgi.url_scheme": "http",
            **(environ or {}),
            **more,
        }
        begun: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], _exc_info: Any = None
        ) -> Callable[[bytes], object]:
            begun.append((status, headers))
            return lambda _: None

        body = b"".join(self.middleware(whole, start_response))
        status, headers = begun[-1]
        return Answer(int(status[:3]), dict(headers), body)

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        self.seen.append(dict(environ))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"hello"]


Aim = Callable[..., Target]


@pytest.fixture
def server() -> Iterator[IdentityServer]:
    with IdentityServer(endpoint_count=9) as running:
        yield running


@pytest.fixture
def keys(tmp_path: Path, server: IdentityServer) -> Path:
    server.issuer.write_public_key(tmp_path / "keys")
    return tmp_path / "keys"


@pytest.fixture
def aim(server: IdentityServer, door: str) -> Iterator[Aim]:
    """Make a target; keyword arguments are options, and None takes one away."""
    made: list[Middleware] = []

    def make(**options: str | None) -> Target:
        conf = {
            **server.service_credentials,
            # Nothing is polled behind the back of a test that turns the clock.
            "revocation_poll_interval": "0",
            **options,
        }
        clock = Clock()
        parts = build_filter_parts(
            {name: value for name, value in conf.items() if value is not None}, clock=clock
        )
        target = Target(lambda _environ, _start: [], clock)
        middleware = open_door(door, target, parts)
        target.middleware = middleware
        made.append(middleware)
        return target

    yield make
    for middleware in made:
        middleware.close()


@pytest.fixture
def aim_offline(aim: Aim, keys: Path) -> Aim:
    """Make a target that validates signed tokens here."""

    def make(**options: str | None) -> Target:
        return aim(
            **{
                "jws_public_key_repository": str(keys),
                "token_validation": "offline",
                **options,
            }
        )

    return make
