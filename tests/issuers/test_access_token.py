from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authmw.errors import InvalidToken, MalformedBody, Reason
from authmw.issuers.access_token import AccessToken, find_trust_domain
from authmw.issuers.configured import IssuerOptions, make_issuers
from authmw.issuers.token_body import make_token_body
from authmw.token import Token
from tests.issuers.test_claims_path import JSON
from tests.support.issuers.shapes import (
    ACME_CLAIMS,
    KEYSTONE_CLAIMS,
    KEYSTONE_OPTIONS,
    NOW,
    SHAPES,
    US,
    Claims,
    Shape,
    change,
    check,
)

ACME = SHAPES["RFC 9068, figure 2"]
NO_TIMES = [True, False, 1.5, float(NOW), str(NOW), [NOW], {}, -1, 253402300800, 10**400]


def verify(claims: Claims, *, shape: Shape = ACME, now: float = NOW) -> AccessToken:
    return check(shape.issuer, claims, typ=shape.typ, kid=shape.kid, now=now)


def reason_of(claims: Claims, *, shape: Shape = ACME, now: float = NOW) -> Reason:
    with pytest.raises(InvalidToken) as refused:
        verify(claims, shape=shape, now=now)
    return refused.value.reason


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("value", NO_TIMES, ids=lambda value: str(value)[:20])
def test_time_is_a_whole_number_of_seconds_that_a_date_can_hold(name: str, value: object) -> None:
    assert reason_of(change(ACME_CLAIMS, {name: value})) is Reason.MALFORMED


def test_token_ends_at_the_very_second_without_any_tolerance() -> None:
    claims = change(ACME_CLAIMS, {"exp": NOW})
    assert verify(claims, now=NOW - 1).expires_at == NOW
    assert verify(claims, now=math.nextafter(NOW, 0))
    assert reason_of(claims, now=NOW) is Reason.EXPIRED


@pytest.mark.parametrize("name", ["iat", "nbf"])
def test_clock_of_the_issuer_may_be_ahead_by_the_tolerance(name: str) -> None:
    assert verify(change(ACME_CLAIMS, {name: NOW + 5}))
    assert reason_of(change(ACME_CLAIMS, {name: NOW + 6})) is Reason.NOT_YET_VALID


def test_expiry_is_the_last_thing_an_expired_token_is_refused_for() -> None:
    old = {"exp": NOW - 1}
    assert reason_of(change(ACME_CLAIMS, old)) is Reason.EXPIRED
    for changes, reason in (
        ({"aud": "x"}, Reason.WRONG_AUDIENCE),
        ({"iss": "x"}, Reason.WRONG_ISSUER),
        ({"nbf": NOW + 99}, Reason.NOT_YET_VALID),
        ({"nonce": "x"}, Reason.ID_TOKEN),
        ({"cnf": {"kid": "x"}}, Reason.WRONG_BINDING),
        ({"sub": 5}, Reason.MALFORMED),
    ):
        assert reason_of(change(ACME_CLAIMS, {**old, **changes})) is reason


@pytest.mark.parametrize("aud", [1, True, {}, {US: 1}, [1], [US, 1], [US, None], [[US]]])
def test_audience_of_another_type_is_malformed_even_beside_ours(aud: object) -> None:
    assert reason_of({**ACME_CLAIMS, "aud": aud}) is Reason.MALFORMED


def test_audience_is_compared_as_it_is() -> None:
    for aud in (US + "/", US.upper(), f" {US}", "", [""]):
        assert reason_of({**ACME_CLAIMS, "aud": aud}) is Reason.WRONG_AUDIENCE
    assert verify({**ACME_CLAIMS, "aud": ["https://other.example", US]})


def test_token_of_keystone_has_neither_issuer_nor_audience() -> None:
    shape = Shape(KEYSTONE_OPTIONS, KEYSTONE_CLAIMS)
    assert verify(KEYSTONE_CLAIMS, shape=shape).issued_at == NOW - 60
    assert reason_of({**KEYSTONE_CLAIMS, "aud": "x"}, shape=shape) is Reason.WRONG_AUDIENCE
    with pytest.raises(ValueError, match="not mapped"):
        make_token_body(verify(KEYSTONE_CLAIMS, shape=shape))


@pytest.mark.parametrize("sub", ["", 1, True, ["x"], {"x": 1}])
def test_subject_is_a_string(sub: object) -> None:
    assert reason_of({**ACME_CLAIMS, "sub": sub}) is Reason.MALFORMED


def test_subject_that_no_header_can_carry_is_unsafe() -> None:
    assert reason_of({**ACME_CLAIMS, "sub": "a\nX-Roles: admin"}) is Reason.UNSAFE_VALUE


def test_token_says_whom_it_is_bound_to() -> None:
    assert (verify(ACME_CLAIMS).thumbprint, verify(ACME_CLAIMS).key_thumbprint) == (None, None)
    by_certificate = verify({**ACME_CLAIMS, "cnf": {"x5t#S256": "bwcK0esc3ACC3DB2Y5_l"}})
    assert by_certificate.thumbprint == "bwcK0esc3ACC3DB2Y5_l"
    assert make_token_body(by_certificate)["oauth2_credential"] == {
        "x5t#S256": "bwcK0esc3ACC3DB2Y5_l"
    }
    assert verify({**ACME_CLAIMS, "cnf": {"jkt": "0ZcOCORZ"}}).key_thumbprint == "0ZcOCORZ"


@pytest.mark.parametrize("cnf", ["x", [], 1, False, {"jkt": 1}, {"jkt": ""}, {"x5t#S256": ["x"]}])
def test_binding_that_is_no_binding_is_malformed(cnf: object) -> None:
    assert reason_of({**ACME_CLAIMS, "cnf": cnf}) is Reason.MALFORMED


@pytest.mark.parametrize("cnf", [{}, {"kid": "x"}, {"jwk": {}}, {"x5t": "x"}])
def test_binding_that_can_not_be_checked_refuses_the_token(cnf: object) -> None:
    assert reason_of({**ACME_CLAIMS, "cnf": cnf}) is Reason.WRONG_BINDING


def test_operator_may_let_an_issuer_have_another_typ() -> None:
    options = dataclasses.replace(ACME.options, types=["JWT", "none"])
    (issuer,) = make_issuers(options)
    for typ in ("JWT", "application/jwt", None):
        assert check(issuer, ACME_CLAIMS, typ=typ)
    with pytest.raises(InvalidToken):
        check(issuer, ACME_CLAIMS, typ="at+jwt")


@pytest.mark.parametrize(
    ("changes", "scope"),
    [
        ({}, {"inventory.read", "inventory.write"}),
        ({"scope": None}, set()),
        ({"scope": None, "scp": "a b"}, {"a", "b"}),
        ({"scope": None, "scp": ["a", "b"]}, {"a", "b"}),
        ({"scope": "one", "scp": "other"}, {"one"}),
        ({"scope": "  a   b "}, {"a", "b"}),
        ({"scope": ""}, set()),
        ({"scope": []}, set()),
    ],
)
def test_oauth_scope_is_a_string_or_an_array(changes: Claims, scope: set[str]) -> None:
    assert verify(change(ACME_CLAIMS, changes)).oauth_scope == scope


@pytest.mark.parametrize("claim", ["scope", "client_id", "jti"])
@pytest.mark.parametrize("value", [1, True, {}, [1], [[]], ["a\nb"]], ids=repr)
def test_grant_of_another_type_refuses_the_token(claim: str, value: object) -> None:
    reason = reason_of({**ACME_CLAIMS, claim: value})
    assert reason in (Reason.MALFORMED, Reason.UNSAFE_VALUE)


def test_client_is_named_by_the_claim_that_the_profile_says() -> None:
    named = {name: verify(s.claims, shape=s).client_id for name, s in SHAPES.items()}
    assert named["RFC 9068, figure 2"] == "s6BhdRkqt3"
    assert named["Keycloak"] == "web-shop"
    assert named["Okta"] == "0oa1client"
    assert named["Entra v1, user"] == named["Entra v2, application"]
    assert named["Kubernetes"] is None


@pytest.mark.parametrize(
    ("subject", "trust_domain"),
    [
        ("spiffe://acme.example/a", "acme.example"),
        ("spiffe://acme.example/a/b", "acme.example"),
        ("spiffe://acme.example", None),
        ("spiffe://acme.example/", None),
        ("spiffe://acme.example//a", None),
        ("spiffe://acme.example/a/", None),
        ("spiffe://acme.example/./a", None),
        ("spiffe:///a", None),
        ("SPIFFE://acme.example/a", None),
        ("spiffe://ACME.example/a", None),
        ("spiffe://u@acme.example/a", None),
        ("spiffe://acme.example:80/a", None),
        ("spiffe://acme.example/a?b", None),
        ("spiffe://acme.example/a#b", None),
        ("spiffe://acme.example/a\n", None),
        ("spiffe://acme.example/%2e%2e/a", None),
        ("spiffe://acme.example/a/..", None),
        (None, None),
        (["spiffe://acme.example/a"], None),
    ],
)
def test_trust_domain_is_that_of_a_workload(subject: object, trust_domain: str | None) -> None:
    assert find_trust_domain(subject) == trust_domain


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(SHAPES)), st.data())
def test_any_claim_may_be_anything_and_all_that_happens_is_a_refusal(
    name: str, data: st.DataObject
) -> None:
    shape = SHAPES[name]
    claim = data.draw(st.sampled_from([*shape.claims, "cnf", "nonce", "act", "roles", "scp"]))
    claims = {**shape.claims, claim: data.draw(JSON)}
    try:
        token = verify(claims, shape=shape)
        body = make_token_body(token)
        Token.from_body(body, None, answered_at=NOW, fresh_until=NOW, usable_until=NOW)
    except (InvalidToken, MalformedBody):
        return
    assert type(token.expires_at) is int
    assert token.expires_at > NOW


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(), JSON, max_size=5), st.none() | st.text(), st.none() | st.text())
def test_claims_that_nobody_made_are_refused(
    claims: dict[str, object], typ: str | None, kid: str | None
) -> None:
    (issuer,) = make_issuers(IssuerOptions(name="x", issuer="https://x.example", audience=["x"]))
    with pytest.raises(InvalidToken):
        check(issuer, claims, typ=typ, kid=kid)
