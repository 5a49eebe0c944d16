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
class ReloadingService:
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
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ReloadingService]:
    with IdentityServer() as identity:
        conf = write_conf(tmp_path / "hosted.conf", identity.service_credentials)
        port = find_free_port()
        program = [sys.executable, "-m", "tests.system.servers.reloading"]
        server = WsgiServer(
            [*program, request.param, str(conf), str(port)],
            port=port,
            log=tmp_path / "service.log",
        )
        server.start()
        yield ReloadingService(Hosted(server), identity, conf)
        assert server.is_running(), server.read_log_tail()
        server.stop()


def wait_until(condition: Callable[[], bool], service: ReloadingService) -> None:
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < give_up_at, service.hosted.server.read_log_tail()
        time.sleep(0.02)


def test_a_running_service_follows_its_file(service: ReloadingService) -> None:
    token = service.identity.issue("member", project="inventory")
    pid = service.hosted.ask(token).pid
    assert service.hosted.ask().status == 401
    service.reload(**DELAYED)
    wait_until(lambda: service.hosted.ask().status == 200, service)
    service.reload()
    wait_until(lambda: service.hosted.ask().status == 401, service)
    # What was in memory stayed there, and so did the process.
    told = service.hosted.ask(token)
    assert (told.user, told.pid) == ("member", pid)
    assert service.identity.calls["validate"] == 1
    said = service.read_log()
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
    service: ReloadingService, wrong: dict[str, str], said: str
) -> None:
    be_delayed(service)
    service.reload(**wrong, cors_allowed_origins="*")
    assert_nothing_changed(
        service, f"the former options stay in force: [keystone_authtoken] {said}"
    )
    assert "Reloaded [keystone_authtoken] cors_allowed_origins" not in service.read_log()
    service.reload()
    wait_until(lambda: service.hosted.ask().status == 401, service)


# oslo.service itself ends on these: on the first as it logs every option (`log_options`).
@pytest.mark.parametrize("service", ["threads"], indirect=True)
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
    service: ReloadingService, content: str | None, said: str
) -> None:
    be_delayed(service)
    if content is None:
        service.conf.unlink()
    else:
        service.conf.write_text(content)
    service.hang_up()
    assert_nothing_changed(service, said)
    service.reload()
    wait_until(lambda: service.hosted.ask().status == 401, service)


def be_delayed(service: ReloadingService) -> None:
    service.reload(**DELAYED)
    wait_until(lambda: service.hosted.ask().status == 200, service)


def assert_nothing_changed(service: ReloadingService, said: str) -> None:
    """Wait for a line in the log; the service is as `be_delayed` left it."""
    wait_until(lambda: said in service.read_log(), service)
    assert service.hosted.ask().status == 200


@pytest.mark.slow
def test_every_request_is_answered_while_the_file_is_read_again_and_again(
    service: ReloadingService,
) -> None:
    token = service.identity.issue("member", project="inventory")
    is_over = threading.Event()

    def call() -> Counter[tuple[str | None, int]]:
        answers: Counter[tuple[str | None, int]] = Counter()
        while not is_over.is_set():
            told = service.hosted.ask(token)
            answers[told.user, told.status] += 1
            told = service.hosted.ask()
            answers[told.user, told.status] += 1
        return answers

    crowd = Crowd([call] * 4)
    try:
        for number in range(40):
            service.reload(**(DELAYED if number % 2 else {}))
            time.sleep(0.1)
    finally:
        is_over.set()
    answers = sum(crowd.results(), Counter[tuple[str | None, int]]())
    # As before or as after, and nothing else.
    assert set(answers) == {("member", 200), (None, 401), (None, 200)}
    assert service.read_log().count("Reloaded [keystone_authtoken] delay_auth_decision") > 10
