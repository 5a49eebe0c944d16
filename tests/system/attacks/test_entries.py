"""What `test_environ` sends to the WSGI middleware, sent to each framework's own entry."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import pytest

from authmw.testing import IdentityServer
from tests.support.clock import Clock
from tests.support.entries import ENTRIES, Entry
from tests.system.attacks.conftest import Aim, Target
from tests.system.attacks.test_environ import (
    test_no_forged_name_survives_beside_a_valid_token,
    test_odd_token_never_gets_in_and_never_raises,
    test_odd_token_with_delay_is_nobody_s,
    test_sub_request_with_a_copied_environ_is_judged_by_its_own_token,
    test_what_one_request_does_to_its_token_info_no_other_sees,
)

__all__ = [
    "test_no_forged_name_survives_beside_a_valid_token",
    "test_odd_token_never_gets_in_and_never_raises",
    "test_odd_token_with_delay_is_nobody_s",
    "test_sub_request_with_a_copied_environ_is_judged_by_its_own_token",
    "test_what_one_request_does_to_its_token_info_no_other_sees",
]


@pytest.fixture(params=ENTRIES, ids=lambda entry: str(entry.__name__))
def entry(request: pytest.FixtureRequest) -> Entry:
    made: Entry = request.param
    return made


@pytest.fixture
def aim(server: IdentityServer, entry: Entry) -> Aim:
    """Make a target behind a framework's entry."""

    def make(**options: str | None) -> Target:
        conf = {**server.service_credentials, "revocation_poll_interval": "0", **options}
        target = Target(lambda _environ, _start: [], Clock())
        app = entry(
            {name: value for name, value in conf.items() if value is not None}, target.seen.append
        )

        def serve(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            # Frameworks read what every server sets (PEP 3333).
            environ.setdefault("wsgi.input", io.BytesIO())
            environ.setdefault("wsgi.errors", io.StringIO())
            environ.setdefault("SERVER_PROTOCOL", "HTTP/1.1")
            environ.setdefault("HTTP_HOST", "service.example")
            return app(environ, start_response)

        target.middleware = serve
        return target

    return make


def test_nobody_gets_in_and_learns_where_to_authenticate(aim: Aim, server: IdentityServer) -> None:
    target = aim()
    for method in ("GET", "POST", "HEAD", "OPTIONS"):
        answer = target.attack(REQUEST_METHOD=method, HTTP_X_ROLES="admin")
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == f'Keystone uri="{server.url}"'
        assert bool(answer.body) == (method != "HEAD")
    assert target.seen == []


def test_path_that_fits_no_route_tells_nobody_so(aim: Aim, server: IdentityServer) -> None:
    target = aim()
    assert target.attack(PATH_INFO="/nowhere").status == 401
    token = server.issue("reader", project="inventory")
    assert target.attack(PATH_INFO="/nowhere", HTTP_X_AUTH_TOKEN=token).status == 404


def test_outage_is_a_503(aim: Aim, server: IdentityServer) -> None:
    target = aim()
    server.stop()
    answer = target.attack(HTTP_X_AUTH_TOKEN="gAAAAABunknown")
    assert (answer.status, target.seen) == (503, [])
    told = {name.lower(): value for name, value in answer.headers.items()}
    assert int(told["retry-after"]) > 0
    assert b"identity service can't be asked" in answer.body


def test_public_path_ignores_the_token_and_what_is_forged(aim: Aim, server: IdentityServer) -> None:
    target = aim(public_paths="/")
    token = server.issue("admin", system=True)
    assert target.attack(HTTP_X_AUTH_TOKEN=token, HTTP_X_ROLES="admin").status == 200
    assert "HTTP_X_ROLES" not in target.seen[-1]
    assert target.seen[-1]["HTTP_X_IDENTITY_STATUS"] == "Invalid"
