"""What `Token` tells of an OAuth access token: issuer, client, scope, claims."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest

from authmw.token import Token
from authmw.token.oauth import OAuthAccess
from tests.support.token_bodies import EXPIRES_AT, make_body

CLAIMS: dict[str, Any] = {
    "sub": "ada",
    "realm_access": {"roles": ["member"]},
    "keystone_ruleset_version": 2**127 + 1,
    "nothing": None,
}


def make_token(oauth: OAuthAccess | None = None) -> Token:
    return Token.from_body(
        make_body(),
        None,
        answered_at=0,
        fresh_until=EXPIRES_AT,
        usable_until=EXPIRES_AT,
        oauth=oauth,
    )


def make_access(**changes: Any) -> OAuthAccess:
    named = {
        "client_id": "cli",
        "scope": frozenset({"read"}),
        "key_thumbprint": None,
        **changes,
    }
    return OAuthAccess.of_claims(CLAIMS, **named)


def test_a_token_of_keystone_has_none_of_it() -> None:
    token = make_token()
    assert (token.oauth, token.client_id) == (None, None)
    assert token.oauth_scope == frozenset()
    assert token.claims == {}


def test_an_access_token_has_issuer_client_scope_and_claims() -> None:
    token = make_token(make_access())
    assert token.client_id == "cli"
    assert token.oauth_scope == {"read"}
    assert token.claims == CLAIMS


def test_claims_are_read_only_at_every_depth() -> None:
    claims: Any = make_token(make_access()).claims
    with pytest.raises(TypeError, match="read-only"):
        claims["sub"] = "eve"
    with pytest.raises(TypeError, match="read-only"):
        claims["realm_access"]["roles"].append("admin")


def test_a_token_bound_to_a_key_is_bound() -> None:
    assert not make_token(make_access()).is_bound
    bound = make_token(make_access(key_thumbprint="0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"))
    assert bound.is_bound
    assert bound.unconditional_until == 0


@pytest.mark.parametrize(
    "copy_of", [copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))]
)
def test_copies_are_equal(copy_of: Any) -> None:
    token = make_token(make_access())
    assert copy_of(token) == token
    assert copy_of(token).claims == CLAIMS


def test_its_memory_counts() -> None:
    assert make_token(make_access()).size > make_token().size + 400


def test_it_survives_json() -> None:
    access = make_access(key_thumbprint="0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I")
    read = OAuthAccess.from_members(json.loads(json.dumps(access.to_members())))
    assert read == access
    assert read.claims == CLAIMS


@pytest.mark.parametrize("change", [{"scope": [1]}, {"client_id": 1}, {"claims": 1}, {"scope": 1}])
def test_what_it_can_not_have_written_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        OAuthAccess.from_members({**make_access().to_members(), **change})
