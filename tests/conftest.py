"""Fixtures of every test, and which tests a run is made of.

The real services are started once a session, and only when a test asks for one.
"""

from __future__ import annotations

import gc
import os
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.clock import Clock
from tests.support.doors import DOORS
from tests.support.keystone import Keystone
from tests.support.keystone_site import make_once
from tests.support.memcached import Memcached
from tests.support.protected import door, embed, protect, server
from tests.support.waiting import wait_for

# Fixtures of every test; a directory or a module may have its own instead.
__all__ = ["door", "embed", "protect", "server"]

# A thread may be in the middle of a request that has until its deadline.
_PATIENCE_SECONDS = 15
# Of processor time, whatever else the machine does.
_UNIT_TEST_SECONDS = 2
_SYSTEM = Path(__file__).with_name("system")
_PACKAGING = _SYSTEM / "packaging"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--unit",
        action="store_true",
        help="only the quick tests of single rooms, none of which starts a process",
    )


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """End the run with the number of tests that were skipped; `-ra` says why each was.

    `make test-all` adds these numbers up, in the file that $SKIPS names.
    """
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if hasattr(config, "workerinput") or reporter is None:
        return
    skipped = len(reporter.stats.get("skipped", []))
    reporter.write_line(f"tests skipped: {skipped}")
    if path := os.environ.get("SKIPS"):
        with Path(path).open("a") as file:
            file.write(f"{skipped}\n")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that are marked so at both doors of a filter."""
    marked = metafunc.definition.get_closest_marker("both_doors")
    if marked is not None and "door" in metafunc.fixturenames:
        metafunc.parametrize("door", DOORS, indirect=True)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out tests/system in a run of unit tests."""
    return True if config.getoption("unit") and collection_path == _SYSTEM else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("unit"):
        others = [item for item in items if not _is_unit_test(item)]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if _is_unit_test(item)]
    else:
        _begin_with_keystone(items)


def _is_unit_test(item: pytest.Item) -> bool:
    if item.get_closest_marker("slow") or item.get_closest_marker("heavy"):
        return False
    return not {"keystone", "memcached"} & set(getattr(item, "fixturenames", ()))


def _begin_with_keystone(items: list[pytest.Item]) -> None:
    """Begin with what needs a real Keystone, as that takes longest; file by file.

    The threads of a Keystone may for a moment know users, roles and tokens as they were before
    (see `tests.support.keystone`), so these tests get two more tries; what fails for a reason
    of ours fails each time, and each try is reported.
    """
    slow_files = set()
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "keystone" in fixtures:
            item.add_marker(pytest.mark.flaky(reruns=2, reruns_delay=1))
        if "keystone" in fixtures or "keystone_of_worlds" in fixtures:
            slow_files.add(item.path)
    # One worker installs package after package, mostly waiting.
    items.sort(key=lambda item: (item.path.parent != _PACKAGING, item.path not in slow_files))


@pytest.fixture(scope="session", autouse=True)
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give the session, and every process it starts, a temporary directory, and no proxy.

    Processes share revocation events through files in the host's temporary directory. A proxy of
    the environment would stand between tests and the servers of 127.0.0.1.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "*")
        patch.setenv("TMPDIR", str(tmp_path_factory.mktemp("tmp")))
        patch.setattr(tempfile, "tempdir", None)
        yield


@pytest.fixture(scope="session", autouse=True)
def nothing_heavy_in_a_unit_test(pytestconfig: pytest.Config) -> None:
    """Fail the unit test that starts a process."""

    def refuse(event: str, arguments: tuple[object, ...]) -> None:
        if event == "subprocess.Popen":
            pytest.fail(f"a unit test starts {arguments[1]}: mark it as heavy")

    if pytestconfig.getoption("unit"):
        sys.addaudithook(refuse)


@pytest.fixture(autouse=True)
def nothing_long_in_a_unit_test(pytestconfig: pytest.Config) -> Iterator[None]:
    """Fail the unit test that keeps the processor busy for long."""
    began = time.process_time()
    yield
    took = time.process_time() - began
    if pytestconfig.getoption("unit") and took > _UNIT_TEST_SECONDS:
        pytest.fail(f"a unit test took {took:.1f} s of processor time: mark it as heavy")


@pytest.fixture(scope="module", autouse=True)
def nothing_left_at_work(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the tests that come after a file which left filters at work.

    They would write to the logs of these tests, and ask servers that are gone.
    """
    give_up_at = time.monotonic() + _PATIENCE_SECONDS
    while left := _ours():
        if time.monotonic() > give_up_at:
            # Once: what is at work for good is no other file's fault.
            _reported.update(left)
            pytest.fail(f"{_last_files[-1:]} did not close: {[thread.name for thread in left]}")
        # A filter that is gone takes its threads with it; a collection may take half a second.
        gc.collect()
        wait_for(lambda: not _ours(), 0.5)
    yield
    # Not of $PYTEST_CURRENT_TEST: after a failure under -x this runs when no test is current.
    _last_files.append(request.node.nodeid)


_last_files: list[str] = []
_reported: weakref.WeakSet[threading.Thread] = weakref.WeakSet()


def _ours() -> list[threading.Thread]:
    found = (each for each in threading.enumerate() if each.name.startswith("authmw-"))
    return [thread for thread in found if thread not in _reported]


@pytest.fixture(scope="session")
def new_keystone_site(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A Keystone site as it is when new, to be copied; one for all workers of a run."""
    directory = tmp_path_factory.getbasetemp()
    # A worker's own is in that of the run.
    if hasattr(pytestconfig, "workerinput"):
        directory = directory.parent
    return make_once(directory / "new-keystone-site")


@pytest.fixture(scope="session")
def keystone(
    new_keystone_site: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Keystone]:
    """A real Keystone site; `keystone.fernet`, `.jws` and `.short_lived` serve it.

    A test that suspends or stops a process resumes or starts it again.
    """
    site = Keystone(tmp_path_factory.mktemp("keystone"), new_keystone_site)
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
