"""keystonemiddleware's three OAuth2 filters beside those that replace them by one changed line."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import jwt
import keystonemiddleware.external_oauth2_token
import keystonemiddleware.oauth2_mtls_token
import keystonemiddleware.oauth2_token
import pytest
from oslo_config import cfg

import authmw.external_oauth2_token
import authmw.oauth2_mtls_token
import authmw.oauth2_token
from authmw.errors import ConfigurationError
from authmw.testing import IdentityServer
from authmw.testing.oidc_server import OidcServer
from tests.support.certificates import Authority
from tests.support.misbehaving import MisbehavingIdentity, Stage, answer
from tests.system.peer.sides import quiet

Environ = dict[str, Any]

MAPPING = {
    "mapping_user_id": "sub",
    "mapping_user_domain_id": "user_domain.id",
    "mapping_user_domain_name": "user_domain.name",
    "mapping_roles": "roles",
    "mapping_project_id": "project.id",
    "mapping_project_name": "project.name",
    "mapping_project_domain_id": "project_domain.id",
    "mapping_project_domain_name": "project_domain.name",
    "mapping_system_scope": "system",
}
USER = {"user_domain": {"id": "d1", "name": "Default"}, "roles": "member,reader"}
PROJECT = {"project": {"id": "p1", "name": "inventory"}}
DOMAIN = {"project_domain": {"id": "d2", "name": "Zwei"}}

# Headers that say the same on both sides, wherever one is said.
SAME = (
    *("X_IDENTITY_STATUS", "X_USER_ID", "X_USER_NAME", "X_USER_DOMAIN_ID", "X_USER_DOMAIN_NAME"),
    *("X_PROJECT_ID", "X_PROJECT_NAME", "X_PROJECT_DOMAIN_ID", "X_PROJECT_DOMAIN_NAME"),
    *("X_DOMAIN_ID", "X_DOMAIN_NAME", "OPENSTACK_SYSTEM_SCOPE", "X_ROLES", "X_TENANT_ID", "X_USER"),
)


class Side:
    """One filter in front of a service that keeps what it was told."""

    def __init__(self, factory: Callable[..., Any], options: Mapping[str, Any]) -> None:
        self.environ: Environ | None = None
        self.answered: dict[str, str] = {}
        self.content = b""
        with quiet():
            self._app = factory({}, **{"oslo_config_config": cfg.ConfigOpts(), **options})(
                self._serve
            )

    def _serve(self, environ: Environ, start_response: Any) -> list[bytes]:
        self.environ = environ
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    def ask(self, token: str | None, **more: Any) -> int:
        """Send a token as a bearer token; return the status."""
        self.environ = None
        environ: Environ = {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": io.StringIO(),
            **({} if token is None else {"HTTP_AUTHORIZATION": f"Bearer {token}"}),
            **more,
        }
        statuses: list[str] = []

        def start_response(status: str, fields: list[tuple[str, str]], *_: Any) -> None:
            statuses.append(status)
            self.answered = {name.lower(): value for name, value in fields}

        with quiet():
            self.content = b"".join(self._app(environ, start_response))
        return int(statuses[-1][:3])

    @property
    def body(self) -> Any:
        return json.loads(self.content)

    def headers(self) -> dict[str, str]:
        assert self.environ is not None
        said = {name: self.environ.get(f"HTTP_{name}") for name in SAME}
        return {name: value for name, value in said.items() if value is not None}


# These two of the peer's don't say that an identity is confirmed.
UNSAID = {"X_IDENTITY_STATUS": "Confirmed"}


class Sides:
    """The peer's filter and ours, configured by the same words."""

    def __init__(self, theirs: Any, ours: Any, options: Mapping[str, Any]) -> None:
        self.theirs = Side(theirs.filter_factory, options)
        self.ours = Side(ours.filter_factory, options)

    def ask(self, token: str | None, **more: Any) -> tuple[int, int]:
        return self.theirs.ask(token, **dict(more)), self.ours.ask(token, **dict(more))


@pytest.fixture
def server() -> Iterator[OidcServer]:
    with OidcServer() as running:
        yield running


def external(server: OidcServer, **options: Any) -> Sides:
    given = {
        "introspect_endpoint": server.introspection_endpoint,
        "audience": server.token_endpoint,
        "client_id": server.client_id,
        "client_secret": server.client_secret,
        **MAPPING,
        **options,
    }
    return Sides(keystonemiddleware.external_oauth2_token, authmw.external_oauth2_token, given)


def issue(server: OidcServer, *parts: Mapping[str, Any], **changes: Any) -> str:
    claims = {name: value for part in (USER, *parts) for name, value in part.items()}
    return server.issue_opaque("ada", username="Ada", claims=claims, **changes)


@pytest.mark.parametrize(
    "scope",
    [
        {**PROJECT, **DOMAIN},
        DOMAIN,
        {"system": True},
        {"system": True, **PROJECT, **DOMAIN},
        {"system": False, **DOMAIN},
    ],
    ids=["project", "domain", "system", "system-first", "no-system"],
)
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_external_filters_say_the_same(
    scope: dict[str, Any], method: str, server: OidcServer
) -> None:
    sides = external(server, auth_method=method)
    token = issue(server, scope)
    assert sides.ask(token) == (200, 200)
    assert sides.ours.headers() == sides.theirs.headers()
    assert sides.ask(token) == (200, 200)


def test_external_filters_read_the_section_of_a_file(server: OidcServer, tmp_path: Path) -> None:
    given = {
        "introspect_endpoint": server.introspection_endpoint,
        "audience": server.token_endpoint,
        "auth_method": "client_secret_post",
        "client_id": server.client_id,
        "client_secret": server.client_secret,
        "thumbprint_verify": "false",
        "token_cache_time": "300",
        **MAPPING,
    }
    path = tmp_path / "service.conf"
    path.write_text(
        "[ext_oauth2_auth]\n"
        + "".join(f"{name} = {value}\n" for name, value in given.items())
        # Nothing of this is about this filter.
        + "[keystone_authtoken]\ndelay_auth_decision = true\npublic_paths = /\n"
    )
    conf = cfg.ConfigOpts()
    conf([], project="service", default_config_files=[str(path)])
    sides = Sides(
        keystonemiddleware.external_oauth2_token,
        authmw.external_oauth2_token,
        {"oslo_config_config": conf},
    )
    assert sides.ask(issue(server, DOMAIN)) == (200, 200)
    assert sides.ours.headers() == sides.theirs.headers()
    assert sides.ask("made-up") == (401, 401)
    assert sides.ask(None) == (401, 401)


def test_roles_of_the_external_filter_may_be_written_with_blanks(server: OidcServer) -> None:
    sides = external(server)
    assert sides.ask(issue(server, DOMAIN, {"roles": "admin, member"})) == (200, 200)
    # Theirs hands on the text, of which services take the blanks away.
    assert sides.theirs.headers()["X_ROLES"] == "admin, member"
    assert sides.ours.headers()["X_ROLES"] == "admin,member"


def test_external_filters_ask_about_signed_tokens_as_well(server: OidcServer) -> None:
    sides = external(server)
    assert sides.ask(server.issue("ada")) == (401, 401)
    assert server.calls["introspect"] == 2


@pytest.mark.parametrize(
    ("parts", "theirs", "ours"),
    [
        ([{"roles": None}, DOMAIN], 403, 403),
        ([{"roles": 7}, DOMAIN], 403, 403),
        ([{"user_domain": None}, DOMAIN], 403, 403),
        ([{"username": None}, DOMAIN], 403, 403),
        ([{"sub": None}, DOMAIN], 403, 403),
        ([], 403, 403),
        ([{"project": {"id": ["p1"]}}, DOMAIN], 403, 403),
        # Theirs reads a string alone.
        ([{"roles": ["member"]}, DOMAIN], 403, 200),
    ],
)
def test_what_the_external_filters_need(
    parts: list[dict[str, Any]], theirs: int, ours: int, server: OidcServer
) -> None:
    sides = external(server)
    token = issue(server, *parts)
    assert sides.ask(token) == (theirs, ours)
    assert sides.ours.environ is None or ours == 200
    assert sides.ask(token)[1] == ours  # from memory, too
    if ours == 403:
        assert sides.ours.body["error"]["code"] == 403
        assert sides.ours.body["error"]["title"] == sides.theirs.body["error"]["title"]
        assert "www-authenticate" not in sides.ours.answered


@pytest.mark.parametrize(
    "scope",
    [{**PROJECT, **DOMAIN}, DOMAIN, {"system": True}, {**DOMAIN, "roles": "Admin,member"}],
    ids=["project", "domain", "system", "admin"],
)
def test_external_filters_hand_on_the_same_answer(
    scope: dict[str, Any], server: OidcServer
) -> None:
    sides = external(server)
    token = issue(server, scope, {"more": {"deep": [1, {"a": None}]}})
    for _ in range(2):
        assert sides.ask(token) == (200, 200)
        assert sides.ours.environ is not None
        assert sides.theirs.environ is not None
        ours = sides.ours.environ["external.token_info"]
        assert ours == sides.theirs.environ["external.token_info"]
        assert json.loads(json.dumps(ours)) == ours
        ours["origin_token_metadata"]["more"]["deep"].clear()  # the next request has its own


SECRET = "a secret: with/odd %characters+=&"


def ask_both(**options: Any) -> list[tuple[Mapping[str, str], dict[str, str]]]:
    """Ask about one token by either filter; return headers and form of what arrived."""
    said = {"active": True, "client_id": "c", "username": "Ada", **USER, **DOMAIN}
    server = MisbehavingIdentity({Stage.OTHER: answer(200, said)})
    with server.served():
        given = {
            **MAPPING,
            "introspect_endpoint": f"{server.url}/introspect",
            "audience": f"{server.url}/token",
            "client_id": "c:d",
            "client_secret": SECRET,
            "mapping_user_id": "client_id",
            **options,
        }
        sides = Sides(keystonemiddleware.external_oauth2_token, authmw.external_oauth2_token, given)
        assert sides.ask("opaque") == (200, 200)
    return [
        (seen.headers, dict(parse_qsl(seen.body.decode(), keep_blank_values=True)))
        for seen in server.seen
    ]


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "tls_client_auth"])
def test_external_filters_ask_in_the_same_words(method: str, tmp_path: Path) -> None:
    """A secret with odd characters as well, which the peer does not form-encode."""
    options = {"auth_method": method}
    if method == "tls_client_auth":
        authority = Authority(tmp_path, "tls")
        authority.server_context("client")
        options["certfile"] = str(tmp_path / "tls-client.pem")
    theirs, ours = ask_both(**options)
    assert ours[1] == theirs[1]
    assert ours[0].get("authorization") == theirs[0].get("authorization")


@pytest.mark.parametrize("seconds", [None, 20])
def test_assertions_of_the_external_filters_are_good_for_as_long(seconds: int | None) -> None:
    options = {} if seconds is None else {"jwt_bearer_time_out": seconds}
    theirs, ours = ask_both(
        auth_method="client_secret_jwt", jwt_algorithm="HS256", client_secret="s" * 32, **options
    )
    claims = []
    for _, form in (theirs, ours):
        said = jwt.decode(form["client_assertion"], options={"verify_signature": False})
        claims.append(said)
        assert int(said["exp"]) - int(said["iat"]) == (seconds or 3600)
    assert {key: claims[0][key] for key in ("iss", "sub", "aud")} == {
        key: claims[1][key] for key in ("iss", "sub", "aud")
    }
    assert ours[1].keys() == theirs[1].keys()


def test_external_filters_refuse_what_is_not_active(server: OidcServer) -> None:
    sides = external(server)
    assert sides.ask("made-up") == (401, 401)
    assert sides.ask(None) == (401, 401)
    revoked = issue(server, DOMAIN)
    server.revoke(revoked)
    assert sides.ask(revoked) == (401, 401)


def test_external_filters_without_their_server(server: OidcServer) -> None:
    sides = external(server)
    token = issue(server, DOMAIN)
    server.stop()
    # Nobody knows whether it is good: ours says that it may be tried again.
    assert sides.ask(token) == (500, 503)


def test_audience_of_an_answer_is_for_the_server_to_judge(server: OidcServer) -> None:
    assert external(server).ask(issue(server, DOMAIN, audience="account")) == (200, 200)


def test_expiry_may_have_another_name(server: OidcServer) -> None:
    sides = external(server, mapping_expires_at="ends", token_cache_time=300)
    now = int(time.time())
    for ends, status in ((now + 60, 200), (now - 60, 401)):
        # Theirs looks at it the second time, when it has the answer in its cache.
        token = issue(server, DOMAIN, {"ends": ends, "exp": None})
        sides.ask(token)
        assert sides.ask(token) == (status, status)


def test_other_tokens_of_a_request_are_ignored(server: OidcServer) -> None:
    sides = external(server)
    token = issue(server, DOMAIN)
    assert sides.ask(token, HTTP_X_AUTH_TOKEN="x", HTTP_X_SERVICE_TOKEN="y") == (200, 200)
    assert sides.ask(None, HTTP_X_AUTH_TOKEN=token) == (401, 401)


def test_forged_headers_do_not_pass_the_external_filters(server: OidcServer) -> None:
    sides = external(server)
    assert sides.ask(issue(server, DOMAIN), HTTP_X_PROJECT_ID="theirs") == (200, 200)
    assert sides.ours.headers() == sides.theirs.headers()


@pytest.fixture
def pems(tmp_path: Path) -> tuple[str, str]:
    """Two certificates."""
    return (
        Authority(tmp_path, "client").cafile.read_text(),
        Authority(tmp_path, "other").cafile.read_text(),
    )


def thumbprint_of(pem: str) -> str:
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def test_external_filters_check_the_certificate(server: OidcServer, pems: Any) -> None:
    sides = external(server, thumbprint_verify="true")
    token = issue(server, DOMAIN, thumbprint=thumbprint_of(pems[0]))
    assert sides.ask(token, SSL_CLIENT_CERT=pems[0]) == (200, 200)
    assert sides.ask(token, SSL_CLIENT_CERT=pems[1]) == (401, 401)
    assert sides.ask(token, **{"wsgi.input": SocketInput(pems[0])}) == (200, 200)
    assert sides.ask(token) == (401, 401)
    unbound = issue(server, DOMAIN)
    assert sides.ask(unbound, SSL_CLIENT_CERT=pems[0]) == (401, 401)


def test_external_filters_ignore_the_certificate_unless_told(server: OidcServer, pems: Any) -> None:
    token = issue(server, DOMAIN, thumbprint=thumbprint_of(pems[0]))
    assert external(server).ask(token) == (200, 200)


@pytest.mark.parametrize("missing", ["introspect_endpoint", "audience", "client_id"])
def test_external_filter_does_not_start_without_what_it_needs(
    missing: str, server: OidcServer
) -> None:
    with pytest.raises(ConfigurationError, match=missing):
        Side(
            authmw.external_oauth2_token.filter_factory,
            {"introspect_endpoint": "https://a.example", "audience": "b", "client_id": "c"}
            | {"client_secret": "d", **MAPPING, missing: ""},
        )


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("introspect_endpoint", "http://login.example/introspect"),
        ("auth_method", "none"),
        ("mapping_roles", "a..b"),
        ("mapping_project_id", "a..b"),
        ("mapping_expires_at", "a..b"),
        ("jwt_bearer_time_out", "0"),
        ("certfile", "/nonexistent"),
    ],
)
def test_external_filter_names_the_option_that_is_wrong(option: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Side(
            authmw.external_oauth2_token.filter_factory,
            {"introspect_endpoint": "https://a.example", "audience": "b", "client_id": "c"}
            | {"client_secret": "d", **MAPPING, option: value},
        )
    assert str(refused.value).startswith(f"[ext_oauth2_auth] {option} = ")


def test_external_filter_does_not_start_with_a_secret_that_could_be_guessed() -> None:
    with pytest.raises(ConfigurationError) as refused:
        Side(
            authmw.external_oauth2_token.filter_factory,
            {"introspect_endpoint": "https://a.example", "audience": "b", "client_id": "c"}
            | {"client_secret": "too-short", "auth_method": "client_secret_jwt", **MAPPING}
            | {"jwt_algorithm": "HS256"},
        )
    said = "[ext_oauth2_auth] client_secret = '***': HS256 needs one of 32 bytes or more."
    assert str(refused.value) == said


def test_external_filter_names_the_secret_that_is_missing() -> None:
    with pytest.raises(ConfigurationError, match=r"^\[ext_oauth2_auth\] client_secret is not set"):
        Side(
            authmw.external_oauth2_token.filter_factory,
            {"introspect_endpoint": "https://a.example", "audience": "b", "client_id": "c"}
            | MAPPING,
        )


class SocketInput(io.BytesIO):
    """A request body of eventlet's server, behind which the client's certificate is found."""

    def __init__(self, pem: str | None) -> None:
        super().__init__()
        self._pem = pem

    def get_socket(self) -> SocketInput:
        return self

    def getpeercert(self, *, binary_form: bool) -> bytes | None:
        assert binary_form
        return None if self._pem is None else ssl.PEM_cert_to_DER_cert(self._pem)


@pytest.fixture
def identity() -> Iterator[IdentityServer]:
    with IdentityServer() as running:
        yield running


def keystone_options(identity: IdentityServer) -> dict[str, Any]:
    return {**identity.service_credentials, "revocation_poll_interval": "0"}


def test_oauth2_filters_say_the_same(identity: IdentityServer) -> None:
    sides = Sides(keystonemiddleware.oauth2_token, authmw.oauth2_token, keystone_options(identity))
    token = identity.issue(project="inventory")
    assert sides.ask(token) == (200, 200)
    assert sides.ours.headers() == {**sides.theirs.headers(), **UNSAID}
    assert sides.ask("made-up") == (401, 401)
    assert sides.ask(None) == (401, 401)
    assert sides.ask(None, HTTP_X_AUTH_TOKEN=token) == (401, 401)
    assert sides.ask(token, HTTP_X_AUTH_TOKEN="other") == (200, 200)


def test_oauth2_filters_do_not_leave_the_decision_to_the_service(identity: IdentityServer) -> None:
    options = {**keystone_options(identity), "delay_auth_decision": "true"}
    sides = Sides(keystonemiddleware.oauth2_token, authmw.oauth2_token, options)
    assert sides.ask(None) == (401, 401)


def test_mtls_filters_check_the_certificate(identity: IdentityServer, pems: Any) -> None:
    sides = Sides(
        keystonemiddleware.oauth2_mtls_token, authmw.oauth2_mtls_token, keystone_options(identity)
    )
    der = ssl.PEM_cert_to_DER_cert(pems[0])
    # As Keystone writes it: of the PEM text.
    digest = hashlib.sha256(ssl.DER_cert_to_PEM_cert(der).encode()).digest()
    bound = identity.issue(
        project="inventory",
        certificate_thumbprint=base64.urlsafe_b64encode(digest).decode(),
    )
    unbound = identity.issue(project="inventory")
    mine, other = ({"wsgi.input": SocketInput(pem)} for pem in pems)
    assert sides.ask(bound, **mine) == (200, 200)
    assert sides.ours.headers() == {**sides.theirs.headers(), **UNSAID}
    assert sides.ask(bound, **other) == (401, 401)
    assert sides.ask(bound) == (401, 401)
    assert sides.ask(bound, **{"wsgi.input": SocketInput(None)}) == (401, 401)
    assert sides.ask(unbound, **mine) == (401, 401)
    # Theirs finds a certificate behind eventlet's server alone.
    assert sides.ask(bound, SSL_CLIENT_CERT=pems[0]) == (401, 200)
