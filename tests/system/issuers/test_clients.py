"""What OAuth clients learn from a service: challenges, scopes, metadata."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from webtest import TestApp

import authmw
from authmw.errors import ConfigurationError
from authmw.testing.oidc_server import OidcServer
from tests.support.issuers.filter import IssuerFilter, protect_by
from tests.support.issuers.oauth_client import find_token

RESOURCE = "https://inventory.example"
WELL_KNOWN = "/.well-known/oauth-protected-resource"
METADATA = f'resource_metadata="{RESOURCE}{WELL_KNOWN}"'


@pytest.fixture
def server() -> Iterator[OidcServer]:
    with OidcServer() as running:
        yield running


@pytest.fixture
def make(server: OidcServer) -> Iterator[Any]:
    made: list[IssuerFilter] = []

    def protect(**options: object) -> IssuerFilter:
        made.append(protect_by(server, **options))
        return made[-1]

    yield protect
    for each in made:
        each.close()


def challenges_of(answer: Any) -> list[str]:
    return list(answer.headers.getall("WWW-Authenticate"))


def test_client_without_a_token_learns_what_is_wanted(make: Any) -> None:
    answer = make().app.get("/", status=401)
    bearer, dpop = challenges_of(answer)
    assert bearer == f'Bearer realm="{RESOURCE}", {METADATA}'
    assert dpop.startswith('DPoP algs="ES256')


def test_client_with_a_bad_token_learns_that_it_is_bad_and_no_more(
    make: Any, server: OidcServer
) -> None:
    bad = [server.issue("ada", lifetime_seconds=-1), server.issue_id_token("ada"), "x.y.z"]
    told = {tuple(challenges_of(make().get(token))) for token in bad}
    assert len(told) == 1
    ((bearer, dpop),) = told
    assert bearer == f'Bearer realm="{RESOURCE}", error="invalid_token", {METADATA}'
    assert 'error="invalid_token"' in dpop


def test_keystones_clients_are_told_too_where_keystone_is_configured(make: Any) -> None:
    answer = make(www_authenticate_uri="https://id.example").app.get("/", status=401)
    assert challenges_of(answer)[0].startswith("Bearer ")
    assert challenges_of(answer)[-1] == 'Keystone uri="https://id.example"'


def test_host_header_decides_nothing(make: Any) -> None:
    app = make().app
    for path, status in (("/", 401), (WELL_KNOWN, 200)):
        answer = app.get(path, headers={"Host": "evil.example"}, status=status)
        assert "evil" not in f"{answer.headers} {answer.text}"


def test_metadata_names_the_issuer(make: Any, server: OidcServer) -> None:
    protected = make(oauth_scopes="inventory.read,inventory.write")
    answer = protected.app.get(WELL_KNOWN)
    assert answer.json["resource"] == RESOURCE
    assert answer.json["authorization_servers"] == [server.issuer]
    assert answer.json["scopes_supported"] == ["inventory.read", "inventory.write"]
    assert protected.app.get(f"{WELL_KNOWN}/mcp").json == answer.json
    assert protected.app.head(WELL_KNOWN).body == b""
    assert protected.app.post(WELL_KNOWN, status="*").status_int == 401
    assert not protected.service.seen


def test_metadata_is_answered_whatever_token_comes(make: Any, server: OidcServer) -> None:
    protected = make(delay_auth_decision="true")
    for token in ("bad", server.issue("ada")):
        answer = protected.app.get(WELL_KNOWN, headers={"Authorization": f"Bearer {token}"})
        assert answer.json["resource"] == RESOURCE


def test_app_that_serves_the_path_itself_may_be_let_through(make: Any) -> None:
    protected = make(public_paths=WELL_KNOWN)
    assert protected.app.get(WELL_KNOWN).text == "hello"


def test_path_of_the_resource_is_a_suffix(make: Any) -> None:
    app = make(oauth_resource=f"{RESOURCE}/v1").app
    assert app.get(f"{WELL_KNOWN}/v1").json["resource"] == f"{RESOURCE}/v1"
    assert app.get(f"{WELL_KNOWN}/v1/mcp").json["resource"] == f"{RESOURCE}/v1"
    assert app.get(f"{WELL_KNOWN}/v2", status="*").status_int == 401
    assert f'"{RESOURCE}{WELL_KNOWN}/v1"' in challenges_of(app.get("/", status=401))[0]


def test_audience_that_is_no_url_is_no_resource(server: OidcServer) -> None:
    server.audience = "inventory"
    protected = protect_by(server)
    assert challenges_of(protected.app.get("/", status=401)) == ['Bearer realm="authmw"']
    assert protected.app.get(WELL_KNOWN, status="*").status_int == 401
    protected.close()


@pytest.mark.parametrize(
    ("option", "value"),
    [("oauth_resource", "http://inventory.example"), ("public_endpoint", "inventory.example")],
)
def test_wrong_url_stops_the_start(make: Any, option: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=option):
        make(**{option: value})


def serve_with(view: Any, server: OidcServer, **options: str) -> TestApp:
    protector = authmw.protect(
        **{
            "issuer.acme.issuer": server.issuer,
            "issuer.acme.audience": server.audience,
            **options,
        }
    )
    return TestApp(protector(view))


@authmw.require(oauth_scope=("inventory.read", "inventory.write"))
def write_items(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"written"]


def test_client_learns_which_scope_to_ask_for(server: OidcServer) -> None:
    app = serve_with(write_items, server)
    enough = server.issue("ada", scope="inventory.write other inventory.read")
    assert app.get("/", headers={"Authorization": f"Bearer {enough}"}).text == "written"
    less = server.issue("ada", scope="inventory.read")
    answer = app.get("/", headers={"Authorization": f"Bearer {less}"}, status=403)
    wanted = 'error="insufficient_scope", scope="inventory.read inventory.write"'
    assert wanted in challenges_of(answer)[0]
    assert METADATA in challenges_of(answer)[0]
    assert answer.json["error"]["missing"] == {"oauth_scope": ["inventory.read", "inventory.write"]}


def test_app_that_refuses_a_bad_token_itself_has_the_same_challenge(server: OidcServer) -> None:
    app = serve_with(write_items, server, delay_auth_decision="true")
    nobody = app.get("/", status=401)
    assert "error" not in challenges_of(nobody)[0]
    refused = app.get("/", headers={"Authorization": "Bearer a.b.c"}, status=401)
    assert 'error="invalid_token"' in challenges_of(refused)[0]


def test_service_reads_claims_client_and_issuer(make: Any, server: OidcServer) -> None:
    protected = make()
    sent = server.issue("ada", scope="a b", claims={"tenant": {"id": 7}})
    assert protected.status_of(sent) == 200
    token = protected.service.last["authmw.token"]
    assert token.claims["tenant"] == {"id": 7}
    assert token.claims["iss"] == token.issuer == server.issuer
    assert token.client_id == server.client_id
    assert token.oauth_scope == {"a", "b"}
    with pytest.raises(TypeError):
        token.claims["sub"] = "eve"


def test_client_that_knows_the_service_alone_gets_a_token_and_is_let_in(
    make: Any, server: OidcServer
) -> None:
    app = make().app
    token = find_token(
        app,
        "/items",
        client_id=server.client_id,
        client_secret=server.client_secret,
        scope="inventory.read",
    )
    app.get("/items", headers={"Authorization": f"Bearer {token}"}, status=200)
