"""What is checked once for all tokens of a bearer is all that their own claims don't decide."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from authmw.errors import InvalidToken
from authmw.issuers.access_token import verify_access_token, verify_grant, verify_own_claims
from authmw.issuers.claims_path import ClaimsPath
from authmw.issuers.own_claims import find_own_claims
from authmw.issuers.record import ClaimsMapping, Issuer
from authmw.jose.jws import canonical_type
from tests.support.issuers.shapes import NOW, SHAPES, Shape

ACME = next(one for one in SHAPES.values() if one.issuer.profile.name == "rfc9068")


def with_mapping(**changes: Any) -> Issuer:
    issuer = ACME.issuer
    assert issuer.profile.mapping is not None
    mapping = dataclasses.replace(issuer.profile.mapping, **changes)
    return dataclasses.replace(issuer, profile=dataclasses.replace(issuer.profile, mapping=mapping))


def with_profile(**changes: Any) -> Issuer:
    issuer = ACME.issuer
    return dataclasses.replace(issuer, profile=dataclasses.replace(issuer.profile, **changes))


def test_times_and_ids_are_a_tokens_own() -> None:
    assert find_own_claims(ACME.issuer) == {"iat", "exp", "nbf", "jti"}
    assert find_own_claims(with_mapping(token_id=ClaimsPath.parse("uti"))) == {
        *("iat", "exp", "nbf", "jti", "uti")
    }


_JTI = ClaimsPath.parse("jti")


@pytest.mark.parametrize(
    "issuer",
    [
        with_mapping(user_id=(_JTI,)),
        with_mapping(roles=(ClaimsPath.parse("roles"), ClaimsPath.parse("jti.roles"))),
        with_mapping(required=("token_id",)),
        with_profile(claim_values=((_JTI, frozenset({"a"})),)),
        with_profile(id_token_values=((_JTI, frozenset({"a"})),)),
        with_profile(id_token_claims=frozenset({"jti"})),
        with_profile(access_token_claims=frozenset({"jti"})),
        with_profile(required_alternatives=(("azp", "jti"),)),
        dataclasses.replace(ACME.issuer, pinned=((_JTI, frozenset({"a"})),)),
    ],
)
def test_claim_that_decides_about_more_is_none_of_them(issuer: Issuer) -> None:
    assert find_own_claims(issuer) == {"iat", "exp", "nbf"}


@pytest.mark.parametrize("name", ["sub", "iss", "aud", "cnf"])
def test_claim_that_is_always_checked_is_none_of_them(name: str) -> None:
    assert name not in find_own_claims(with_mapping(token_id=ClaimsPath.parse(name)))


def test_claim_that_a_rule_may_read_is_none_of_them() -> None:
    op = next(one.issuer for one in SHAPES.values() if one.issuer.profile.rules)
    mapping = dataclasses.replace(
        _mapping_of(op), token_id=ClaimsPath.parse("keystone_ruleset_version")
    )
    changed = dataclasses.replace(op, profile=dataclasses.replace(op.profile, mapping=mapping))
    assert "keystone_ruleset_version" not in find_own_claims(changed)


def _mapping_of(issuer: Issuer) -> ClaimsMapping:
    assert issuer.profile.mapping is not None
    return issuer.profile.mapping


def test_claims_that_are_not_mapped_have_no_bearer() -> None:
    assert find_own_claims(with_profile(mapping=None)) == frozenset()


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        *({claim: None} for claim in ("iat", "exp", "nbf", "jti", "sub", "aud", "client_id")),
        *({"iat": value} for value in (True, NOW + 60, -1, "1")),
        *({"exp": value} for value in (NOW, NOW + 0.5, 2**60)),
        *({"nbf": value} for value in (NOW + 60, "now")),
        {"jti": ""},
        {"jti": 7},
        {"jti": ["a"]},
        {"jti": "a\nb"},
        {"aud": "other"},
        {"aud": 7},
        {"aud": []},
        {"cnf": {}},
        {"nonce": "n", "at_hash": "h"},
    ],
)
def test_in_two_parts_the_verdict_is_the_same(name: str, changes: dict[str, Any]) -> None:
    shape = SHAPES[name]
    assert _verdict_in_parts(shape, changes) == _verdict(shape, changes)


def _verdict(shape: Shape, changes: dict[str, Any]) -> object:
    claims = shape.changed(**changes)
    try:
        token = verify_access_token(
            shape.issuer, typ=_type_of(shape), kid=shape.kid, claims=claims, now=NOW
        )
    except InvalidToken as refusal:
        return refusal.reason
    return token[2:]


def _verdict_in_parts(shape: Shape, changes: dict[str, Any]) -> object:
    issuer, claims = shape.issuer, shape.changed(**changes)
    own = find_own_claims(issuer)
    shared = {claim: value for claim, value in claims.items() if claim not in own}
    required = issuer.profile.required_claims & own
    try:
        grant = verify_grant(issuer, typ=_type_of(shape), kid=shape.kid, claims=shared, own=own)
        token_id, issued_at, expires_at = verify_own_claims(issuer, required, claims, NOW)
    except InvalidToken as refusal:
        return refusal.reason
    return (issued_at, expires_at, token_id, *grant)


def _type_of(shape: Shape) -> str | None:
    return None if shape.typ is None else canonical_type(shape.typ)
