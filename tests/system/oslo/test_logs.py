"""oslo.log's lines about a request: its own fields, and nobody else's user."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from oslo_config import cfg
from oslo_context.context import RequestContext, get_current
from oslo_context.fixture import ClearRequestContext
from oslo_log import formatters
from oslo_log import log as oslo_log
from webtest import TestApp

import authmw
from authmw.logs.fields import describe_decision
from authmw.testing import Fault, IdentityServer
from tests.support.programs import run_python

OWN_ID = "req-11111111-1111-4111-8111-111111111111"


@pytest.fixture(scope="module")
def server() -> Iterator[IdentityServer]:
    with IdentityServer() as running:
        yield running


@pytest.fixture(autouse=True)
def no_context() -> Iterator[None]:
    with ClearRequestContext():
        yield


class Lines:
    """What a formatter of oslo.log makes of the records of all loggers."""

    def __init__(self) -> None:
        conf = cfg.ConfigOpts()
        oslo_log.register_options(conf)
        conf([])
        self.written: list[tuple[str, str, dict[str, Any]]] = []
        self._text: Any = formatters.ContextFormatter(config=conf)
        self._json: Any = formatters.JSONFormatter()

    def take(self, record: logging.LogRecord) -> None:
        document = json.loads(self._json.format(record))
        self.written.append((record.name, self._text.format(record), document))

    def of(self, part: str) -> list[tuple[str, dict[str, Any]]]:
        return [(line, document) for _, line, document in self.written if part in line]


@pytest.fixture
def lines() -> Iterator[Lines]:
    made = Lines()

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            made.take(record)

    handler, root = Handler(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield made
    root.removeHandler(handler)
    root.setLevel(level)


def leave_context_behind(
    environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    """A service as most are: it makes a context, and nothing takes it away after the response."""
    environ["seen"] = get_current()
    RequestContext.from_environ(environ)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


class Site:
    """A service behind the filter, in this thread."""

    def __init__(self, server: IdentityServer, **options: str) -> None:
        conf = {"oslo_config_config": cfg.ConfigOpts(), **server.service_credentials, **options}
        self.filter = authmw.AuthMiddleware(leave_context_behind, conf)

    def get(self, token: str | None, path: str = "/", **environ: Any) -> Any:
        headers = {} if token is None else {"X-Auth-Token": token}
        return TestApp(self.filter).get(
            path, headers=headers, status="*", extra_environ={"REMOTE_ADDR": "192.0.2.7", **environ}
        )


@pytest.fixture
def site(server: IdentityServer) -> Iterator[Callable[..., Site]]:
    made: list[Site] = []

    def make(**options: str) -> Site:
        made.append(Site(server, **options))
        return made[-1]

    yield make
    for one in made:
        one.filter.close()


def user_of(server: IdentityServer, token: str) -> str:
    body: Any = server.validate(token)
    user: str = body["user"]["id"]
    return user


def test_a_line_about_a_request_does_not_show_the_user_of_the_last_one(
    site: Callable[..., Site], server: IdentityServer, lines: Lines
) -> None:
    one = site(http_request_max_retries="0")
    member = server.issue("member", project="inventory")
    assert one.get(member).status_int == 200
    former = get_current()
    assert former is not None
    user = user_of(server, member)
    assert former.user_id == user
    lines.written.clear()

    assert one.get("garbage").status_int == 401
    with server.failing(Fault.ERROR_500, "validate"):
        assert one.get(server.issue("admin", project="inventory")).status_int == 503
    assert one.get(None).status_int == 401
    assert len(lines.of("is not acceptable")) == 1
    assert len(lines.of("could not be validated")) == 1
    assert len(lines.of("No answer")) == 1
    assert len(lines.of("rejected: no token")) == 1
    # Those of the libraries that send our requests, too.
    assert "urllib3.connectionpool" in {name for name, _, _ in lines.written}
    for _, line, document in lines.written:
        assert user not in line
        assert user not in json.dumps(document)
    assert get_current() is former


def test_the_context_of_the_last_request_is_there_again_when_the_app_runs(
    site: Callable[..., Site], server: IdentityServer
) -> None:
    one = site()
    one.get(server.issue("member", project="inventory"))
    former = get_current()
    request = one.get(server.issue("admin", project="inventory")).request
    assert request.environ["seen"] is former


def test_a_context_that_is_this_request_s_stays(
    site: Callable[..., Site], server: IdentityServer, lines: Lines
) -> None:
    one = site(http_request_max_retries="0")
    RequestContext(request_id=OWN_ID, user_id="known-in-front")
    with server.failing(Fault.ERROR_500, "validate"):
        one.get(server.issue(), **{"openstack.request_id": OWN_ID})
    (line, _), *_ = lines.of("No answer")
    assert f"{OWN_ID} known-in-front" in line


def test_the_json_of_a_refusal_has_its_fields(
    site: Callable[..., Site], server: IdentityServer, lines: Lines
) -> None:
    token = server.issue("member", project="inventory")
    server.revoke(token)
    site().get(token, path="/v1/items?secret=yes", **{"openstack.request_id": OWN_ID})
    ((line, document),) = lines.of("is not acceptable")
    assert OWN_ID in line
    extra = document["extra"]
    assert extra.pop("fingerprint") in line
    assert extra == {
        "audit_id": None,
        "method": "GET",
        "path": "/v1/items",
        "peer": "192.0.2.7",
        "reason": "not_found",
        "request_id": OWN_ID,
        "user_id": None,
    }
    assert document["context"]["request_id"] == OWN_ID
    assert document["context"]["user"] is None


def test_the_id_that_a_client_sent_is_logged_where_oslo_middleware_is_not_in_front(
    site: Callable[..., Site], lines: Lines
) -> None:
    site().get("garbage", HTTP_X_OPENSTACK_REQUEST_ID=OWN_ID)
    ((line, document),) = lines.of("is not acceptable")
    assert OWN_ID in line
    assert document["extra"]["request_id"] == OWN_ID


def test_a_record_s_context_has_every_value_that_oslo_context_has() -> None:
    """A format of the operator may name any of them, and a line without it is lost."""
    described: Any = describe_decision({}, reason="expired")
    context = RequestContext(overwrite=False)
    assert described["context"].keys() == context.get_logging_values().keys()


def test_a_403_shows_the_user_that_the_filter_has_let_in(
    server: IdentityServer, lines: Lines
) -> None:
    view = authmw.require(roles="auditor")(leave_context_behind)
    conf = {"oslo_config_config": cfg.ConfigOpts(), **server.service_credentials}
    middleware = authmw.AuthMiddleware(view, conf)
    token = server.issue("member", project="inventory")
    body: Any = server.validate(token)
    environ = {"openstack.request_id": OWN_ID}
    try:
        RequestContext(user_id="somebody else")
        app = TestApp(middleware, extra_environ=environ)
        assert app.get("/", headers={"X-Auth-Token": token}, status="*").status_int == 403
    finally:
        middleware.close()
    ((line, document),) = lines.of("its token lacks")
    user, project = body["user"]["id"], body["project"]["id"]
    assert f" {OWN_ID} {user} {project} - " in line
    assert document["context"]["user_name"] == "member"


def test_without_oslo_context_nothing_of_it_is_loaded_or_logged() -> None:
    script = """
import sys
from authmw.logs.fields import describe_decision
from authmw.runtime import oslo_context
with oslo_context.replaced({}, None):
    fields = describe_decision({}, reason="expired")
print(sorted(fields), any(name.startswith("oslo_context") for name in sys.modules))
"""
    names = [
        "audit_id",
        "fingerprint",
        "method",
        "path",
        "peer",
        "reason",
        "request_id",
        "user_id",
    ]
    assert run_python("-c", script).stdout.strip() == f"{names} False"
