"""What issuers publish beside keys: discovery documents, lists of revoked tokens."""

from __future__ import annotations

import pytest

from authmw.errors import MalformedDiscovery, MalformedRevocationList
from authmw.issuers.discovery import list_discovery_uris, parse_discovery
from authmw.issuers.revocation_list import parse_revocation_list

ISSUER = "https://login.acme.example/tenant"
DOCUMENT: dict[str, object] = {
    "issuer": ISSUER,
    "jwks_uri": "https://keys.acme.example/jwks?v=2",
    "introspection_endpoint": "https://login.acme.example/introspect",
    "id_token_signing_alg_values_supported": ["RS256", "none"],
}


def test_document_says_where_keys_are() -> None:
    found = parse_discovery(DOCUMENT, ISSUER)
    assert found.jwks_uri == "https://keys.acme.example/jwks?v=2"
    assert found.introspection_endpoint == "https://login.acme.example/introspect"
    assert found.algorithms == {"RS256", "none"}
    assert parse_discovery({"issuer": ISSUER}, ISSUER).jwks_uri is None


@pytest.mark.parametrize("issuer", [ISSUER + "/", "https://evil.example", "", None, [ISSUER], 1])
def test_document_of_another_issuer_is_not_used(issuer: object) -> None:
    with pytest.raises(MalformedDiscovery, match="exactly"):
        parse_discovery({**DOCUMENT, "issuer": issuer}, ISSUER)


@pytest.mark.parametrize(
    "uri",
    [
        *("http://keys.acme.example/jwks", "http://127.0.0.1/jwks", "file:///etc/passwd", "jwks"),
        *("https://keys.acme.example/jwks#a", "https://u@keys.acme.example/", "", 1, ["x"], {}),
    ],
)
@pytest.mark.parametrize("name", ["jwks_uri", "introspection_endpoint"])
def test_uri_is_https_where_the_issuer_is(name: str, uri: object) -> None:
    with pytest.raises(MalformedDiscovery, match=name):
        parse_discovery({**DOCUMENT, name: uri}, ISSUER)


def test_issuer_of_this_machine_may_speak_http() -> None:
    issuer = "http://127.0.0.1:5000"
    found = parse_discovery({"issuer": issuer, "jwks_uri": f"{issuer}/jwks"}, issuer)
    assert found.jwks_uri == f"{issuer}/jwks"


@pytest.mark.parametrize(
    ("identifier", "below", "between"),
    [
        (
            "https://x.example",
            "https://x.example/.well-known/openid-configuration",
            "https://x.example/.well-known/oauth-authorization-server",
        ),
        (
            "https://x.example/",
            "https://x.example/.well-known/openid-configuration",
            "https://x.example/.well-known/oauth-authorization-server",
        ),
        (
            "https://x.example:8443/a/b",
            "https://x.example:8443/a/b/.well-known/openid-configuration",
            "https://x.example:8443/.well-known/oauth-authorization-server/a/b",
        ),
    ],
)
def test_document_is_in_one_of_two_places(identifier: str, below: str, between: str) -> None:
    assert list_discovery_uris(identifier) == (below, between)


def test_ids_of_revoked_tokens_are_read() -> None:
    assert parse_revocation_list({"revoked_jtis": ["a", "b", "a"], "x": 1}) == {"a", "b"}
    assert parse_revocation_list({"revoked_jtis": []}) == frozenset()


@pytest.mark.parametrize(
    "document", [{}, {"revoked_jtis": None}, {"revoked_jtis": "a"}, {"revoked_jtis": ["a", 1]}]
)
def test_half_a_list_is_none(document: dict[str, object]) -> None:
    with pytest.raises(MalformedRevocationList, match="revoked_jtis"):
        parse_revocation_list(document)
