"""The real services, each started once a session and only when a test asks for it."""

from __future__ import annotations

import gc
import os
import tempfile
import threading
import time
from collections.abc import Iterator

import pytest

from tests.support.clock import Clock
from tests.support.keystone import Keystone
from tests.support.memcached import Memcached
from tests.support.protected import protect, server

# Fixtures of every test; a directory or a module may have its own instead.
__all__ = ["protect", "server"]

# A thread may be in the middle of a question that has until its deadline.
_PATIENCE_SECONDS = 15


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what needs a real Keystone, as that takes longest; file by file.

    The threads of a Keystone may for a moment know users, roles and tokens as they were before
    (see `tests.support.keystone`), so these tests get two more tries; what fails for a reason
    of ours fails each time, and each try is reported.
    """
    slow_files = set()
    for item in items:
        if "keystone" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.flaky(reruns=2, reruns_delay=1))
            slow_files.add(item.path)
    items.sort(key=lambda item: item.path not in slow_files)


@pytest.fixture(scope="session", autouse=True)
def temporary_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give the session, and every process it starts, a temporary directory of its own.

    The processes of a host leave each other word about revocation in there.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(tmp_path_factory.mktemp("tmp")))
        patch.setattr(tempfile, "tempdir", None)
        yield


@pytest.fixture(scope="module", autouse=True)
def nothing_left_at_work() -> Iterator[None]:
    """Fail the tests that come after a file which left filters at work.

    They would speak in the logs of these tests, and ask servers that are gone.
    """
    give_up_at = time.monotonic() + _PATIENCE_SECONDS
    while left := [thread.name for thread in _ours()]:
        assert time.monotonic() < give_up_at, f"{_last_files[-1:]} did not close: {left}"
        gc.collect()  # a filter that is gone takes its threads with it
        time.sleep(0.05)
    yield
    _last_files.append(os.environ["PYTEST_CURRENT_TEST"].partition("::")[0])


_last_files: list[str] = []


def _ours() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("authmw-")]


@pytest.fixture(scope="session")
def keystone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keystone]:
    """A real Keystone site; `keystone.fernet`, `.jws` and `.short_lived` serve it.

    A test that suspends or stops a process resumes or starts it again.
    """
    site = Keystone(tmp_path_factory.mktemp("keystone"))
    yield site
    site.stop()


@pytest.fixture(scope="session")
def memcached(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memcached]:
    """A real memcached for the whole session: what tests put there stays there."""
    server = Memcached(tmp_path_factory.mktemp("memcached"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def empty_memcached(memcached: Memcached) -> Iterator[Memcached]:
    """The session's memcached, running and empty; a test may suspend or stop it."""
    # Not flushed: what was there would still be counted.
    memcached.stop()
    memcached.start()
    yield memcached
    if memcached.is_running():
        memcached.resume()


@pytest.fixture
def clock() -> Clock:
    return Clock()
