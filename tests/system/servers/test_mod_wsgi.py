"""Apache with mod_wsgi, which gives each application a sub-interpreter unless told otherwise."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from authmw.testing import IdentityServer
from tests.support.apache import Apache, open_directory, why_not
from tests.system.servers.hosted import Hosted, write_conf
from tests.system.servers.hosted_service import CONF_VARIABLE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(why_not() is not None, reason=why_not() or "Apache is there"),
]

INTERVAL_SECONDS = 2
# For a machine that is busy with something else.
TOLERANCE_SECONDS = 2
PROCESSES = 2

SCRIPT = "from tests.system.servers.hosted_wsgi import application\n"


@pytest.fixture
def identity() -> Iterator[IdentityServer]:
    with IdentityServer() as server:
        yield server


Serve = Callable[..., Hosted]


@pytest.fixture
def directory() -> Iterator[Path]:
    with open_directory() as opened:
        yield opened


@pytest.fixture
def serve(identity: IdentityServer, directory: Path) -> Iterator[Serve]:
    """Serve by Apache; keyword arguments are options of the filter."""
    started: list[Apache] = []

    def start(
        *, in_main_interpreter: bool, processes: int = PROCESSES, **options: object
    ) -> Hosted:
        usual = {**identity.service_credentials, "revocation_poll_interval": INTERVAL_SECONDS}
        conf = write_conf(directory / "hosted.conf", usual | options)
        apache = Apache(
            SCRIPT,
            directory=directory,
            processes=processes,
            in_main_interpreter=in_main_interpreter,
            environ={CONF_VARIABLE: str(conf)},
        )
        started.append(apache)
        apache.start()
        return Hosted(apache)

    yield start
    for server in started:
        server.stop()


@pytest.mark.parametrize(
    ("in_main_interpreter", "signed"),
    [(False, False), (False, True), (True, False), (True, True)],
    ids=[
        "sub-interpreter, remote",
        "sub-interpreter, offline",
        "main interpreter, remote",
        "main interpreter, offline",
    ],
)
def test_a_token_works_until_it_is_revoked(
    serve: Serve,
    identity: IdentityServer,
    directory: Path,
    *,
    in_main_interpreter: bool,
    signed: bool,
) -> None:
    keys = {"jws_public_key_repository": directory / "keys"} if signed else {}
    identity.issuer.write_public_key(directory / "keys")
    hosted = serve(in_main_interpreter=in_main_interpreter, **keys)
    issue = identity.issue_jws if signed else identity.issue
    ended, good = (issue("member", project="inventory") for _ in range(2))
    assert hosted.ask().status == 401
    assert hosted.ask(good).user == "member"
    for token in (ended, good):
        hosted.ask_every_process(token, processes=PROCESSES)
    identity.revoke(ended)
    time.sleep(INTERVAL_SECONDS + 1 + TOLERANCE_SECONDS)
    assert {hosted.ask(ended).status for _ in range(20)} == {401}
    assert {hosted.ask(good).status for _ in range(20)} == {200}


def test_only_one_application_of_a_process_can_verify_signatures_in_a_sub_interpreter(
    serve: Serve, identity: IdentityServer, directory: Path
) -> None:
    """`cryptography` belongs to the first interpreter that imports it."""
    keys = directory / "keys"
    identity.issuer.write_public_key(keys)
    hosted = serve(in_main_interpreter=False, processes=1, jws_public_key_repository=keys)
    token = identity.issue_jws("member", project="inventory")
    assert hosted.ask(token).status == 200
    assert hosted.ask(token, path="/second").status == 500
    said = hosted.server.log.read_text()
    assert f"[keystone_authtoken] jws_public_key_repository = '{keys}'" in said
    assert "WSGIApplicationGroup %{GLOBAL}" in said
    # The first goes on as before.
    assert hosted.ask(identity.issue_jws("member", project="inventory")).status == 200


def test_what_the_message_says_is_the_remedy(
    serve: Serve, identity: IdentityServer, directory: Path
) -> None:
    keys = directory / "keys"
    identity.issuer.write_public_key(keys)
    hosted = serve(in_main_interpreter=True, processes=1, jws_public_key_repository=keys)
    token = identity.issue_jws("member", project="inventory")
    assert [hosted.ask(token, path=path).status for path in ("/", "/second")] == [200, 200]


def test_any_number_of_applications_validate_remotely_in_sub_interpreters(
    serve: Serve, identity: IdentityServer
) -> None:
    hosted = serve(in_main_interpreter=False, processes=1)
    token = identity.issue("member", project="inventory")
    assert [hosted.ask(token, path=path).status for path in ("/", "/second")] == [200, 200]
    assert identity.calls["validate"] == 2  # they share nothing
