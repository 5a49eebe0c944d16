from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authmw.errors import IdentityUnavailable, InvalidToken, Reason
from authmw.issuers.access_token import AccessToken
from authmw.issuers.configured import IssuerOptions, make_issuers
from authmw.issuers.introspection_response import verify_introspection_response
from authmw.issuers.token_body import make_token_body
from tests.issuers.test_claims_path import JSON
from tests.support.issuers.shapes import NOW, US, Claims, change

(LAX,) = make_issuers(IssuerOptions(name="as", profile="introspection"))
(STRICT,) = make_issuers(
    IssuerOptions(name="as", profile="introspection", issuer="https://as.example", audience=[US])
)
# RFC 7662 §2.2, the example, with an audience and times that are ours.
ANSWER: Claims = {
    "active": True,
    "client_id": "l238j323ds-23ij4",
    "username": "jdoe",
    "scope": "read write dolphin",
    "sub": "Z5O3upPC88QrAjx00dis",
    "aud": US,
    "iss": "https://as.example",
    "exp": NOW + 60,
    "iat": NOW - 60,
    "extension_field": "twenty-seven",
}


def verify(answer: object, *, strict: bool = True) -> AccessToken:
    issuer = STRICT if strict else LAX
    return verify_introspection_response(issuer, answer, NOW, lifetime_seconds=300)


def reason_of(answer: object, *, strict: bool = True) -> Reason:
    with pytest.raises(InvalidToken) as refused:
        verify(answer, strict=strict)
    return refused.value.reason


def test_answer_becomes_a_token_body() -> None:
    token = verify(ANSWER)
    body = make_token_body(token)
    assert body["user"] == {"id": "Z5O3upPC88QrAjx00dis", "name": "jdoe"}
    assert body["expires_at"] == "2027-01-15T08:01:00.000000Z"
    assert token.oauth_scope == {"read", "write", "dolphin"}
    assert token.client_id == "l238j323ds-23ij4"
    assert "active" not in token.claims


def test_token_that_is_not_active_is_refused_whatever_else_the_answer_says() -> None:
    assert reason_of({"active": False}) is Reason.NOT_FOUND
    assert reason_of({**ANSWER, "active": False, "exp": "never"}) is Reason.NOT_FOUND


@pytest.mark.parametrize("active", ["true", "false", 1, 0, None, [], {}, ""])
def test_answer_that_does_not_say_whether_it_is_active_is_an_outage(active: object) -> None:
    with pytest.raises(IdentityUnavailable):
        verify({**ANSWER, "active": active})


@pytest.mark.parametrize("answer", [None, [], [ANSWER], "active", 1, True, {}, {"error": "x"}])
def test_other_document_is_an_outage(answer: object) -> None:
    with pytest.raises(IdentityUnavailable):
        verify(answer)


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("value", ["x", True, -1, -0.5, [], 10**300, 1e300, math.inf, math.nan])
def test_time_that_is_none_is_an_outage(name: str, value: object) -> None:
    with pytest.raises(IdentityUnavailable):
        verify({**ANSWER, name: value})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"token_use": "refresh_token"}, Reason.WRONG_CLAIM),
        ({"typ": "Refresh"}, Reason.WRONG_CLAIM),
        ({"typ": "Offline"}, Reason.WRONG_CLAIM),
        ({"typ": "ID"}, Reason.WRONG_CLAIM),
        ({"token_type": "refresh_token"}, Reason.WRONG_CLAIM),
        ({"token_use": "id"}, Reason.ID_TOKEN),
        ({"nonce": "n-0S6"}, Reason.ID_TOKEN),
    ],
)
def test_active_token_that_is_no_access_token_is_refused(changes: Claims, reason: Reason) -> None:
    assert reason_of({**ANSWER, **changes}) is reason


@pytest.mark.parametrize(
    "changes",
    [
        *({"typ": "Bearer"}, {"typ": "at+jwt"}, {"typ": "DPoP"}, {"token_type": "Bearer"}),
        *({"token_use": "access_token"}, {"token_use": "access"}, {"token_type": "bearer"}),
    ],
)
def test_access_token_of_every_kind_is_accepted(changes: Claims) -> None:
    assert verify({**ANSWER, **changes})


def test_fraction_of_a_second_ends_a_token_sooner_and_makes_it_older() -> None:
    token = verify({**ANSWER, "exp": NOW + 60.9, "iat": NOW - 60.1})
    assert (token.expires_at, token.issued_at) == (NOW + 60, NOW - 61)
    assert reason_of({**ANSWER, "exp": NOW + 0.9}) is Reason.EXPIRED


@pytest.mark.parametrize("name", ["iss", "sub", "client_id", "username", "scope", "jti"])
@pytest.mark.parametrize("value", [1, True, [], {}, ["x"]])
def test_text_that_is_none_is_an_outage(name: str, value: object) -> None:
    with pytest.raises(IdentityUnavailable):
        verify({**ANSWER, name: value})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exp": NOW}, Reason.EXPIRED),
        ({"nbf": NOW + 60}, Reason.NOT_YET_VALID),
        ({"iat": NOW + 60}, Reason.NOT_YET_VALID),
        ({"iss": "https://other.example"}, Reason.WRONG_ISSUER),
        ({"aud": "https://other.example"}, Reason.WRONG_AUDIENCE),
        ({"aud": None}, Reason.WRONG_AUDIENCE),
    ],
)
def test_what_the_answer_says_is_judged_like_the_claims_of_a_signed_token(
    changes: Claims, reason: Reason
) -> None:
    assert reason_of(change(ANSWER, changes)) is reason


def test_answer_of_a_server_that_names_no_audience_needs_none_configured() -> None:
    bare: Claims = {"active": True, "sub": "u1"}
    token = verify(bare, strict=False)
    assert (token.issued_at, token.expires_at) == (0, NOW + 300)
    assert reason_of({**bare, "aud": "https://other.example"}, strict=False) is (
        Reason.WRONG_AUDIENCE
    )


def test_answer_that_names_no_user_is_refused_and_says_which_claim_is_missing() -> None:
    token = verify(change(ANSWER, {"sub": None}))
    with pytest.raises(InvalidToken, match="'sub'"):
        make_token_body(token)


def test_user_may_be_named_by_the_first_of_several_claims() -> None:
    (issuer,) = make_issuers(
        IssuerOptions(
            name="as", profile="introspection", claims={"user_id": ["username", "client_id"]}
        )
    )
    for answer, user_id in (
        ({"username": "jdoe", "client_id": "web"}, "jdoe"),
        ({"client_id": "robot"}, "robot"),
    ):
        token = verify_introspection_response(
            issuer, {"active": True, **answer}, NOW, lifetime_seconds=60
        )
        user = make_token_body(token)["user"]
        assert isinstance(user, dict)
        assert user["id"] == user_id


@pytest.mark.heavy
@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*ANSWER, "cnf", "scp", "roles"]), JSON))
def test_any_answer_is_a_token_a_refusal_or_an_outage(
    answer: dict[str, object],
) -> None:
    for strict in (True, False):
        with contextlib.suppress(InvalidToken, IdentityUnavailable):
            make_token_body(verify({**ANSWER, **answer}, strict=strict))
