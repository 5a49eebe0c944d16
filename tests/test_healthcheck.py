"""The real healthcheck of oslo.middleware asks the filter of its process."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from paste.deploy import loadapp
from webtest import TestApp

from authmw.build import build_filter_parts
from authmw.testing import IdentityServer
from tests.support.protected import Protect
from tests.support.waiting import wait_for

_PASTE = """
[app:healthcheck]
paste.app_factory = oslo_middleware:Healthcheck.app_factory
backends = authmw
"""


@pytest.fixture
def probe(tmp_path: Path) -> TestApp:
    """The app as doc/metrics.rst has operators write it."""
    file = tmp_path / "paste.ini"
    file.write_text(_PASTE)
    return TestApp(loadapp(f"config:{file}", name="healthcheck"))


def test_a_filter_that_is_ready_is_ok(probe: TestApp, protect: Protect) -> None:
    protect()
    answer = probe.get("/healthcheck", headers={"Accept": "application/json"})
    assert json.loads(answer.body)["reasons"] == ["OK"]


def test_a_filter_that_is_not_is_503_and_only_the_log_says_why(
    probe: TestApp, server: IdentityServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    missing = str(tmp_path / "none")
    parts = build_filter_parts({**server.service_credentials, "jws_public_key_repository": missing})
    caplog.set_level(logging.WARNING, "authmw.healthcheck")
    try:
        answers = [probe.get("/healthcheck", status=503) for _ in range(2)]
        assert wait_for(lambda: missing in caplog.text)
        assert all(answer.text == "NOT READY" for answer in answers)
    finally:
        parts.close()


def test_a_change_is_logged_once(
    probe: TestApp, server: IdentityServer, protect: Protect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "authmw.healthcheck")
    protected = protect(http_request_max_retries="0", revocation_poll_interval="0")
    probe.get("/healthcheck", status=200)
    server.stop()
    protected.get("made-up")
    assert wait_for(lambda: probe.get("/healthcheck", status="*").status_int == 503)
    probe.get("/healthcheck", status=503)
    server.start()
    assert wait_for(lambda: probe.get("/healthcheck", status="*").status_int == 200)
    said = [record.getMessage() for record in caplog.records if "ready" in record.getMessage()]
    assert said == [
        "not ready: identity: it does not answer; the log has the cause",
        "ready again",
    ]
