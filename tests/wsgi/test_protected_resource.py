"""What OAuth clients learn: challenges (RFC 6750, RFC 9449) and metadata (RFC 9728)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from authmw.errors import Reason
from authmw.wsgi.protected_resource import ProtectedResource, verify_identifier

ABOUT_PROOFS = (Reason.WRONG_PROOF, Reason.NO_NONCE)
PLAIN = ProtectedResource(identifier=None)
RESOURCE = ProtectedResource(
    identifier="https://inventory.example/v1",
    authorization_servers=("https://login.acme.example",),
    dpop_algorithms=("ES256", "RS256"),
    scopes=("inventory.read",),
)
METADATA_URL = "https://inventory.example/.well-known/oauth-protected-resource/v1"


def ask(path: str, method: str = "GET", resource: ProtectedResource = RESOURCE) -> bool:
    return resource.is_metadata_request({"REQUEST_METHOD": method, "PATH_INFO": path})


def test_a_request_without_a_token_learns_what_is_wanted_and_no_error() -> None:
    assert PLAIN.make_challenges() == ['Bearer realm="authmw"']
    assert RESOURCE.make_challenges() == [
        f'Bearer realm="https://inventory.example/v1", resource_metadata="{METADATA_URL}"',
        f'DPoP algs="ES256 RS256", resource_metadata="{METADATA_URL}"',
    ]


@pytest.mark.parametrize("reason", [one for one in Reason if one not in ABOUT_PROOFS])
def test_no_client_learns_why_its_token_was_refused(reason: Reason) -> None:
    bearer, dpop = RESOURCE.make_challenges(reason)
    assert 'error="invalid_token"' in bearer
    assert 'error="invalid_token"' in dpop
    assert RESOURCE.make_challenges(reason) == RESOURCE.make_challenges(Reason.EXPIRED)


@pytest.mark.parametrize(
    ("reason", "error"),
    [(Reason.WRONG_PROOF, "invalid_dpop_proof"), (Reason.NO_NONCE, "use_dpop_nonce")],
)
def test_a_client_learns_that_its_proof_was_refused(reason: Reason, error: str) -> None:
    bearer, dpop = RESOURCE.make_challenges(reason)
    assert "error" not in bearer
    assert dpop.startswith(f'DPoP error="{error}", algs="ES256 RS256"')


def test_a_client_learns_which_scope_to_ask_for() -> None:
    for challenge in RESOURCE.make_challenges(missing_scope=["inventory.write", "inventory.read"]):
        assert 'error="insufficient_scope"' in challenge
        assert 'scope="inventory.write inventory.read"' in challenge


@pytest.mark.parametrize(
    ("identifier", "url"),
    [
        ("https://a.example", "https://a.example/.well-known/oauth-protected-resource"),
        ("https://a.example/", "https://a.example/.well-known/oauth-protected-resource"),
        (
            "https://a.example:8443/x/",
            "https://a.example:8443/.well-known/oauth-protected-resource/x",
        ),
        ("https://a.example/x?y=z", "https://a.example/.well-known/oauth-protected-resource/x?y=z"),
    ],
)
def test_the_metadata_is_where_rfc_9728_has_it(identifier: str, url: str) -> None:
    assert ProtectedResource(identifier=identifier).metadata_url == url


def test_metadata_is_asked_for_at_the_well_known_path_and_below() -> None:
    well_known = "/.well-known/oauth-protected-resource"
    assert ask(well_known)
    assert ask(well_known + "/")
    assert ask(well_known + "/v1", "HEAD")
    assert ask(well_known + "/v1/items")
    assert not ask(well_known + "/v2")
    assert not ask(well_known + "/v10")
    assert not ask(well_known + "x")
    assert not ask(well_known, "POST")
    assert not ask("/v1" + well_known)
    assert not ask("/")
    assert not ask(well_known, resource=PLAIN)


def test_the_metadata_names_the_authorization_servers() -> None:
    started: list[Any] = []
    environ = {"REQUEST_METHOD": "GET"}
    body = b"".join(RESOURCE.answer(environ, lambda *told: started.append(told)))
    assert json.loads(body) == {
        "resource": "https://inventory.example/v1",
        "authorization_servers": ["https://login.acme.example"],
        "scopes_supported": ["inventory.read"],
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": ["ES256", "RS256"],
    }
    status, headers = started[0]
    assert status == "200 OK"
    assert dict(headers)["Content-Type"] == "application/json"
    assert list(RESOURCE.answer({"REQUEST_METHOD": "HEAD"}, lambda *_: None)) == []


def test_what_has_no_value_is_left_out() -> None:
    resource = ProtectedResource(identifier="https://a.example")
    assert resource.describe() == {
        "resource": "https://a.example",
        "bearer_methods_supported": ["header"],
    }


@pytest.mark.parametrize(
    "identifier", ["https://a.example", "https://a.example/x?y=z", "http://localhost:1/x"]
)
def test_identifiers_are_https_urls(identifier: str) -> None:
    verify_identifier(identifier)


@pytest.mark.parametrize(
    "identifier",
    [
        *("inventory", "http://a.example", "https://", "https://a.example/#x", "ftp://a.example"),
        *(
            'https://a.example/"',
            "https://a.example/\n",
            "https://a.example/ü",
            "https://u@a.example",
        ),
        *("https://a.example:x", "https://[::1", "https://a.example/a b", "https://a.example#"),
    ],
)
def test_others_are_refused(identifier: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        verify_identifier(identifier)
