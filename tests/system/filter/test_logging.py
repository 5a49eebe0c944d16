"""The log identifies a refused token, and never holds it."""

from __future__ import annotations

import contextlib
import hashlib
import logging
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest

import authmw
from authmw.errors import Refused
from authmw.runtime.line_limit import BURST_LINES
from authmw.testing import Fault, IdentityServer
from tests.support.protected import Protect, get

pytestmark = pytest.mark.both_doors


@pytest.mark.parametrize("fault", [None, *Fault])
def test_no_token_and_no_password_is_ever_logged(
    protect: Protect,
    server: IdentityServer,
    caplog: pytest.LogCaptureFixture,
    fault: Fault | None,
) -> None:
    caplog.set_level(logging.DEBUG)
    protected = protect(identity_deadline="1", http_request_max_retries="0")
    token = server.issue(project="inventory")
    if fault is None:
        server.revoke(token)
        protected.get(token)
    else:
        with server.failing(fault, "validate"):
            assert protected.get(token, headers={"X-Service-Token": token}).status_int in (401, 503)
    fingerprint = hashlib.sha256(token.encode()).hexdigest()[:12]
    assert f"token {fingerprint}" in caplog.text
    assert token not in caplog.text
    assert "service-password" not in caplog.text


def test_the_reason_is_logged_and_not_told_to_the_client(
    protect: Protect, server: IdentityServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "authmw")
    response = protect().get("x" * 9000)
    assert "malformed: 9000 bytes are more than max_token_size = 8000" in caplog.text
    assert "malformed" not in response.text


def test_an_outage_is_warned_of_once_and_whom_it_met_is_said_beside_it(
    protect: Protect, server: IdentityServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever counts warnings counts outages, not the requests that met them."""
    protected = protect(http_request_max_retries="0")
    caplog.set_level(logging.INFO, "authmw")
    token = server.issue(project="inventory")
    with server.failing(Fault.ERROR_500, "validate"):
        assert protected.get(token).status_int == 503
    said = [(record.levelname, record.name) for record in caplog.records]
    assert said == [("WARNING", "authmw.identity.client"), ("INFO", "authmw.authenticator")]
    fingerprint = hashlib.sha256(token.encode()).hexdigest()[:12]
    assert f"user token {fingerprint} could not be validated: server_error" in caplog.text
    # Address and cause, once.
    assert caplog.text.count("http://") == 1
    assert caplog.text.count("HTTP 500") == 1


def test_the_line_of_an_outage_has_the_fields_of_the_request_that_met_it(
    protect: Protect, server: IdentityServer, caplog: pytest.LogCaptureFixture
) -> None:
    protected = protect(http_request_max_retries="0")
    token = server.issue(project="inventory")
    with server.failing(Fault.ERROR_500, "validate"):
        protected.get(token, headers={"X-Openstack-Request-Id": "req-of-the-client"})
    (record,) = [each for each in caplog.records if "No answer" in each.getMessage()]
    fields = vars(record)
    assert fields["request_id"] == "req-of-the-client"
    assert (fields["method"], fields["path"]) == ("GET", "/")
    assert fields["reason"] == "server_error"


def test_a_signed_token_that_its_claims_refuse_is_named_by_audit_id_and_user(
    protect: Protect, server: IdentityServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "authmw")
    server.issuer.write_public_key(tmp_path / "keys")
    protected = protect(jws_public_key_repository=str(tmp_path / "keys"), jws_audience="nobody")
    token = server.issue_jws(project="inventory")
    body: Any = server.validate(token)
    assert protected.get(token).status_int == 401
    (record,) = [each for each in caplog.records if "wrong_audience" in each.getMessage()]
    assert vars(record)["audit_id"] == body["audit_ids"][0]
    assert vars(record)["user_id"] == body["user"]["id"]


@pytest.mark.parametrize("level", ["debug", "info", "warning"])
def test_refusals_are_logged_at_the_level_that_the_operator_sets(
    protect: Protect, server: IdentityServer, caplog: pytest.LogCaptureFixture, level: str
) -> None:
    caplog.set_level(logging.DEBUG, "authmw")
    protected = protect(log_refusals=level)
    protected.get("garbage")
    protected.get(server.issue(), headers={"X-Service-Token": "garbage"})
    found = [record for record in caplog.records if "is not acceptable" in record.getMessage()]
    assert [record.levelname.lower() for record in found] == [level, level]


def test_a_flood_of_refusals_leaves_few_lines_and_other_reasons_are_still_seen(
    protect: Protect, server: IdentityServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "authmw")
    protected = protect()
    for number in range(BURST_LINES + 30):
        protected.get("x" * (9000 + number))
    assert BURST_LINES <= caplog.text.count("malformed: ") <= BURST_LINES + 5
    protected.get("unknown")
    assert "not_found: " in caplog.text


def test_a_403_of_require_says_what_was_missing_and_who_lacked_it(
    server: IdentityServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "authmw")
    view = authmw.require(roles=("auditor", "admin"), scope="system")(_answer)
    app = authmw.AuthMiddleware(view, server.service_credentials)
    token = server.issue("member", project="inventory")
    try:
        assert get(app, token).status_int == 403
        assert get(app, server.issue("admin", system=True)).status_int == 200
    finally:
        app.close()
    (record,) = [each for each in caplog.records if "lacks" in each.getMessage()]
    assert record.getMessage() == (
        "request refused, its token lacks one of the roles admin, auditor and a token scoped to a"
        " system"
    )
    body: Any = server.validate(token)
    assert vars(record)["user_id"] == body["user"]["id"]
    assert vars(record)["audit_id"] == body["audit_ids"][0]
    assert vars(record)["reason"] == "lacks_right"


def test_a_check_whose_refusal_the_app_does_not_pass_on_is_not_logged(
    server: IdentityServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "authmw")

    def view(environ: dict[str, Any], start_response: Any) -> Any:
        with contextlib.suppress(Refused):
            authmw.check(roles="admin")
        return _answer(environ, start_response)

    app = authmw.AuthMiddleware(view, server.service_credentials)
    try:
        assert get(app, server.issue("member", project="inventory")).status_int == 200
    finally:
        app.close()
    assert "lacks" not in caplog.text


def test_what_a_client_sends_can_not_forge_a_line_or_a_field(
    protect: Protect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "authmw")
    protected = protect()
    forged = "x\r\n2026-01-01 INFO user admin let in\x1b[2J\u202e".encode().decode("latin-1")
    environ = {
        "REQUEST_METHOD": "G\nT" + "x" * 1000,
        "PATH_INFO": "/" + forged * 100,
        "HTTP_X_AUTH_TOKEN": "garbage",
        "HTTP_X_OPENSTACK_REQUEST_ID": forged * 100,
    }
    setup_testing_defaults(environ)
    b"".join(protected.app.app(environ, lambda *_: lambda _: None))
    (record,) = [each for each in caplog.records if "is not acceptable" in each.getMessage()]
    fields = vars(record)
    for name, longest in (("method", 64), ("path", 200), ("request_id", 80)):
        assert fields[name].isprintable()
        assert len(fields[name]) == longest
    assert record.getMessage().isprintable()


@pytest.mark.parametrize("delay", ["false", "true"])
def test_a_bearer_token_that_is_not_read_is_warned_of_once(
    protect: Protect, server: IdentityServer, caplog: pytest.LogCaptureFixture, delay: str
) -> None:
    caplog.set_level(logging.DEBUG, "authmw")
    protected = protect(delay_auth_decision=delay)
    token = server.issue(project="inventory")
    for sent in ("Basic YTpi", "Bearer", f"Bearer {token}", f"bearer {token}"):
        answer = protected.get(headers={"Authorization": sent})
        assert answer.status_int == (200 if delay == "true" else 401)
    assert protected.get(token, headers={"Authorization": f"Bearer {token}"}).status_int == 200
    (record,) = [each for each in caplog.records if "bearer" in each.getMessage()]
    assert record.levelname == "WARNING"
    assert "set [keystone_authtoken] accept_bearer = true" in record.getMessage()
    assert token not in caplog.text


def test_records_of_a_factory_that_has_our_names_already_are_logged_all_the_same(
    protect: Protect, caplog: pytest.LogCaptureFixture
) -> None:
    """As an app may do that gives each record the id of its request."""
    caplog.set_level(logging.INFO, "authmw")
    protected = protect()
    former = logging.getLogRecordFactory()

    def make(*arguments: Any, **named: Any) -> logging.LogRecord:
        record = former(*arguments, **named)
        record.request_id = "the app's"
        return record

    logging.setLogRecordFactory(make)
    try:
        assert protected.get("garbage").status_int == 401
    finally:
        logging.setLogRecordFactory(former)
    (record,) = [each for each in caplog.records if "is not acceptable" in each.getMessage()]
    assert vars(record)["request_id"] == "the app's"


@pytest.mark.parametrize("times", [1, 2])
def test_a_token_that_is_known_is_named_by_audit_id_and_user(
    protect: Protect, server: IdentityServer, caplog: pytest.LogCaptureFixture, times: int
) -> None:
    caplog.set_level(logging.INFO, "authmw")
    protected = protect(service_token_roles="nobody")
    token = server.issue("service", project="service")
    for _ in range(times):
        protected.get(headers={"X-Service-Token": token})
    record = [each for each in caplog.records if "service_role" in each.getMessage()][-1]
    body: Any = server.validate(token)
    assert vars(record)["user_id"] == body["user"]["id"]
    assert vars(record)["audit_id"] == body["audit_ids"][0]


def _answer(environ: dict[str, Any], start_response: Any) -> Any:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
