"""A process out of threads, files or memory gets slower, and neither admits nor refuses more."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest

from authmw.testing import IdentityServer
from tests.system.attacks.conftest import Aim


def test_process_without_threads_to_spare_refreshes_in_its_requests(
    aim: Aim,
    server: IdentityServer,
    keys: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whoever can make an app use up its threads must not shut everybody out."""
    target = aim(
        jws_public_key_repository=str(keys),
        revocation_poll_interval="1",
    )
    good, other = (server.issue_jws(user, project="inventory") for user in ("member", "reader"))

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with (
        monkeypatch.context() as patch,
        caplog.at_level(logging.WARNING, logger="authmw.runtime.refresh"),
    ):
        # The embedded server serves each connection in a thread: ours is opened before.
        client = target.middleware._parts.identity  # type: ignore[attr-defined]
        client.fetch_own_token()
        patch.setattr(threading.Thread, "start", refuse)
        statuses = [target.attack(HTTP_X_AUTH_TOKEN=token).status for token in (good, other, good)]
        forged = target.attack(HTTP_X_AUTH_TOKEN=good[:-8] + "AAAAAAAA").status
    assert (statuses, forged) == ([200, 200, 200], 401)
    said = [
        record.getMessage() for record in caplog.records if record.name == "authmw.runtime.refresh"
    ]
    assert len(said) == len(set(said)) > 0
    assert "no thread" in said[0]
