"""The known confusions of each profile: tokens that look much like those that must pass."""

from __future__ import annotations

from typing import NamedTuple

from authmw.errors import Reason
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
    change,
    op_claims,
    times,
)


class Confusion(NamedTuple):
    """A token that an issuer makes, and that is no access token for us.

    Attributes:
        shape: name of a token that passes, whose issuer is asked to accept this one.
    """

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
"""By "provider: what it is", as `doc/issuers.rst` lists them."""
