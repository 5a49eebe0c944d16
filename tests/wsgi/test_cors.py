"""CORS headers of our own responses (`cors_allowed_origins`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import flask_cors
import oslo_middleware.cors
import pytest

import authmw
from authmw.testing import Fault, IdentityServer
from authmw.wsgi.cors import CorsPolicy
from tests.support.protected import get
from tests.support.views import flask_view, wsgi_function

LISTED = "https://app.example.org"
OTHER = "https://evil.example.org"
EXPOSED = "WWW-Authenticate, Retry-After"
Cors = tuple[str | None, str | None, str | None, str | None]


def cors_of(answer: Any) -> Cors:
    """Return origin, exposed headers, Vary and credentials, each sent at most once."""
    names = ("Allow-Origin", "Expose-Headers", "Allow-Credentials")
    found = {name: answer.headers.getall(f"Access-Control-{name}") for name in names}
    assert all(len(values) <= 1 for values in found.values()), found
    origin, exposed, credentials = (next(iter(found[name]), None) for name in names)
    return origin, exposed, answer.headers.get("Vary"), credentials


# What is configured, the request's Origin, and what our answers say then.
TABLE: tuple[tuple[str, str | None, Cors], ...] = (
    ("", LISTED, (None, None, None, None)),
    (LISTED, LISTED, (LISTED, EXPOSED, "Origin", None)),
    (LISTED, OTHER, (None, None, "Origin", None)),
    (LISTED, None, (None, None, "Origin", None)),
    (LISTED, "null", (None, None, "Origin", None)),
    (LISTED, LISTED + ".evil.example", (None, None, "Origin", None)),
    (LISTED, LISTED.upper(), (None, None, "Origin", None)),
    (f"https://a.example,{LISTED}", LISTED, (LISTED, EXPOSED, "Origin", None)),
    ("*", OTHER, ("*", EXPOSED, None, None)),
    ("*", None, ("*", EXPOSED, None, None)),
)


def protect(server: IdentityServer, app: Any, **options: str) -> Any:
    return authmw.filter_factory({}, **server.service_credentials, **options)(app)


@pytest.mark.parametrize(("allowed", "origin", "expected"), TABLE)
def test_our_401_and_503_tell_browsers_exactly_what_is_configured(
    server: IdentityServer, allowed: str, origin: str | None, expected: Cors
) -> None:
    app = protect(server, wsgi_function(authmw.require()), cors_allowed_origins=allowed)
    more = {} if origin is None else {"Origin": origin}
    refused = get(app, **more)
    with server.failing(Fault.ERROR_503):
        unavailable = get(app, server.issue("member", project="inventory"), **more)
    assert (refused.status_int, unavailable.status_int) == (401, 503)
    assert (cors_of(refused), cors_of(unavailable)) == (expected, expected)


@pytest.mark.parametrize("make", [wsgi_function, flask_view])
def test_our_403_and_401_from_within_an_app_do_too(server: IdentityServer, make: Any) -> None:
    app = protect(
        server,
        make(authmw.require(roles="admin")),
        cors_allowed_origins=LISTED,
        delay_auth_decision="true",
    )
    answers = [
        get(app, token, Origin=LISTED)
        for token in (None, server.issue("member", project="inventory"))
    ]
    assert [answer.status_int for answer in answers] == [401, 403]
    assert [cors_of(answer) for answer in answers] == [(LISTED, EXPOSED, "Origin", None)] * 2


@pytest.mark.parametrize("status", ["200 OK", "401 Unauthorized", "403 Forbidden"])
def test_the_app_s_own_answers_are_the_app_s_affair(server: IdentityServer, status: str) -> None:
    def app(_environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response(status, [])
        return [b""]

    token = server.issue("member", project="inventory")
    answer = get(protect(server, app, cors_allowed_origins=LISTED), token, Origin=LISTED)
    assert (answer.status, cors_of(answer)) == (status, (None, None, None, None))


@pytest.mark.parametrize(
    ("origins", "message"),
    [
        ("*,https://app.example.org", r"write either \* or origins"),
        ("null", "null is what every sandboxed page says it is"),
        ("app.example.org", "app.example.org is not how a browser writes an origin"),
        ("https://app.example.org/", "without a path"),
        ("https://App.example.org", "in lower case"),
        ("https://app.example.org:443", "without the scheme's own port"),
        ("https://user@app.example.org", "is not how a browser writes an origin"),
        ("https://*.example.org", "is not how a browser writes an origin"),
        ("ftp://app.example.org", "is not how a browser writes an origin"),
        ("https://app.example.org:port", "is not how a browser writes an origin"),
    ],
)
def test_an_origin_no_browser_would_send_stops_the_start(
    server: IdentityServer, origins: str, message: str
) -> None:
    with pytest.raises(authmw.ConfigurationError, match=message):
        protect(server, wsgi_function(authmw.require()), cors_allowed_origins=origins)


@pytest.mark.parametrize("origin", ["http://localhost:3000", "https://[2001:db8::1]:8443"])
def test_ports_and_addresses_are_part_of_an_origin(server: IdentityServer, origin: str) -> None:
    app = protect(server, wsgi_function(authmw.require()), cors_allowed_origins=origin)
    assert cors_of(get(app, Origin=origin))[0] == origin


def test_what_is_sent_is_never_what_the_client_wrote() -> None:
    configured = LISTED
    received = "".join(list(LISTED))
    ((_, sent), *_rest) = CorsPolicy(frozenset({configured})).headers_for(received)
    assert sent == configured


def flask_with_cors(required: Any) -> Any:
    app: Any = flask_view(required)
    flask_cors.CORS(app, origins=[LISTED])
    return app


def oslo_cors(app: Any) -> Any:
    return oslo_middleware.cors.CORS.factory({}, allowed_origin=LISTED)(app)


@pytest.mark.parametrize("allowed", ["", LISTED, "*"])
def test_a_cors_filter_of_the_app_s_is_not_spoken_over(
    server: IdentityServer, allowed: str
) -> None:
    app = protect(
        server,
        flask_with_cors(authmw.require(roles="admin")),
        cors_allowed_origins=allowed,
        delay_auth_decision="true",
    )
    member = server.issue("member", project="inventory")
    for token, status in ((None, 401), (member, 403)):
        answer = get(app, token, Origin=LISTED)
        assert answer.status_int == status
        assert answer.headers.getall("Access-Control-Allow-Origin") == [LISTED]


@pytest.mark.parametrize(("allowed", "expected"), [("", []), (LISTED, [LISTED]), ("*", ["*"])])
def test_a_refusal_that_no_filter_of_the_app_s_catches_has_what_we_are_configured_to_say(
    server: IdentityServer, allowed: str, expected: list[str]
) -> None:
    app = protect(
        server,
        oslo_cors(wsgi_function(authmw.require(roles="admin"))),
        cors_allowed_origins=allowed,
    )
    answer = get(app, server.issue("member", project="inventory"), Origin=LISTED)
    assert answer.status_int == 403
    assert answer.headers.getall("Access-Control-Allow-Origin") == expected


@pytest.mark.parametrize("allowed", ["", LISTED])
def test_a_cors_filter_in_front_covers_our_refusals_and_none_twice(
    server: IdentityServer, allowed: str
) -> None:
    required = wsgi_function(authmw.require(roles="admin"))
    app = oslo_cors(protect(server, required, cors_allowed_origins=allowed))
    member = server.issue("member", project="inventory")
    with server.failing(Fault.ERROR_503):
        answers = [get(app, server.issue(project="inventory"), Origin=LISTED)]
    answers += [get(app, token, Origin=LISTED) for token in (None, member)]
    assert [answer.status_int for answer in answers] == [503, 401, 403]
    for answer in answers:
        assert answer.headers.getall("Access-Control-Allow-Origin") == [LISTED]
