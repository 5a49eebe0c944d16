from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator

import pytest

from authmw.errors import InvalidToken, MalformedDiscovery, Reason
from authmw.issuers.configured import IssuerOptions, make_issuers
from authmw.issuers.discovery import list_discovery_uris, parse_discovery
from authmw.issuers.introspection_response import verify_introspection_response
from authmw.issuers.record import Issuer
from authmw.issuers.revocation_list import parse_revocation_list
from authmw.issuers.table import IssuerTable
from authmw.issuers.token_body import make_token_body
from authmw.issuers.verifier import IssuerVerifier
from authmw.jose.base64url import decode_base64url
from authmw.jose.jwk import parse_jwk_document
from authmw.jose.key_set import KeySet
from authmw.testing import Fault, OidcServer
from authmw.testing.oidc_tokens import SHAPES
from tests.support.signing import HeldKeys

SUBJECTS = {"github": "acme/inventory", "kubernetes": "web", "spiffe": "ns/shop/sa/web"}


@pytest.fixture
def server() -> Iterator[OidcServer]:
    with OidcServer() as server:
        yield server


def get(url: str, form: dict[str, str] | None = None) -> tuple[int, dict[str, object]]:
    data = None if form is None else urllib.parse.urlencode(form).encode()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, data, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def decode(token: str) -> tuple[dict[str, str], dict[str, object]]:
    header, claims, _ = token.split(".")
    return json.loads(decode_base64url(header)), json.loads(decode_base64url(claims))


def issuer_of(server: OidcServer) -> Issuer:
    pins = {"repository": ["acme/inventory"]} if server.profile == "github" else {}
    audience = [] if server.profile == "keystone-op" else [server.audience]
    (issuer,) = make_issuers(
        IssuerOptions(
            name="acme",
            profile=server.profile,
            issuer=server.issuer,
            audience=audience,
            required_values=pins,
        )
    )
    return issuer


@pytest.mark.parametrize("profile", SHAPES)
def test_server_makes_tokens_of_every_profile_and_id_tokens_that_are_none(profile: str) -> None:
    with OidcServer(profile=profile) as server:
        issuer = issuer_of(server)
        subject = SUBJECTS.get(profile, "ada")
        keys = parse_jwk_document(json.dumps(server.list_keys()).encode(), server.jwks_uri).keys
        verifier = IssuerVerifier(
            IssuerTable([issuer]), lambda _: HeldKeys(KeySet(keys)), max_keys=8, max_size=8000
        )
        token = server.issue(
            subject, scope="a b", roles=["member"], project_id="p1", username="ada"
        )
        assert make_token_body(verifier.verify(token, time.time()).token)["user"]
        with pytest.raises(InvalidToken) as refused:
            verifier.verify(server.issue_id_token(subject, token), time.time())
        assert refused.value.reason is Reason.ID_TOKEN


@pytest.mark.parametrize("profile", SHAPES)
def test_discovery_leads_to_the_keys(profile: str) -> None:
    with OidcServer(profile=profile) as server:
        for uri in list_discovery_uris(server.issuer):
            found = parse_discovery(get(uri)[1], server.issuer)
            assert found.jwks_uri is not None
            status, keys = get(found.jwks_uri)
            assert status == 200
            assert keys == server.list_keys()
            assert found.introspection_endpoint == server.introspection_endpoint
        assert server.calls["discover"] == server.calls["keys"] == 2


def test_token_endpoint_serves_its_client_alone(server: OidcServer) -> None:
    form = {"grant_type": "client_credentials", "scope": "a", "client_id": server.client_id}
    assert get(server.token_endpoint, form)[0] == 401
    form["client_secret"] = server.client_secret
    status, answer = get(server.token_endpoint, form)
    assert (status, answer["token_type"], answer["scope"]) == (200, "Bearer", "a")
    _, claims = decode(str(answer["access_token"]))
    assert (claims["sub"], claims["aud"]) == (server.client_id, server.audience)
    assert get(server.token_endpoint, {**form, "grant_type": "password"})[0] == 400


def test_opaque_token_is_active_until_it_ends_or_is_revoked(server: OidcServer) -> None:
    (issuer,) = make_issuers(
        IssuerOptions(
            name="a", profile="introspection", issuer=server.issuer, audience=[server.audience]
        )
    )
    client = {"client_id": server.client_id, "client_secret": server.client_secret}
    token = server.issue_opaque("ada", username="Ada", roles=["member"])

    def ask() -> dict[str, object]:
        _, answer = get(server.introspection_endpoint, {**client, "token": token})
        verified = verify_introspection_response(issuer, answer, time.time(), lifetime_seconds=60)
        return make_token_body(verified)

    assert ask()["roles"] == [{"name": "member"}]
    server.revoke(token)
    with pytest.raises(InvalidToken):
        ask()
    token = server.issue_opaque("ada", lifetime_seconds=-1)
    with pytest.raises(InvalidToken):
        ask()
    assert get(server.introspection_endpoint, {"token": token})[0] == 401


def test_revoked_ids_are_listed(server: OidcServer) -> None:
    server.revoke_id("j1")
    assert parse_revocation_list(get(server.jwks_uri + "/revocation")[1]) == {"j1"}


def test_key_is_rotated_and_the_older_ones_stay_until_they_are_forgotten(
    server: OidcServer,
) -> None:
    server.rotate_key()
    assert [key["kid"] for key in server.list_keys()["keys"]] == ["key-1", "key-2"]
    assert decode(server.issue("ada"))[0]["kid"] == "key-2"
    server.rotate_key(forget_older=True)
    assert [key["kid"] for key in server.list_keys()["keys"]] == ["key-3"]


def test_hostile_server_is_slow_huge_elsewhere_or_somebody_else(server: OidcServer) -> None:
    uri = list_discovery_uris(server.issuer)[0]
    server.surplus_keys = 5000
    keys = get(server.jwks_uri)[1]["keys"]
    assert isinstance(keys, list)
    assert len(keys) == 5001
    server.claimed_issuer = "https://login.acme.example"
    with pytest.raises(MalformedDiscovery):
        parse_discovery(get(uri)[1], server.issuer)
    server.claimed_issuer, server.foreign_jwks_uri = None, "http://keys.evil.example/jwks"
    with pytest.raises(MalformedDiscovery):
        parse_discovery(get(uri)[1], server.issuer)
    server.delay_seconds = 0.2
    begun = time.monotonic()
    get(uri)
    assert time.monotonic() - begun >= 0.2
    with server.failing(Fault.ERROR_503, "keys"):
        assert get(server.jwks_uri)[0] == 503
    server.delay_seconds = 0


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "PS256"])
def test_joserfc_verifies_what_the_server_signs(algorithm: str) -> None:
    from joserfc import jwt
    from joserfc.jwk import KeySet

    with OidcServer(algorithm=algorithm) as server:
        keys = KeySet.import_key_set(server.list_keys())  # type: ignore[arg-type]
        token = jwt.decode(server.issue("ada"), keys, algorithms=[algorithm])
        assert token.claims["sub"] == "ada"
