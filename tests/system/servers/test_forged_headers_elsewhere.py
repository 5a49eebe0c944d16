"""Forged headers behind other servers than gunicorn, which read a request each in its own way.

What a server makes of two headers of one name, of an underscore or of a folded line differs;
what the service is told about the caller must not.
"""

from __future__ import annotations

import http.client
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from authmw.testing import IdentityServer
from tests.support.apache import Apache, open_directory, why_not
from tests.support.identity_types import IssuedToken
from tests.support.processes import find_free_port
from tests.support.uwsgi import Uwsgi
from tests.support.wsgi_server import WsgiServer
from tests.system.servers.other_servers import KINDS
from tests.system.servers.paste_files import write_paste_file
from tests.system.servers.servers import Server, identity_of
from tests.system.servers.test_forged_headers import (
    IMPOSSIBLE,
    MALFORMED,
    SPELLINGS,
    assert_nothing_forged,
    lines_of,
)

NOBODY = {"HTTP_X_IDENTITY_STATUS": "Invalid"}
SPELT = ("X-Auth-Token", "x-auth-token")

Serve = Callable[[str], Server]


@pytest.fixture(scope="module")
def identity() -> Iterator[IdentityServer]:
    with IdentityServer() as server:
        yield server


@pytest.fixture(scope="module")
def member(identity: IdentityServer) -> IssuedToken:
    return IssuedToken(identity.issue("member", project="inventory"), {})


@pytest.fixture(scope="module")
def serve(identity: IdentityServer) -> Iterator[Serve]:
    """Serve by a server of this name; started when first asked for."""
    usual = identity.service_credentials
    filters = {"strict": usual, "delayed": {**usual, "delay_auth_decision": "true"}}
    running: dict[str, WsgiServer] = {}
    with open_directory() as directory:
        paste_file = write_paste_file(directory / "paste.ini", filters)

        def get(name: str) -> Server:
            if name not in running:
                running[name] = make_server(name, paste_file)
                running[name].start()
            return Server(running[name])

        yield get
        for server in running.values():
            server.stop()


def make_server(name: str, paste_file: Path) -> WsgiServer:
    """Return one that is not yet started; skips the test where it can not be installed."""
    directory = paste_file.parent
    log = directory / f"{name}.log"
    if name == "mod_wsgi":
        if reason := why_not():
            pytest.skip(reason)
        return Apache(LOADING.format(file=paste_file), directory=directory)
    if name == "uwsgi":
        # Not imported: it changes what it is imported into.
        if importlib.util.find_spec("pyuwsgi") is None:
            pytest.skip("there is no wheel of pyuwsgi<2.0.27 for this Python")
        return Uwsgi([f"--paste=config:{paste_file}"], log=log)
    port = find_free_port()
    program = [sys.executable, "-m", "tests.system.servers.other_servers"]
    command = [*program, name, str(paste_file), str(port)]
    return WsgiServer(command, port=port, log=log)


LOADING = """\
from paste.deploy import loadapp
application = loadapp("config:{file}")
"""


@pytest.fixture(params=[*KINDS, "uwsgi", "mod_wsgi"])
def server(serve: Serve, request: pytest.FixtureRequest) -> Server:
    return serve(request.param)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_of_a_forged_header_arrives(
    server: Server, member: IssuedToken, spelling: str
) -> None:
    assert_nothing_forged(server, lines_of(SPELLINGS[spelling]), member)


@pytest.mark.parametrize("spelling", [*MALFORMED, *IMPOSSIBLE])
def test_what_http_forbids_is_refused_or_says_nothing(
    server: Server, member: IssuedToken, spelling: str
) -> None:
    honest = identity_of(server.ask("strict", member))
    spell = {**MALFORMED, **IMPOSSIBLE}[spelling]
    for name in ("X-User-Id", "X-Roles", "X-Identity-Status", "OpenStack-System-Scope"):
        for filter_name, token, expected in (
            ("strict", member, honest),
            ("delayed", member, honest),
            ("delayed", None, NOBODY),
        ):
            try:
                answer = server.ask(filter_name, token, spell(name))
            except (http.client.HTTPException, ConnectionError):
                continue  # hung up
            if answer.status == 200:
                told = identity_of(answer)
                # The server may have lost what tells who is calling.
                assert told in (expected, NOBODY)
            else:
                assert 400 <= answer.status < 500


def test_what_comes_after_the_body_comes_too_late(server: Server, member: IssuedToken) -> None:
    honest = identity_of(server.ask("strict", member))
    # RFC 9112 section 7.1.2: trailers of a chunked body.
    body = b"3\r\nabc\r\n0\r\nX-User-Id: forged\r\nX-Roles: admin\r\n\r\n"
    lines = ["Transfer-Encoding: chunked", "Trailer: X-User-Id, X-Roles"]
    for filter_name, token, expected in (("strict", member, honest), ("delayed", None, NOBODY)):
        answer = server.ask(filter_name, token, lines, method="POST", body=body)
        # Werkzeug takes trailers for a fault in the body, and the service fails to read it.
        assert answer.status == 500 or identity_of(answer) == expected


def test_two_tokens_in_one_request_make_nobody_or_one_of_two(
    server: Server, identity: IdentityServer
) -> None:
    tokens = [
        IssuedToken(identity.issue(name, project="inventory"), {}) for name in ("member", "reader")
    ]
    lines = [f"{name}: {token.id}" for name, token in zip(SPELT, tokens, strict=True)]
    told = identity_of(server.ask("delayed", None, lines))
    assert told in [NOBODY, *(identity_of(server.ask("strict", token)) for token in tokens)]


@pytest.mark.parametrize(
    ("name", "arrives"),
    [
        ("waitress", False),
        ("cheroot", True),
        ("werkzeug", False),
        ("uwsgi", True),
        ("mod_wsgi", False),
    ],
)
def test_headers_that_are_nobody_s_identity_arrive(
    serve: Serve, name: str, *, arrives: bool
) -> None:
    lines = ["X-Other: one", "X_Another: two"]
    headers = serve(name).ask("delayed", None, lines).seen.headers
    assert headers["HTTP_X_OTHER"] == "one"
    # The same as with a hyphen to whoever lets it through.
    assert ("HTTP_X_ANOTHER" in headers) is arrives
