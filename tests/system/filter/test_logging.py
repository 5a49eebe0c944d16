"""The log identifies a refused token, and never holds it."""

from __future__ import annotations

import hashlib
import logging

import pytest

from authmw.testing import Fault, IdentityServer
from tests.support.protected import Protect


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
    assert f"user token {fingerprint} could not be validated: GET " in caplog.text
