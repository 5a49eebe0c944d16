"""uWSGI, which stops background threads between requests unless told --enable-threads.

What threads do elsewhere, requests do there (`authmw.runtime.refresh`): a request that comes when
something is overdue has it done before it is answered, also if a thread was stopped in the
middle of doing it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from authmw.testing import IdentityServer, Issuer
from tests.support.uwsgi import Uwsgi
from tests.system.servers.hosted import Hosted, write_conf
from tests.system.servers.hosted_service import CONF_VARIABLE

pytest.importorskip("pyuwsgi", reason="there is no wheel of pyuwsgi<2.0.27 for this Python")

pytestmark = pytest.mark.slow

INTERVAL_SECONDS = 2
KEYS_INTERVAL_SECONDS = 3  # of a directory
# How late a thread may be before a request does its work.
PATIENCE_SECONDS = 2
# For a machine that is busy with something else.
TOLERANCE_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Kind:
    """How uWSGI is started.

    Attributes:
        processes: that serve.
        options: more arguments.
        is_loaded_before_fork: whether the master loads the application.
    """

    processes: int = 1
    options: tuple[str, ...] = ()
    is_loaded_before_fork: bool = True

    @property
    def stops_threads(self) -> bool:
        """Whether nothing runs between requests."""
        return "--enable-threads" not in self.options


KINDS = {
    "one process": Kind(),
    "two processes": Kind(processes=2),
    "two that load the application themselves": Kind(
        processes=2, options=("--lazy-apps",), is_loaded_before_fork=False
    ),
    "one process, threads enabled": Kind(options=("--enable-threads",)),
    "two processes of four threads": Kind(
        processes=2, options=("--enable-threads", "--threads=4", "--thunder-lock")
    ),
}


@dataclass(frozen=True, slots=True)
class UwsgiService:
    """A service under uWSGI, and what it validates by."""

    kind: Kind
    hosted: Hosted
    identity: IdentityServer
    keys: Path

    def make_known(self, token: str) -> set[int]:
        """Have every process remember a token; return their ids."""
        return self.hosted.ask_every_process(token, processes=self.kind.processes)

    def ask_all(self, token: str) -> set[int]:
        """Return the statuses of so many requests that each process has some of them."""
        return {self.hosted.ask(token).status for _ in range(8 * self.kind.processes)}


Serve = Callable[[str], UwsgiService]


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Serve in a way of KINDS; started when first asked for."""
    services: dict[str, UwsgiService] = {}

    def get(name: str) -> UwsgiService:
        if name not in services:
            directory = tmp_path_factory.mktemp("uwsgi")
            identity, keys = IdentityServer(), directory / "keys"
            identity.start()
            identity.issuer.write_public_key(keys)
            conf = write_conf(
                directory / "hosted.conf",
                {
                    **identity.service_credentials,
                    "revocation_poll_interval": INTERVAL_SECONDS,
                    "jws_public_key_repository": keys,
                },
            )
            uwsgi = Uwsgi(
                ["--module=tests.system.servers.hosted_wsgi:application", *KINDS[name].options],
                log=directory / "uwsgi.log",
                processes=KINDS[name].processes,
                environ={CONF_VARIABLE: str(conf), "TMPDIR": str(directory)},
            )
            uwsgi.start()
            services[name] = UwsgiService(KINDS[name], Hosted(uwsgi), identity, keys)
        return services[name]

    yield get
    for service in services.values():
        service.hosted.server.stop()
        service.identity.stop()


@pytest.mark.parametrize("name", KINDS)
def test_it_serves_as_is_said_here(serve: Serve, name: str) -> None:
    service = serve(name)
    pids = service.make_known(service.identity.issue("member", project="inventory"))
    told = service.hosted.ask(service.identity.issue("reader", project="inventory"))
    assert (told.user, told.pid in pids) == ("reader", True)
    assert (told.loaded_by not in pids) is service.kind.is_loaded_before_fork
    said = service.hosted.server.log.read_text()
    assert ("Python threads support is disabled" in said) is service.kind.stops_threads
    assert ("start uWSGI with enable-threads = true" in said) is service.kind.stops_threads


@pytest.mark.parametrize("name", KINDS)
def test_a_revoked_token_is_refused_by_the_first_request_after_a_while_without_any(
    serve: Serve, name: str
) -> None:
    service = serve(name)
    remote, offline = service.identity.issue, service.identity.issue_jws
    ended = [issue("member", project="inventory") for issue in (remote, offline)]
    good = [issue("member", project="inventory") for issue in (remote, offline)]
    for token in ended + good:
        service.make_known(token)
    for token in ended:
        service.identity.revoke(token)
    time.sleep(INTERVAL_SECONDS + 1 + PATIENCE_SECONDS)
    assert [service.ask_all(token) for token in ended] == [{401}, {401}]
    assert [service.ask_all(token) for token in good] == [{200}, {200}]


@pytest.mark.parametrize("pause_seconds", [0.01, 0.4, 1.3])
@pytest.mark.parametrize("name", ["one process", "two processes"])
def test_a_revoked_token_is_refused_in_time_while_it_is_in_use(
    serve: Serve, name: str, pause_seconds: float
) -> None:
    service = serve(name)
    issue = service.identity.issue_jws
    ended, good = (issue("member", project="inventory") for _ in range(2))
    for token in (ended, good):
        service.make_known(token)
    service.identity.revoke(ended)
    revoked_at = time.monotonic()
    bound_seconds = INTERVAL_SECONDS + 1 + PATIENCE_SECONDS + TOLERANCE_SECONDS
    late = {}
    while (seconds := time.monotonic() - revoked_at) < bound_seconds + 4 * pause_seconds:
        told = service.hosted.ask(ended)
        if told.status == 200 and seconds > bound_seconds:
            late[told.pid] = round(seconds, 1)
        time.sleep(pause_seconds)
    assert late == {}
    assert service.ask_all(good) == {200}


@pytest.mark.parametrize("name", KINDS)
def test_keys_that_come_and_go_are_noticed_though_nobody_asks_meanwhile(
    serve: Serve, name: str
) -> None:
    service = serve(name)
    # Never seen before: their signatures are yet to be looked at.
    stale = [service.identity.issue_jws("member", project="inventory") for _ in range(2)]
    service.make_known(service.identity.issue_jws("member", project="inventory"))
    service.identity.issuer = Issuer()
    service.identity.issuer.write_public_key(service.keys)  # in place of the one before
    time.sleep(KEYS_INTERVAL_SECONDS + 1 + PATIENCE_SECONDS)
    assert [service.ask_all(token) for token in stale] == [{401}, {401}]
    assert service.ask_all(service.identity.issue_jws("member", project="inventory")) == {200}
