"""SIGHUP to a real service: it reads its file again, and goes on answering meanwhile."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from authmw.testing import IdentityServer
from tests.support.processes import find_free_port
from tests.support.wsgi_server import WsgiServer
from tests.system.servers.crowd import Crowd
from tests.system.servers.hosted import Hosted, write_conf
from tests.system.servers.reloading import KINDS

PATIENCE_SECONDS = 20

DELAYED = {"delay_auth_decision": "true"}


@dataclass(frozen=True, slots=True)
class Site:
    """A running service, its configuration file and the identity server it asks."""

    hosted: Hosted
    identity: IdentityServer
    conf: Path

    def reload(self, **options: str) -> None:
        """Change the file, and tell the service."""
        write_conf(self.conf, {**self.identity.service_credentials, **options})
        self.hang_up()

    def hang_up(self) -> None:
        os.kill(self.hosted.server.pid, signal.SIGHUP)

    def read_log(self) -> str:
        return self.hosted.server.log.read_text(errors="replace")


@pytest.fixture(params=KINDS)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    with IdentityServer() as identity:
        conf = write_conf(tmp_path / "hosted.conf", identity.service_credentials)
        port = find_free_port()
        program = [sys.executable, "-m", "tests.system.servers.reloading"]
        server = WsgiServer(
            [*program, request.param, str(conf), str(port)],
            port=port,
            log=tmp_path / "service.log",
            environ={"NO_PROXY": "*"},
        )
        server.start()
        yield Site(Hosted(server), identity, conf)
        assert server.is_running(), server.read_log_tail()
        server.stop()


def wait_until(condition: Callable[[], bool], site: Site) -> None:
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < give_up_at, site.hosted.server.read_log_tail()
        time.sleep(0.02)


def test_a_running_service_follows_its_file(site: Site) -> None:
    token = site.identity.issue("member", project="inventory")
    pid = site.hosted.ask(token).pid
    assert site.hosted.ask().status == 401
    site.reload(**DELAYED)
    wait_until(lambda: site.hosted.ask().status == 200, site)
    site.reload()
    wait_until(lambda: site.hosted.ask().status == 401, site)
    # What was in memory stayed there, and so did the process.
    told = site.hosted.ask(token)
    assert (told.user, told.pid) == ("member", pid)
    assert site.identity.calls["validate"] == 1
    said = site.read_log()
    assert "Reloaded [keystone_authtoken] delay_auth_decision = True" in said
    assert "Reloaded [keystone_authtoken] delay_auth_decision = False" in said


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"public_paths": "health"}, "public_paths = 'health': path pattern 'health'"),
        ({"enforce_token_bind": ""}, "enforce_token_bind = ''"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_values_that_are_wrong_leave_the_former_ones_in_force(
    site: Site, wrong: dict[str, str], said: str
) -> None:
    be_delayed(site)
    site.reload(**wrong, cors_allowed_origins="*")
    assert_nothing_changed(site, f"the former options stay in force: [keystone_authtoken] {said}")
    assert "Reloaded [keystone_authtoken] cors_allowed_origins" not in site.read_log()
    site.reload()
    wait_until(lambda: site.hosted.ask().status == 401, site)


# oslo.service itself ends on these: on the first as it logs every option (`log_options`).
@pytest.mark.parametrize("site", ["threads"], indirect=True)
@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[keystone_authtoken]\ndelay_auth_decision = perhaps\n", "the former options stay in"),
        ("[keystone_authtoken\nno section, no option\n", "the configuration was not read again"),
        (None, "the configuration was not read again"),
    ],
    ids=["no boolean", "no configuration file", "no file"],
)
def test_a_file_that_is_broken_leaves_the_former_values_in_force(
    site: Site, content: str | None, said: str
) -> None:
    be_delayed(site)
    if content is None:
        site.conf.unlink()
    else:
        site.conf.write_text(content)
    site.hang_up()
    assert_nothing_changed(site, said)
    site.reload()
    wait_until(lambda: site.hosted.ask().status == 401, site)


def be_delayed(site: Site) -> None:
    site.reload(**DELAYED)
    wait_until(lambda: site.hosted.ask().status == 200, site)


def assert_nothing_changed(site: Site, said: str) -> None:
    """Wait for a line in the log; the service is as `be_delayed` left it."""
    wait_until(lambda: said in site.read_log(), site)
    assert site.hosted.ask().status == 200


@pytest.mark.slow
def test_every_request_is_answered_while_the_file_is_read_again_and_again(site: Site) -> None:
    token = site.identity.issue("member", project="inventory")
    is_over = threading.Event()

    def call() -> Counter[tuple[str | None, int]]:
        answers: Counter[tuple[str | None, int]] = Counter()
        while not is_over.is_set():
            told = site.hosted.ask(token)
            answers[told.user, told.status] += 1
            told = site.hosted.ask()
            answers[told.user, told.status] += 1
        return answers

    crowd = Crowd([call] * 4)
    try:
        for number in range(40):
            site.reload(**(DELAYED if number % 2 else {}))
            time.sleep(0.1)
    finally:
        is_over.set()
    answers = sum(crowd.results(), Counter[tuple[str | None, int]]())
    # As before or as after, and nothing else.
    assert set(answers) == {("member", 200), (None, 401), (None, 200)}
    assert site.read_log().count("Reloaded [keystone_authtoken] delay_auth_decision") > 10
