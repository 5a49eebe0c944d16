"""For each profile: the tokens that pass, and the known confusions that do not."""

from __future__ import annotations

import pytest

from authmw.errors import InvalidToken, Reason
from authmw.issuers.profiles import PROFILES
from authmw.issuers.token_body import make_token_body
from authmw.token import Token
from tests.support.issuers.confusions import CONFUSIONS
from tests.support.issuers.shapes import (
    NOW,
    SHAPES,
    Claims,
    Shape,
    check,
)


def refusal_of(
    shape: Shape, claims: Claims, typ: str | None = "same", kid: str | None = "same"
) -> InvalidToken:
    with pytest.raises(InvalidToken) as refused:
        check(
            shape.issuer,
            claims,
            typ=shape.typ if typ == "same" else typ,
            kid=shape.kid if kid == "same" else kid,
        )
    return refused.value


@pytest.mark.parametrize("name", SHAPES)
def test_token_passes_and_says_what_it_said(name: str) -> None:
    shape = SHAPES[name]
    token = check(shape.issuer, shape.claims, typ=shape.typ, kid=shape.kid)
    body = make_token_body(token)
    assert {member: body.get(member) for member in shape.body} == shape.body
    read = Token.from_body(body, None, answered_at=NOW, fresh_until=NOW, usable_until=NOW)
    assert read.expires_at == shape.claims["exp"]
    assert read.issued_at == shape.claims.get("iat", 0)


def test_there_are_tokens_of_every_profile_that_maps_claims() -> None:
    tried = {shape.options.profile for shape in SHAPES.values()}
    assert tried == set(PROFILES) - {"keystone", "introspection", "ext-oauth2"}


@pytest.mark.parametrize("name", SHAPES)
def test_token_is_refused_once_it_has_expired(name: str) -> None:
    shape = SHAPES[name]
    assert refusal_of(shape, shape.changed(exp=NOW)).reason is Reason.EXPIRED


@pytest.mark.parametrize("name", SHAPES)
def test_token_without_audience_or_for_another_service_is_refused(name: str) -> None:
    shape = SHAPES[name]
    for aud in ("https://other.example", ["https://other.example"], []):
        assert refusal_of(shape, shape.changed(aud=aud)).reason is Reason.WRONG_AUDIENCE
    assert refusal_of(shape, shape.changed(aud=None)).reason in (
        Reason.MALFORMED,
        Reason.WRONG_AUDIENCE,
    )


@pytest.mark.parametrize("name", SHAPES)
def test_id_token_of_the_same_issuer_is_refused_as_one(name: str) -> None:
    shape = SHAPES[name]
    for claim in ("at_hash", "c_hash"):
        assert refusal_of(shape, shape.changed(**{claim: "x"})).reason is Reason.ID_TOKEN
    assert refusal_of(shape, shape.changed(token_use="id")).reason is Reason.ID_TOKEN


@pytest.mark.parametrize("name", [name for name, s in SHAPES.items() if s.issuer.identifier])
def test_token_of_an_issuer_that_is_nearly_the_same_is_refused(name: str) -> None:
    shape = SHAPES[name]
    issuer = str(shape.claims["iss"])
    for iss in (issuer + "/", issuer.upper(), issuer[:-1], issuer + "\0", [issuer], None, 1):
        refusal = refusal_of(shape, {**shape.claims, "iss": iss})
        assert refusal.reason is Reason.WRONG_ISSUER


@pytest.mark.parametrize("name", SHAPES)
def test_jwt_of_another_purpose_is_refused(name: str) -> None:
    for typ in ("logout+jwt", "dpop+jwt", "secevent+jwt", "application/x"):
        assert refusal_of(SHAPES[name], SHAPES[name].claims, typ).reason is Reason.MALFORMED


@pytest.mark.parametrize("name", CONFUSIONS)
def test_token_that_is_easily_taken_for_another_is_refused(name: str) -> None:
    confusion = CONFUSIONS[name]
    refusal = refusal_of(SHAPES[confusion.shape], *confusion[1:2], *confusion[3:])
    assert refusal.reason is confusion.reason


@pytest.mark.parametrize("name", CONFUSIONS)
def test_refusal_says_nothing_of_what_is_in_the_token(name: str) -> None:
    confusion = CONFUSIONS[name]
    refusal = refusal_of(SHAPES[confusion.shape], *confusion[1:2], *confusion[3:])
    for claim in ("sub", "jti", "email", "user_name", "preferred_username"):
        value = confusion.claims.get(claim)
        assert value is None or str(value) not in refusal.detail


@pytest.mark.parametrize("name", SHAPES)
def test_every_required_claim_is_required(name: str) -> None:
    shape = SHAPES[name]
    profile = shape.issuer.profile
    needed = [(claim,) for claim in profile.required_claims]
    for alternatives in [*needed, *profile.required_alternatives]:
        for empty in ("absent", "null"):
            claims = dict(shape.claims)
            for claim in alternatives:
                claims.pop(claim, None)
                if empty == "null":
                    claims[claim] = None
            assert refusal_of(shape, claims).reason in (
                Reason.MALFORMED,
                Reason.WRONG_ISSUER,
                Reason.ID_TOKEN,
            )
