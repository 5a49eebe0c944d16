"""For each profile: the tokens that pass, and the known confusions that do not."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from authmw.errors import InvalidToken, Reason
from authmw.issuers.profiles import PROFILES
from authmw.issuers.token_body import make_token_body
from authmw.token import Token
from tests.support.issuers.shapes import (
    ACME_CLAIMS,
    API,
    AUTH0,
    KUBERNETES_CLAIMS,
    NOW,
    OP,
    SHAPES,
    TENANT,
    Claims,
    Shape,
    change,
    check,
    op_claims,
    times,
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


class Confusion(NamedTuple):
    shape: str
    claims: Claims
    reason: Reason
    typ: str | None = "same"
    kid: str | None = "same"


_KEYCLOAK = SHAPES["Keycloak"]
_V1, _V2 = SHAPES["Entra v1, user"], SHAPES["Entra v2, application"]
_OKTA, _AUTH0 = SHAPES["Okta"], SHAPES["Auth0"]
_GITHUB, _SPIFFE = SHAPES["GitHub Actions"], SHAPES["SPIFFE, least"]

CONFUSIONS: dict[str, Confusion] = {
    "RFC 9068: an ID token without nonce, told by typ": Confusion(
        "RFC 9068, figure 2", ACME_CLAIMS, Reason.ID_TOKEN, "JWT"
    ),
    "RFC 9068: no typ": Confusion("RFC 9068, figure 2", ACME_CLAIMS, Reason.ID_TOKEN, None),
    "RFC 9068: nonce": Confusion(
        "RFC 9068, figure 2", {**ACME_CLAIMS, "nonce": "n-0S6"}, Reason.ID_TOKEN
    ),
    "keystone-op: the id_token": Confusion(
        "keystone-op, project",
        {
            **times(),
            "iss": OP,
            "sub": "u1",
            "aud": "client-1",
            "auth_time": NOW - 60,
            "nonce": None,
            "at_hash": None,
            "amr": ["pwd"],
            "token_use": "id",
        },
        Reason.ID_TOKEN,
    ),
    "keystone-op: the minimal access token": Confusion(
        "keystone-op, project",
        {
            **times(),
            "iss": OP,
            "sub": "u1",
            "aud": "client-1",
            "jti": "j1",
            "scope": "openid profile",
            "token_use": "access",
        },
        Reason.MALFORMED,
    ),
    "keystone-op: of another domain": Confusion(
        "keystone-op, project",
        {**op_claims(), "aud": "openstack-apis:d2"},
        Reason.WRONG_AUDIENCE,
    ),
    "keystone-op: another domain's issuer": Confusion(
        "keystone-op, project", {**op_claims(), "iss": OP[:-1] + "2"}, Reason.WRONG_ISSUER
    ),
    "keystone-op: no kid": Confusion(
        "keystone-op, project", op_claims(), Reason.MALFORMED, kid=None
    ),
    "Keycloak: aud is account": Confusion(
        "Keycloak", _KEYCLOAK.changed(aud="account"), Reason.WRONG_AUDIENCE
    ),
    "Keycloak: a service account without aud": Confusion(
        "Keycloak", _KEYCLOAK.changed(aud=None, client_id="robot"), Reason.MALFORMED
    ),
    "Keycloak: the ID token": Confusion(
        "Keycloak", _KEYCLOAK.changed(typ="ID", aud="inventory"), Reason.ID_TOKEN
    ),
    "Keycloak: the refresh token": Confusion(
        "Keycloak", _KEYCLOAK.changed(typ="Refresh", aud="inventory"), Reason.WRONG_CLAIM
    ),
    "Keycloak: the logout token": Confusion(
        "Keycloak", _KEYCLOAK.changed(typ="Logout"), Reason.WRONG_CLAIM
    ),
    "Keycloak: another realm": Confusion(
        "Keycloak",
        _KEYCLOAK.changed(iss="https://keycloak.example/realms/other"),
        Reason.WRONG_ISSUER,
    ),
    "Keycloak: lightweight, without sub": Confusion(
        "Keycloak, lightweight",
        SHAPES["Keycloak, lightweight"].changed(sub=None),
        Reason.MALFORMED,
    ),
    "Entra: a v1 token where v2 is configured": Confusion(
        "Entra v2, application",
        {**_V1.claims, "aud": API},
        Reason.WRONG_ISSUER,
    ),
    "Entra: another tenant": Confusion(
        "Entra v2, application",
        _V2.changed(
            iss="https://login.microsoftonline.com/99999999-2222-4333-8444-555555555555/v2.0"
        ),
        Reason.WRONG_ISSUER,
    ),
    "Entra: iss of the common endpoint": Confusion(
        "Entra v2, application",
        _V2.changed(iss="https://login.microsoftonline.com/common/v2.0"),
        Reason.WRONG_ISSUER,
    ),
    "Entra: iss with the template unfilled": Confusion(
        "Entra v2, application",
        _V2.changed(iss="https://login.microsoftonline.com/{tenantid}/v2.0"),
        Reason.WRONG_ISSUER,
    ),
    "Entra: for Graph": Confusion(
        "Entra v1, user",
        _V1.changed(aud="00000003-0000-0000-c000-000000000000"),
        Reason.WRONG_AUDIENCE,
    ),
    "Entra: an ID token without nonce, for the same client id": Confusion(
        "Entra v2, application",
        {
            **times(3600),
            "iss": _V2.claims["iss"],
            "aud": API,
            "sub": "pairwise",
            "tid": TENANT,
            "ver": "2.0",
            "name": "Ada",
            "roles": ["Stock.Reader"],
        },
        Reason.ID_TOKEN,
    ),
    "Entra: an application without any permission": Confusion(
        "Entra v2, application", _V2.changed(roles=None), Reason.MALFORMED
    ),
    "Okta: the org authorization server's token": Confusion(
        "Okta", _OKTA.claims, Reason.MALFORMED, "application/okta-internal-at+jwt"
    ),
    "Okta: its issuer": Confusion(
        "Okta", _OKTA.changed(iss="https://acme.okta.example"), Reason.WRONG_ISSUER
    ),
    "Okta: the ID token": Confusion(
        "Okta", _OKTA.changed(cid=None, scp=None, idp="00o1"), Reason.ID_TOKEN
    ),
    "Auth0: for /userinfo alone": Confusion(
        "Auth0", _AUTH0.changed(aud=f"{AUTH0}userinfo"), Reason.WRONG_AUDIENCE
    ),
    "Auth0: the ID token": Confusion(
        "Auth0", _AUTH0.changed(aud="my_client_id", nonce="x"), Reason.ID_TOKEN
    ),
    "Auth0: issuer without its slash": Confusion(
        "Auth0", _AUTH0.changed(iss=AUTH0[:-1]), Reason.WRONG_ISSUER
    ),
    "Kubernetes: a token for the API server": Confusion(
        "Kubernetes",
        change(KUBERNETES_CLAIMS, {"aud": ["https://kubernetes.default.svc.cluster.local"]}),
        Reason.WRONG_AUDIENCE,
    ),
    "Kubernetes: the token of a secret, without end and audience": Confusion(
        "Kubernetes",
        {
            "iss": KUBERNETES_CLAIMS["iss"],
            "sub": "system:serviceaccount:shop:web",
            "kubernetes.io/serviceaccount/namespace": "shop",
        },
        Reason.MALFORMED,
    ),
    "Kubernetes: a subject that is no service account": Confusion(
        "Kubernetes",
        change(KUBERNETES_CLAIMS, {"sub": "system:masters"}),
        Reason.WRONG_CLAIM,
    ),
    "GitHub: somebody else's repository": Confusion(
        "GitHub Actions", _GITHUB.changed(repository="evil/inventory"), Reason.WRONG_CLAIM
    ),
    "GitHub: another environment": Confusion(
        "GitHub Actions", _GITHUB.changed(environment="test"), Reason.WRONG_CLAIM
    ),
    "GitHub: no environment": Confusion(
        "GitHub Actions", _GITHUB.changed(environment=None), Reason.WRONG_CLAIM
    ),
    "GitHub: the default audience": Confusion(
        "GitHub Actions", _GITHUB.changed(aud="https://github.com/acme"), Reason.WRONG_AUDIENCE
    ),
    "SPIFFE: another trust domain": Confusion(
        "SPIFFE, least",
        _SPIFFE.changed(sub="spiffe://evil.example/ns/shop/sa/web"),
        Reason.WRONG_ISSUER,
    ),
    "SPIFFE: a trust domain that begins the same": Confusion(
        "SPIFFE, least",
        _SPIFFE.changed(sub="spiffe://acme.example.evil/ns/shop"),
        Reason.WRONG_ISSUER,
    ),
    "SPIFFE: the trust domain itself": Confusion(
        "SPIFFE, least", _SPIFFE.changed(sub="spiffe://acme.example"), Reason.WRONG_ISSUER
    ),
    "SPIFFE: a path that leads elsewhere": Confusion(
        "SPIFFE, least", _SPIFFE.changed(sub="spiffe://acme.example/a/../b"), Reason.WRONG_ISSUER
    ),
    "SPIFFE: no SPIFFE ID": Confusion(
        "SPIFFE, least", _SPIFFE.changed(sub="https://acme.example/x"), Reason.WRONG_CLAIM
    ),
    "SPIFFE: no subject": Confusion("SPIFFE, least", _SPIFFE.changed(sub=None), Reason.MALFORMED),
}


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
