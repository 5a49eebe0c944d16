"""The service goes on, whatever one publish comes to."""

from __future__ import annotations

import logging
import threading

import pytest

from authmw.bundle.centre.service import PublishService
from authmw.bundle.centre.settings import load_centre_settings
from tests.bundle.centre.centres import Centre
from tests.support.waiting import wait_for


def test_what_nobody_foresaw_ends_no_thread(
    centre: Centre, caplog: pytest.LogCaptureFixture
) -> None:
    """Else events would not be published any more, while facts are."""
    centre.run("init")
    (centre.state / "keys.json").write_text("{")
    service = PublishService(load_centre_settings(centre.file), 0.05, 0.05)
    thread = threading.Thread(target=service.run)
    caplog.set_level(logging.INFO)
    thread.start()
    try:
        assert wait_for(lambda: "can't be published, unforeseen" in caplog.text, 10)
        # Once, and not at each turn.
        assert not wait_for(lambda: caplog.text.count("unforeseen") > 1, 0.5)
        assert thread.is_alive()
    finally:
        service.stop()
        thread.join(10)
    assert not thread.is_alive()
