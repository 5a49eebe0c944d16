"""Every outcome of asking the identity endpoint, made by a real server that misbehaves."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from authmw.config.auth_plugin import load_auth_plugin
from authmw.config.loading import load_settings
from authmw.errors import IdentityUnavailable, InvalidToken, Outage, Reason
from authmw.identity.client import IdentityClient
from authmw.identity.meaning import Health, Verdict
from authmw.identity.outcomes import Outcome
from tests.support.certificates import Authority
from tests.support.identity_client import PASSWORD, client_for, settings_for
from tests.support.misbehaving import (
    TOKEN_BODY,
    Behaviour,
    MisbehavingIdentity,
    Stage,
    answer,
    closed_port,
    drip_body,
    drip_head,
    dripping_relay,
    forbidden,
    hang_up,
    redirect,
    reset,
    send_and_hang_up,
    send_without_end,
    stay_silent,
)
from tests.support.programs import run_python

DISCOVERY, AUTHENTICATION, VALIDATION = Stage.DISCOVERY, Stage.AUTHENTICATION, Stage.VALIDATION
TOKEN = "gAAAA-the-token-of-a-client"
# Far below what a drip takes, far above what a loaded machine adds to a deadline of 1 s.
PATIENCE_SECONDS = 20

# What servers and proxies answer instead of an answer, and what it means at each stage
# (discovery, authentication, validation). keystoneauth1 keeps the reason why discovery
# failed to itself unless the connection failed.
HTML = answer(200, b"<html><h1>It works!</h1></html>", content_type="text/html")


NOT_FOUND = answer(404, {"error": {"code": 404, "message": "x", "title": "Not Found"}})
O = Outcome  # noqa: E741 - the table below is wide enough
FAILURES: dict[str, tuple[Behaviour, Outcome, Outcome, Outcome | Reason]] = {
    "reset": (reset, O.CONNECTION_BROKEN, O.CONNECTION_BROKEN, O.CONNECTION_BROKEN),
    "hang up": (hang_up, O.CONNECTION_BROKEN, O.CONNECTION_BROKEN, O.CONNECTION_BROKEN),
    "not HTTP": (
        send_and_hang_up(b"SSH-2.0-OpenSSH_9.6\r\n"),
        O.CONNECTION_BROKEN,
        O.CONNECTION_BROKEN,
        O.CONNECTION_BROKEN,
    ),
    "half a head": (
        send_and_hang_up(b"HTTP/1.1 200 OK\r\nContent-Ty"),
        O.NOT_DISCOVERED,
        O.NOT_AUTHENTICATED,
        O.NOT_JSON,
    ),
    "half a body": (
        send_and_hang_up(b'HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"token": {'),
        O.BODY_CUT,
        O.BODY_CUT,
        O.BODY_CUT,
    ),
    "half a chunked body": (
        send_and_hang_up(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{"toke'),
        O.BODY_CUT,
        O.BODY_CUT,
        O.BODY_CUT,
    ),
    "silent": (stay_silent, O.DEADLINE, O.DEADLINE, O.DEADLINE),
    "head drips": (drip_head, O.DEADLINE, O.DEADLINE, O.DEADLINE),
    "body drips": (drip_body, O.DEADLINE, O.DEADLINE, O.DEADLINE),
    "body without end": (send_without_end,) + (O.BODY_TOO_LARGE,) * 3,
    "redirect loop": (redirect("?again"), O.NOT_DISCOVERED, O.NOT_AUTHENTICATED, O.REDIRECTED),
    "redirect to no text": (
        send_and_hang_up(b"HTTP/1.1 302 Found\r\nLocation: /\xff\r\n\r\n"),
        O.REDIRECTED_ELSEWHERE,
        O.REDIRECTED_ELSEWHERE,
        O.REDIRECTED_ELSEWHERE,
    ),
    "coding on coding": (
        answer(
            200, gzip.compress(gzip.compress(b"{}")), headers={"Content-Encoding": "gzip, gzip"}
        ),
        O.NOT_JSON,
        O.NOT_JSON,
        O.NOT_JSON,
    ),
    "redirect without address": (
        answer(302),
        O.NOT_DISCOVERED,
        O.NOT_AUTHENTICATED,
        O.REDIRECTED,
    ),
    "not modified": (answer(304), O.NOT_DISCOVERED, O.NOT_AUTHENTICATED, O.REDIRECTED),
    "HTML": (HTML, O.NOT_DISCOVERED, O.NOT_AUTHENTICATED, O.NOT_JSON),
    "empty": (answer(200), O.NOT_DISCOVERED, O.NOT_AUTHENTICATED, O.NOT_JSON),
    "not UTF-8": (answer(200, b'{"a": "\xff"}'), O.NOT_DISCOVERED, O.NOT_AUTHENTICATED, O.NOT_JSON),
    "bytes that are no gzip": (
        answer(200, b"{}", headers={"Content-Encoding": "gzip"}),
        O.NOT_JSON,
        O.NOT_JSON,
        O.NOT_JSON,
    ),
    "array": (answer(200, []), O.NOT_DISCOVERED, O.NOT_AUTHENTICATED, O.NOT_JSON),
    "null": (answer(200, b"null"), O.FAILED, O.FAILED, O.NOT_JSON),
    "string": (answer(200, "token"), O.FAILED, O.FAILED, O.NOT_JSON),
    "nested too deep": (answer(200, b"[" * 200_000), O.FAILED, O.FAILED, O.NOT_JSON),
    "no token": (answer(200, {}), O.NOT_DISCOVERED, O.NOT_AUTHENTICATED, O.NOT_A_TOKEN),
    "token null": (answer(200, {"token": None}), O.NOT_DISCOVERED, O.FAILED, O.NOT_A_TOKEN),
    "token a list": (answer(200, {"token": [1]}), O.NOT_DISCOVERED, O.FAILED, O.NOT_A_TOKEN),
    "token a string": (answer(200, {"token": "x"}), O.NOT_DISCOVERED, O.FAILED, O.NOT_A_TOKEN),
    "204": (answer(204), O.NOT_DISCOVERED, O.NOT_AUTHENTICATED, O.UNEXPECTED_STATUS),
    "400": (answer(400), O.NOT_DISCOVERED, O.UNEXPECTED_STATUS, Reason.NOT_FOUND),
    "401": (answer(401), O.NOT_DISCOVERED, O.CREDENTIALS_REFUSED, O.CREDENTIALS_REFUSED),
    "403 of a proxy": (answer(403, b"no"),) + (O.FORBIDDEN_ELSEWHERE,) * 3,
    "407": (answer(407),) + (O.PROXY,) * 3,
    "400 of Keystone": (
        answer(400, {"error": {"code": 400, "message": "x", "title": "Bad Request"}}),
        O.REQUEST_INVALID,
        O.REQUEST_INVALID,
        Reason.NOT_FOUND,
    ),
    "400 of nginx that wants TLS": (
        answer(400, b"<h1>400</h1>The plain HTTP request was sent to HTTPS port"),
    )
    + (O.SPEAKS_TLS,) * 3,
    "400 of Apache that wants TLS": (
        answer(400, b"<p>You're speaking plain HTTP to an SSL-enabled server port.<br />"),
    )
    + (O.SPEAKS_TLS,) * 3,
    "TLS alert": (send_and_hang_up(b"\x15\x03\x03\x00\x02\x02\x46"),) + (O.SPEAKS_TLS,) * 3,
    "403 that names an action": (
        forbidden("not authorized to perform the requested action: identity:validate_token."),
        O.NOT_DISCOVERED,
        O.CREDENTIALS_FORBIDDEN,
        O.CREDENTIALS_FORBIDDEN,
    ),
    "403 on whatever is asked": (
        forbidden("not authorized to perform the requested action."),
        O.NOT_DISCOVERED,
        O.CREDENTIALS_FORBIDDEN,
        O.CREDENTIALS_FORBIDDEN,
    ),
    "404 of Keystone": (
        NOT_FOUND,
        O.NOT_DISCOVERED,
        O.CREDENTIALS_REFUSED,
        Reason.NOT_FOUND,
    ),
    "404 of a proxy": (answer(404, b"no"), O.NOT_DISCOVERED, O.NOT_FOUND, O.NOT_IDENTITY),
    "404 of another API": (
        answer(404, {"error": "not found"}),
        O.NOT_DISCOVERED,
        O.NOT_FOUND,
        O.NOT_IDENTITY,
    ),
    "405": (answer(405), O.NOT_DISCOVERED, O.UNEXPECTED_STATUS, O.UNEXPECTED_STATUS),
    "413": (answer(413), O.NOT_DISCOVERED, O.UNEXPECTED_STATUS, Reason.NOT_FOUND),
    "414": (answer(414), O.NOT_DISCOVERED, O.UNEXPECTED_STATUS, Reason.NOT_FOUND),
    "418": (answer(418), O.NOT_DISCOVERED, O.UNEXPECTED_STATUS, O.UNEXPECTED_STATUS),
    "429": (answer(429), O.NOT_DISCOVERED, O.OVERLOADED, O.OVERLOADED),
    "431": (answer(431), O.NOT_DISCOVERED, O.UNEXPECTED_STATUS, Reason.NOT_FOUND),
    "500": (answer(500), O.NOT_DISCOVERED, O.SERVER_ERROR, O.SERVER_ERROR),
    "502": (answer(502), O.NOT_DISCOVERED, O.SERVER_ERROR, O.SERVER_ERROR),
    "503": (answer(503), O.NOT_DISCOVERED, O.SERVER_ERROR, O.SERVER_ERROR),
    "504": (answer(504), O.NOT_DISCOVERED, O.SERVER_ERROR, O.SERVER_ERROR),
    "599": (answer(599), O.NOT_DISCOVERED, O.SERVER_ERROR, O.SERVER_ERROR),
}
TABLE = [
    pytest.param(stage, behaviour, expected, id=f"{stage.name.lower()}: {name}")
    for name, (behaviour, *outcomes) in FAILURES.items()
    for stage, expected in zip((DISCOVERY, AUTHENTICATION, VALIDATION), outcomes, strict=True)
]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "trusted")


@contextlib.contextmanager
def outage(expected: Outcome) -> Iterator[pytest.ExceptionInfo[Outage]]:
    """Expect this outage, without any of our secrets in it, and soon."""
    started = time.monotonic()
    with pytest.raises(Outage) as raised:
        yield raised
    assert raised.value.kind == expected.name, raised.value
    assert TOKEN not in str(raised.value)
    assert PASSWORD not in str(raised.value)
    assert time.monotonic() - started < PATIENCE_SECONDS


@pytest.mark.parametrize(("stage", "behaviour", "expected"), TABLE)
def test_failure_is_judged(
    stage: Stage,
    behaviour: Behaviour,
    expected: Outcome | Reason,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    with MisbehavingIdentity({stage: behaviour}).served() as identity:
        # A body that is too large takes a loaded machine seconds.
        client = client_for(
            identity.url, identity_deadline=PATIENCE_SECONDS if expected is O.BODY_TOO_LARGE else 1
        )
        if isinstance(expected, Reason):
            with pytest.raises(InvalidToken) as refused:
                client.fetch_token(TOKEN)
            assert refused.value.reason is expected
            assert TOKEN not in str(refused.value)
        else:
            with outage(expected):
                client.fetch_token(TOKEN)
    said = [entry.message for entry in caplog.records if entry.name == "authmw.identity.client"]
    assert len(said) == (0 if isinstance(expected, Reason) else 1), said
    assert TOKEN not in caplog.text
    assert PASSWORD not in caplog.text


def test_nothing_but_the_word_on_a_token_refuses_it() -> None:
    refusing = [row for row in Outcome if row.meaning.verdict is Verdict.TOKEN_REFUSED]
    assert refusing == [
        Outcome.TOKEN_UNACCEPTABLE,
        Outcome.TOKEN_NOT_FOUND,
        Outcome.TOKEN_FORBIDDEN,
    ]
    for status in range(100, 600):
        judged = Outcome.of_status(status, about_token=False, keystone_says="no")
        assert judged not in refusing, status


def test_what_the_endpoint_itself_says_is_a_sign_of_life() -> None:
    assert {row for row in Outcome if row.meaning.health is Health.ANSWERS} == {
        Outcome.ANSWERED,
        Outcome.TOKEN_UNACCEPTABLE,
        Outcome.TOKEN_NOT_FOUND,
        Outcome.TOKEN_FORBIDDEN,
        Outcome.CREDENTIALS_FORBIDDEN,
    }
    for row in Outcome:
        if row.meaning.verdict in (Verdict.ANSWERED, Verdict.TOKEN_REFUSED):
            assert row.meaning.health is Health.ANSWERS, row


def test_what_keeps_us_from_asking_says_nothing_of_the_endpoint() -> None:
    assert {row for row in Outcome if row.meaning.health is Health.UNKNOWN} == {
        Outcome.BREAKER_OPEN,
        Outcome.NO_AUTH_PLUGIN,
        Outcome.OVERLOADED,
        Outcome.NOT_SENT,
        Outcome.FILE_UNREADABLE,
        Outcome.FAILED,
    }


def test_good_answer_is_the_object_under_token() -> None:
    with MisbehavingIdentity().served() as identity:
        client = client_for(identity.url)
        assert client.fetch_token(TOKEN) == TOKEN_BODY
        assert client.fetch_token(TOKEN) == TOKEN_BODY
    assert identity.count(AUTHENTICATION) == 1
    assert identity.count(VALIDATION) == 2
    assert identity.connections == 1
    seen = identity.last(VALIDATION)
    assert (seen.method, seen.path, seen.query) == ("GET", "/v3/auth/tokens", "")
    assert seen.headers["x-subject-token"] == TOKEN
    assert seen.headers["x-auth-token"] == "own-1"
    assert seen.headers["openstack-identity-access-rules"] == "1"
    assert "authmw" in seen.headers["user-agent"]


@pytest.mark.parametrize(
    ("catalog", "allow_expired", "query"),
    [
        ("true", False, ""),
        ("true", True, "allow_expired=1"),
        ("false", False, "nocatalog"),
        ("false", True, "nocatalog&allow_expired=1"),
    ],
)
def test_query_says_what_is_wanted(catalog: str, allow_expired: bool, query: str) -> None:  # noqa: FBT001
    with MisbehavingIdentity().served() as identity:
        client = client_for(identity.url, include_service_catalog=catalog)
        client.fetch_token(TOKEN, allow_expired=allow_expired)
    assert identity.last(VALIDATION).query == query


REQUEST_ID = "req-6f9619ff-8b86-d011-b42d-00c04fc964ff"


@pytest.mark.parametrize(
    ("request_id", "sent"),
    [
        (REQUEST_ID, REQUEST_ID),
        (None, None),
        ("", None),
        (REQUEST_ID + "\r\nX-Auth-Token: forged", None),
        (REQUEST_ID + "\n", None),
        ("req-anything", None),
        (REQUEST_ID.replace("6", "\u0666"), None),
    ],
)
def test_only_a_request_id_is_passed_on(request_id: str | None, sent: str | None) -> None:
    with MisbehavingIdentity().served() as identity:
        client_for(identity.url).fetch_token(TOKEN, request_id=request_id)
    assert identity.last(VALIDATION).headers.get("x-openstack-request-id") == sent


ADMIN_TOKEN = {"auth_type": "admin_token", "token": "fixed"}


def test_fixed_token_of_ours_that_is_refused_is_not_tried_again() -> None:
    with MisbehavingIdentity({VALIDATION: answer(401)}).served() as identity:
        settings = load_settings({**ADMIN_TOKEN, "endpoint": f"{identity.url}/v3"})
        client = IdentityClient(settings, load_auth_plugin(settings.auth))
        with outage(Outcome.CREDENTIALS_REFUSED):
            client.fetch_token(TOKEN)
    assert [seen.headers["x-auth-token"] for seen in identity.seen] == ["fixed"]


@pytest.mark.parametrize("token", ["", " x", "x ", "x\r\nX-Forged: 1", "x\0", "x\u20ac"])
def test_token_that_no_header_can_carry_is_never_sent(token: str) -> None:
    with MisbehavingIdentity().served() as identity:
        with pytest.raises(InvalidToken) as refused:
            client_for(identity.url).fetch_token(token)
        assert refused.value.reason is Reason.MALFORMED
    assert identity.seen == []


# A 403 that may be the token's.

BARE_403 = forbidden("You are not authorized to perform the requested action.")
OWN_TOKEN_VALID = answer(200, {"token": TOKEN_BODY})


def test_forbidden_token_is_refused_once_our_own_was_not() -> None:
    with MisbehavingIdentity({VALIDATION: [BARE_403, OWN_TOKEN_VALID]}).served() as identity:
        with pytest.raises(InvalidToken) as refused:
            client_for(identity.url).fetch_token(TOKEN)
        assert refused.value.reason is Reason.REVOKED
        assert 'delegated no longer (HTTP 403, "You are not authorized' in str(refused.value)
    about_token, about_us = [seen for seen in identity.seen if seen.stage is VALIDATION]
    assert about_token.headers["x-subject-token"] == TOKEN
    assert about_us.headers["x-subject-token"] == about_us.headers["x-auth-token"] == "own-1"
    assert about_us.query == "nocatalog"


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (BARE_403, Outcome.CREDENTIALS_FORBIDDEN),
        (answer(401), Outcome.CREDENTIALS_REFUSED),
        (answer(404), Outcome.NOT_IDENTITY),
        (answer(500), Outcome.SERVER_ERROR),
        (HTML, Outcome.NOT_JSON),
        (stay_silent, Outcome.DEADLINE),
    ],
    ids=["403", "401", "404", "500", "HTML", "silent"],
)
def test_forbidden_token_is_an_outage_unless_our_own_is_good(
    second: Behaviour, expected: Outcome
) -> None:
    identity = MisbehavingIdentity({VALIDATION: [BARE_403, second]})
    with identity.served(), outage(expected):
        client_for(identity.url).fetch_token(TOKEN)


# Our own credentials.


def test_refused_credentials_are_renewed_once_and_everything_asked_again() -> None:
    behaviours = {VALIDATION: [answer(401), answer(200, {"token": TOKEN_BODY})]}
    with MisbehavingIdentity(behaviours).served() as identity:
        client = client_for(identity.url, include_service_catalog="false")
        client.fetch_token(TOKEN, allow_expired=True, request_id=REQUEST_ID)
    first, second = [seen for seen in identity.seen if seen.stage is VALIDATION]
    assert (first.headers["x-auth-token"], second.headers["x-auth-token"]) == ("own-1", "own-2")
    assert second.query == first.query == "nocatalog&allow_expired=1"
    assert {**first.headers, "x-auth-token": ""} == {**second.headers, "x-auth-token": ""}


def test_refused_credentials_are_said_to_be_ours(caplog: pytest.LogCaptureFixture) -> None:
    with MisbehavingIdentity({VALIDATION: answer(401)}).served() as identity:
        client = client_for(identity.url)
        with outage(Outcome.CREDENTIALS_REFUSED):
            client.fetch_token(TOKEN)
    assert (identity.count(AUTHENTICATION), identity.count(VALIDATION)) == (2, 2)
    [said] = [entry for entry in caplog.records if entry.name == "authmw.identity.client"]
    assert said.levelno == logging.ERROR
    assert said.message == (
        f"No answer (credentials_refused): GET {identity.url}/v3/auth/tokens: "
        f"{Outcome.CREDENTIALS_REFUSED.meaning.detail} (HTTP 401)"
    )


def test_threads_with_refused_credentials_renew_them_once() -> None:
    together = threading.Barrier(8, timeout=10)

    def refuse_all(client: socket.socket) -> None:
        together.wait()
        answer(401)(client)

    behaviours: list[Behaviour] = [refuse_all] * 8 + [answer(200, {"token": TOKEN_BODY})]
    with MisbehavingIdentity({VALIDATION: behaviours}).served() as identity:
        client = client_for(identity.url, identity_deadline=20)
        bodies: list[object] = []
        threads = [
            threading.Thread(target=lambda: bodies.append(client.fetch_token(TOKEN)))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert bodies == [TOKEN_BODY] * 8
    assert identity.count(AUTHENTICATION) == 2


def test_without_auth_plugin_the_option_is_named() -> None:
    settings = dataclasses.replace(settings_for("http://localhost:1"), auth=None)
    client = IdentityClient(settings, load_auth_plugin(settings.auth))
    with outage(Outcome.NO_AUTH_PLUGIN) as raised:
        client.fetch_token(TOKEN)
    assert "auth_type is not set" in str(raised.value)
    assert client.authenticate_uri() is None


# The way there.


def test_refused_connection_for_discovery_is_an_outage() -> None:
    with closed_port() as port, outage(Outcome.CONNECT_FAILED) as raised:
        client_for(f"http://localhost:{port}").fetch_token(TOKEN)
    assert f"GET http://localhost:{port}/: the connection was refused" in str(raised.value)


def test_refused_connection_for_authentication_is_an_outage() -> None:
    with MisbehavingIdentity().served() as identity:
        identity.behaviours = {DISCOVERY: identity.discover_for_the_last_time}
        with outage(Outcome.CONNECT_FAILED) as raised:
            client_for(identity.url).fetch_token(TOKEN)
    assert f"POST {identity.url}/v3/auth/tokens: " in str(raised.value)


def test_refused_connection_for_validation_is_an_outage() -> None:
    with closed_port() as port, MisbehavingIdentity().served() as identity:
        identity.catalog = catalog_of(f"http://localhost:{port}/v3")
        with outage(Outcome.CONNECT_FAILED) as raised:
            client_for(identity.url).fetch_token(TOKEN)
    assert f"GET http://localhost:{port}/v3/auth/tokens: " in str(raised.value)


def test_unknown_host_is_an_outage() -> None:
    client = client_for("http://no-such-host.invalid:5000/v3", identity_deadline=5)
    with outage(Outcome.NAME_UNKNOWN):
        client.fetch_token(TOKEN)


@pytest.mark.parametrize("auth_url", ["ftp://localhost/v3", "localhost:5000", "http://[::1/v3"])
def test_unusable_address_is_an_outage(auth_url: str) -> None:
    with pytest.raises(Outage):
        client_for(auth_url).fetch_token(TOKEN)


def test_silence_is_noticed_before_a_longer_deadline() -> None:
    with MisbehavingIdentity({VALIDATION: stay_silent}).served() as identity:
        client = client_for(identity.url, http_connect_timeout=1, identity_deadline=60)
        with outage(Outcome.READ_TIMEOUT):
            client.fetch_token(TOKEN)


def test_failed_connection_is_tried_again() -> None:
    behaviours = {VALIDATION: [reset, hang_up, answer(200, {"token": TOKEN_BODY})]}
    with MisbehavingIdentity(behaviours).served() as identity:
        client = client_for(identity.url, http_request_max_retries=2, identity_deadline=20)
        assert client.fetch_token(TOKEN) == TOKEN_BODY
    assert identity.count(VALIDATION) == 3


def test_retries_end_with_the_deadline() -> None:
    with closed_port() as port:
        client = client_for(f"http://localhost:{port}", http_request_max_retries=1000)
        with outage(Outcome.CONNECT_FAILED):
            client.fetch_token(TOKEN)


def test_waiting_for_another_threads_authentication_ends_with_the_deadline() -> None:
    with MisbehavingIdentity({AUTHENTICATION: drip_body}).served() as identity:
        client = client_for(identity.url)
        outages: list[Outage] = []

        def ask() -> None:
            with outage(Outcome.DEADLINE) as raised:
                client.fetch_token(TOKEN)
            outages.append(raised.value)

        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_SECONDS)
    assert len(outages) == 6


# TLS.


def test_trusted_certificate_is_accepted(authority: Authority) -> None:
    with MisbehavingIdentity(tls=authority.server_context("localhost")).served() as identity:
        client = client_for(identity.url, cafile=str(authority.cafile))
        assert client.fetch_token(TOKEN) == TOKEN_BODY
        assert client.fetch_token(TOKEN) == TOKEN_BODY
    assert identity.connections == 1


def test_client_certificate_is_shown(authority: Authority, tmp_path: Path) -> None:
    tls = authority.server_context("localhost")
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_verify_locations(authority.cafile)
    authority.server_context("nova")
    certfile = authority.cafile.with_name("trusted-nova.pem")
    with MisbehavingIdentity(tls=tls).served() as identity:
        cafile = str(authority.cafile)
        client = client_for(identity.url, cafile=cafile, certfile=str(certfile))
        assert client.fetch_token(TOKEN) == TOKEN_BODY
        with pytest.raises(Outage):
            client_for(identity.url, cafile=cafile).fetch_token(TOKEN)


@pytest.mark.parametrize("fault", ["wrong authority", "wrong host", "public authorities", "no TLS"])
def test_certificate_that_does_not_fit_is_an_outage(
    fault: str, authority: Authority, tmp_path: Path
) -> None:
    signer = Authority(tmp_path, "stranger") if fault == "wrong authority" else authority
    host = "elsewhere.example" if fault == "wrong host" else "localhost"
    tls = None if fault == "no TLS" else signer.server_context(host)
    with MisbehavingIdentity(tls=tls).served() as identity:
        cafile = None if fault == "public authorities" else str(authority.cafile)
        url = identity.url.replace("http:", "https:")
        with outage(Outcome.NO_TLS if fault == "no TLS" else Outcome.TLS):
            client_for(url, cafile=cafile).fetch_token(TOKEN)
    assert identity.seen == []


def test_http_where_tls_is_spoken_is_named(authority: Authority) -> None:
    identity = MisbehavingIdentity(tls=authority.server_context("localhost"))
    with identity.served(), pytest.raises(Outage) as raised:
        client_for(identity.url.replace("https:", "http:")).fetch_token(TOKEN)
    assert raised.value.kind in (Outcome.SPEAKS_TLS.name, Outcome.CONNECTION_BROKEN.name)
    assert "write https://" in str(raised.value)


def test_cafile_that_went_missing_is_an_outage_that_names_it(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.pem")
    client = client_for("https://localhost:1", cafile=missing)
    with outage(Outcome.FILE_UNREADABLE) as raised:
        client.fetch_token(TOKEN)
    assert missing in str(raised.value)


@pytest.mark.parametrize("is_apart", [False, True])
def test_key_that_was_replaced_by_an_encrypted_one_is_an_outage_that_says_so(
    authority: Authority,
    is_apart: bool,  # noqa: FBT001
) -> None:
    tls = authority.server_context("localhost")
    authority.server_context("swift")
    certificate, key, both = map(str, authority.encrypt_key_of("swift"))
    files = {"certfile": certificate, "keyfile": key} if is_apart else {"certfile": both}
    with MisbehavingIdentity(tls=tls).served() as identity:
        client = client_for(identity.url, cafile=str(authority.cafile), **files)
        with outage(Outcome.TLS) as raised:
            client.fetch_token(TOKEN)
    assert "key is encrypted" in str(raised.value)


def test_insecure_accepts_any_certificate(tmp_path: Path) -> None:
    tls = Authority(tmp_path, "stranger").server_context("elsewhere.example")
    with MisbehavingIdentity(tls=tls).served() as identity:
        assert client_for(identity.url, insecure="true").fetch_token(TOKEN) == TOKEN_BODY


def test_deadline_holds_inside_a_tls_record(authority: Authority) -> None:
    """One TLS record arrives in many packets, each of them in time."""
    identity = MisbehavingIdentity(tls=authority.server_context("localhost"))
    with identity.served(), dripping_relay(identity.port) as identity.told_port:
        client = client_for(identity.url, cafile=str(authority.cafile))
        with outage(Outcome.DEADLINE):
            client.fetch_token(TOKEN)


# Redirects.


@pytest.mark.parametrize("status", [301, 302, 303, 305, 307, 308])
@pytest.mark.parametrize("stage", [DISCOVERY, AUTHENTICATION, VALIDATION])
def test_redirect_to_another_port_is_never_followed(stage: Stage, status: int) -> None:
    with MisbehavingIdentity().served() as stranger, MisbehavingIdentity().served() as identity:
        identity.behaviours = {stage: redirect(f"{stranger.url}/v3/auth/tokens", status)}
        with outage(Outcome.REDIRECTED_ELSEWHERE):
            client_for(identity.url).fetch_token(TOKEN)
    assert identity.count(stage) == 1
    assert stranger.connections == 0


@pytest.mark.parametrize("address", ["http://127.0.0.1:{}/", "https://localhost:{}/", "//[::1"])
def test_redirect_to_another_host_or_scheme_is_never_followed(address: str) -> None:
    with MisbehavingIdentity().served() as identity:
        identity.behaviours = {VALIDATION: redirect(address.format(identity.port))}
        with outage(Outcome.REDIRECTED_ELSEWHERE):
            client_for(identity.url).fetch_token(TOKEN)
    assert identity.connections == 1


def test_version_that_discovery_puts_on_another_server_gets_no_password() -> None:
    with MisbehavingIdentity().served() as stranger, MisbehavingIdentity().served() as identity:
        identity.link = f"{stranger.url}/v3/"
        assert client_for(identity.url).fetch_token(TOKEN) == TOKEN_BODY
    assert stranger.connections == 0


def test_redirect_on_the_same_server_is_followed() -> None:
    behaviours = {
        VALIDATION: [redirect("/v3/auth/tokens?nocatalog", 307), answer(200, {"token": TOKEN_BODY})]
    }
    with MisbehavingIdentity(behaviours).served() as identity:
        assert client_for(identity.url).fetch_token(TOKEN) == TOKEN_BODY
    assert identity.last(VALIDATION).headers["x-subject-token"] == TOKEN


# Catalog and discovery.


def catalog_of(url: str, interface: str = "internal", region: str = "RegionOne") -> object:
    endpoint = {"interface": interface, "region": region, "region_id": region, "url": url}
    return [{"type": "identity", "endpoints": [endpoint]}]


@pytest.mark.parametrize("wanted", ["interface", "region_name", "service", "catalog"])
def test_missing_endpoint_is_looked_for_again_next_time(wanted: str) -> None:
    with MisbehavingIdentity().served() as identity:
        lacking = {
            "interface": catalog_of(f"{identity.url}/v3", interface="public"),
            "region_name": catalog_of(f"{identity.url}/v3", region="RegionTwo"),
            "service": [{"type": "compute", "endpoints": []}],
            "catalog": [],
        }
        identity.catalog = lacking[wanted]
        client = client_for(identity.url, region_name="RegionOne")
        with outage(Outcome.NO_ENDPOINT) as raised:
            client.fetch_token(TOKEN)
        assert {
            "interface": "region_name = RegionOne; of the identity service the catalog has "
            "interface = public, region_name = RegionOne)",
            "region_name": "the catalog has interface = internal, region_name = RegionTwo)",
            "service": "the catalog has no identity service, it has compute)",
            "catalog": "the catalog has no identity service, it has nothing)",
        }[wanted] in str(raised.value)
        identity.catalog = None
        assert client.fetch_token(TOKEN) == TOKEN_BODY
    assert identity.count(AUTHENTICATION) == 2


def test_version_of_an_endpoint_without_one_is_discovered() -> None:
    with MisbehavingIdentity().served() as identity:
        identity.catalog = catalog_of(identity.url)
        assert client_for(f"{identity.url}/v3").fetch_token(TOKEN) == TOKEN_BODY


def test_endpoint_whose_version_can_not_be_discovered_is_not_asked() -> None:
    """keystoneauth1 falls back to the address as it is, where a 404 would say nothing."""
    with MisbehavingIdentity({DISCOVERY: answer(404)}).served() as identity:
        identity.catalog = catalog_of(identity.url)
        with outage(Outcome.NO_ENDPOINT):
            client_for(f"{identity.url}/v3").fetch_token(TOKEN)
    assert {seen.stage for seen in identity.seen} == {DISCOVERY, AUTHENTICATION}


def test_wrong_path_in_the_catalog_is_forgotten() -> None:
    with MisbehavingIdentity().served() as identity:
        identity.catalog = catalog_of(f"{identity.url}/typo/v3")
        identity.behaviours = {Stage.OTHER: answer(404, b"no such page")}
        client = client_for(identity.url)
        with outage(Outcome.NOT_IDENTITY):
            client.fetch_token(TOKEN)
        identity.catalog = None
        assert client.fetch_token(TOKEN) == TOKEN_BODY


# Other answers.


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (None, 5),
        ("7", 7),
        ("0", 1),
        ("-1", 5),
        ("99999999999999999999", 60),
        ("soon", 5),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 1),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 60),
    ],
)
def test_retry_after_is_passed_on_within_bounds(written: str | None, seconds: int) -> None:
    headers = {} if written is None else {"Retry-After": written}
    with MisbehavingIdentity().served() as identity:
        identity.behaviours = {VALIDATION: answer(503, headers=headers)}
        with outage(Outcome.SERVER_ERROR) as raised:
            client_for(identity.url).fetch_token(TOKEN)
    assert raised.value.retry_after == seconds


def test_other_questions_get_their_object_and_the_servers_clock() -> None:
    with MisbehavingIdentity().served() as identity:
        found = client_for(identity.url).fetch_json("/OS-REVOKE/events", {"since": "2026 &"})
    assert found.body == {"events": []}
    assert found.date == 784111777.0
    assert identity.last(Stage.OTHER).query == "since=2026+%26"
    assert "x-subject-token" not in identity.last(Stage.OTHER).headers


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        (answer(400), Outcome.UNEXPECTED_STATUS),
        (NOT_FOUND, Outcome.NOT_FOUND),
        (answer(404), Outcome.NOT_IDENTITY),
        (answer(403), Outcome.FORBIDDEN_ELSEWHERE),
        (BARE_403, Outcome.CREDENTIALS_FORBIDDEN),
        (HTML, Outcome.NOT_JSON),
    ],
)
def test_other_questions_never_refuse_a_token(behaviour: Behaviour, expected: Outcome) -> None:
    with MisbehavingIdentity({Stage.OTHER: behaviour}).served() as identity, outage(expected):
        client_for(identity.url).fetch_json("/OS-REVOKE/events", {})


# Where clients get tokens.


def test_authenticate_uri_is_discovered_once() -> None:
    with MisbehavingIdentity().served() as identity:
        client = client_for(identity.url)
        assert client.authenticate_uri() == f"{identity.url}/v3"
        assert client.authenticate_uri() == f"{identity.url}/v3"
    assert [seen.stage for seen in identity.seen] == [DISCOVERY]


def test_authenticate_uri_of_the_settings_needs_nobody() -> None:
    client = client_for("http://localhost:1", www_authenticate_uri="https://id.example/v3")
    assert client.authenticate_uri() == "https://id.example/v3"


@pytest.mark.parametrize("behaviour", [drip_body, reset, HTML], ids=["drip", "reset", "HTML"])
def test_authenticate_uri_that_is_not_found_is_our_auth_url_and_asked_rarely(
    behaviour: Behaviour,
) -> None:
    with MisbehavingIdentity({DISCOVERY: behaviour}).served() as identity:
        client = client_for(identity.url)
        started = time.monotonic()
        assert {client.authenticate_uri() for _ in range(50)} == {identity.url}
        assert time.monotonic() - started < PATIENCE_SECONDS
    assert identity.connections < 10


# Processes and green threads.


@pytest.mark.heavy
def test_importing_the_client_loads_no_http_library() -> None:
    program = (
        "import sys, authmw.identity.client;"
        "print([name for name in ('requests', 'urllib3', 'keystoneauth1') if name in sys.modules])"
    )
    assert run_python("-W", "ignore", "-c", program).stdout.strip() == "[]"


@pytest.mark.heavy
@pytest.mark.parametrize(
    "patch",
    [
        "import eventlet; eventlet.monkey_patch()",
        "from gevent import monkey; monkey.patch_all()",
    ],
    ids=["eventlet", "gevent"],
)
@pytest.mark.parametrize("behaviour", [None, drip_body], ids=["good", "drip"])
def test_green_threads_keep_the_deadline(
    patch: str, behaviour: Behaviour | None, authority: Authority
) -> None:
    tls = authority.server_context("localhost")
    identity = MisbehavingIdentity({} if behaviour is None else {VALIDATION: behaviour}, tls=tls)
    with identity.served():
        program = f"""
{patch}
from authmw.errors import Outage
from tests.support.identity_client import client_for
client = client_for({identity.url!r}, cafile={str(authority.cafile)!r}, identity_deadline=2)
try:
    print(client.fetch_token("x")["audit_ids"])
except Outage as outage:
    print(outage.kind)
"""
        started = time.monotonic()
        said = run_python("-W", "ignore", "-c", program).stdout.strip()
        assert time.monotonic() - started < 2 * PATIENCE_SECONDS
    assert said == ("['a1']" if behaviour is None else "DEADLINE")


@pytest.mark.heavy
@pytest.mark.parametrize(
    "patch",
    [
        "import eventlet; eventlet.monkey_patch()",
        "from gevent import monkey; monkey.patch_all()",
    ],
    ids=["eventlet", "gevent"],
)
def test_green_threads_keep_the_deadline_inside_a_tls_record(
    patch: str, authority: Authority
) -> None:
    identity = MisbehavingIdentity(tls=authority.server_context("localhost"))
    with identity.served(), dripping_relay(identity.port) as identity.told_port:
        program = f"""
{patch}
from authmw.errors import Outage
from tests.support.identity_client import client_for
client = client_for({identity.url!r}, cafile={str(authority.cafile)!r})
try:
    print(client.fetch_token("x"))
except Outage as outage:
    print(outage.kind)
"""
        assert run_python("-W", "ignore", "-c", program).stdout.strip() == "DEADLINE"


@pytest.mark.heavy
def test_each_process_opens_its_own_connections() -> None:
    with MisbehavingIdentity().served() as identity:
        program = f"""
import os
from tests.support.identity_client import client_for
client = client_for({identity.url!r}, identity_deadline=10)
client.fetch_token("x")
child = os.fork()
if child == 0:
    client.fetch_token("x")
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
client.fetch_token("x")
"""
        assert run_python("-W", "ignore", "-c", program).stdout.strip() == "0"
    assert identity.connections == 2
    assert identity.count(AUTHENTICATION) == 2
    assert identity.count(VALIDATION) == 3


def test_outage_is_what_the_rest_of_authmw_calls_unavailable() -> None:
    assert issubclass(Outage, IdentityUnavailable)
