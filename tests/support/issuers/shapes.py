"""Tokens as each kind of issuer makes them: made up after its documentation, no real data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from authmw.issuers.access_token import AccessToken, verify_access_token
from authmw.issuers.configured import IssuerOptions, make_issuers
from authmw.issuers.record import Issuer
from authmw.jose.jws import canonical_type

NOW = 1_800_000_000
US = "https://inventory.example"
Claims = Mapping[str, object]


@dataclass(frozen=True)
class Shape:
    """One token that an issuer makes, and what becomes of it.

    Attributes:
        body: members that the token body has, of those that differ from shape to shape.
    """

    options: IssuerOptions
    claims: Claims
    typ: str | None = "JWT"
    kid: str | None = "key-1"
    body: Claims = field(default_factory=dict)

    @property
    def issuer(self) -> Issuer:
        return make_issuers(self.options)[0]

    def changed(self, **changes: object) -> dict[str, object]:
        """Its claims with some of them others; None takes one away."""
        return change(self.claims, changes)


def change(claims: Claims, changes: Claims) -> dict[str, object]:
    merged = {**claims, **changes}
    return {name: value for name, value in merged.items() if value is not None}


def check(
    issuer: Issuer,
    claims: Claims,
    *,
    typ: str | None = "JWT",
    kid: str | None = "key-1",
    now: float = NOW,
) -> AccessToken:
    """Check claims that stand beside a protected header with these parameters."""
    canonical = None if typ is None else canonical_type(typ)
    return verify_access_token(issuer, typ=canonical, kid=kid, claims=claims, now=now)


def times(lifetime: int = 900) -> dict[str, object]:
    return {"iat": NOW - 60, "nbf": NOW - 60, "exp": NOW - 60 + lifetime}


ACME = "https://login.acme.example"
ACME_OPTIONS = IssuerOptions(name="acme", issuer=ACME, audience=[US])
ACME_CLAIMS: Claims = {
    "iss": ACME,
    "aud": US,
    "sub": "5ba552d67",
    "client_id": "s6BhdRkqt3",
    "exp": NOW + 900,
    "iat": NOW - 60,
    "jti": "dbe39bf3a3ba4238a513f51d6e1691c4",
    "scope": "inventory.read inventory.write",
}

OP = "https://keystone.example/v4/oauth2/d1"
OP_OPTIONS = IssuerOptions(name="op", profile="keystone-op", issuer=OP)
_OP_SCOPES: Mapping[str, Claims] = {
    "project": {"project_id": "p1", "project_domain_id": "d1"},
    "domain": {"domain_id": "d1"},
    "system": {"system_id": "all"},
    "unscoped": {},
}


def op_claims(scope_type: str = "project", method: str = "plain") -> dict[str, object]:
    """Claims by the list in the OP's documentation, of every scope and method."""
    delegation: dict[str, object] = {"auth_method": method}
    if method != "plain":
        delegation["delegated_project_id"] = "p1"
    roles: dict[str, object] = {"roles": []}
    if scope_type != "unscoped":
        roles = {
            "roles": ["member", "reader"],
            "scope_roles": [
                {"id": "r1", "name": "member", "domain_id": None},
                {"id": "r2", "name": "reader"},
            ],
        }
    return {
        **times(),
        "iss": OP,
        "sub": "u1",
        "aud": "openstack-apis:d1",
        "client_id": "client-1",
        "jti": "2c1f3a7e-0001-4000-8000-000000000001",
        "keystone_ruleset_version": 2**127 + 1,
        "amr": ["client_credentials"],
        "token_use": "access",
        "delegation_context": delegation,
        "user_id": "u1",
        "user_name": "client-1",
        "user_domain_id": "d1",
        "scope_type": scope_type,
        **_OP_SCOPES[scope_type],
        **roles,
    }


REALM = "https://keycloak.example/realms/acme"
KEYCLOAK_OPTIONS = IssuerOptions(
    name="kc", profile="keycloak", issuer=REALM, audience=["inventory"]
)
KEYCLOAK_CLAIMS: Claims = {
    "iss": REALM,
    "aud": ["inventory", "account"],
    "sub": "f0a1c7e2-1111-4222-8333-444455556666",
    "typ": "Bearer",
    "azp": "web-shop",
    "exp": NOW + 240,
    "iat": NOW - 60,
    "auth_time": NOW - 600,
    "jti": "onrtac:6d2f8c1e",
    "sid": "a-session",
    "acr": "1",
    "allowed-origins": ["https://shop.example"],
    "realm_access": {"roles": ["offline_access", "member"]},
    "resource_access": {
        "inventory": {"roles": ["stock.keeper"]},
        "account": {"roles": ["view-profile"]},
    },
    "scope": "openid profile email",
    "preferred_username": "ada",
    "email_verified": True,
}

TENANT = "11111111-2222-4333-8444-555555555555"
API = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
ENTRA_V1 = f"https://sts.windows.net/{TENANT}/"
ENTRA_V2 = f"https://login.microsoftonline.com/{TENANT}/v2.0"
ENTRA_V1_OPTIONS = IssuerOptions(
    name="entra1", profile="entra", issuer=ENTRA_V1, audience=["api://inventory"]
)
ENTRA_V2_OPTIONS = IssuerOptions(
    name="entra2",
    profile="entra",
    issuer="https://login.microsoftonline.com/{tenant}/v2.0",
    issuer_variables={"tenant": [TENANT]},
    audience=[API],
)
ENTRA_V1_CLAIMS: Claims = {
    **times(3600),
    "aud": "api://inventory",
    "iss": ENTRA_V1,
    "acr": "1",
    "aio": "opaque",
    "amr": ["pwd", "mfa"],
    "appid": "99999999-8888-4777-8666-555555555555",
    "appidacr": "1",
    "oid": "12121212-3434-4565-8787-909090909090",
    "scp": "Stock.Read Stock.Write",
    "sub": "pairwise-subject",
    "tid": TENANT,
    "unique_name": "ada@acme.example",
    "uti": "AbCdEfGh",
    "ver": "1.0",
}
ENTRA_V2_CLAIMS: Claims = {
    **times(3600),
    "aud": API,
    "iss": ENTRA_V2,
    "azp": "99999999-8888-4777-8666-555555555555",
    "azpacr": "1",
    "oid": "12121212-3434-4565-8787-909090909090",
    "roles": ["Stock.Reader"],
    "sub": "12121212-3434-4565-8787-909090909090",
    "tid": TENANT,
    "uti": "AbCdEfGh",
    "ver": "2.0",
}

OKTA = "https://acme.okta.example/oauth2/default"
OKTA_OPTIONS = IssuerOptions(name="okta", profile="okta", issuer=OKTA, audience=["api://default"])
OKTA_CLAIMS: Claims = {
    "ver": 1,
    "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE",
    "iss": OKTA,
    "aud": "api://default",
    "iat": NOW - 60,
    "exp": NOW + 3540,
    "cid": "0oa1client",
    "uid": "00u1user",
    "scp": ["openid", "inventory.read"],
    "auth_time": NOW - 500,
    "sub": "ada@acme.example",
    "groups": ["Everyone"],
}

AUTH0 = "https://acme.auth0.example/"
AUTH0_OPTIONS = IssuerOptions(name="auth0", profile="auth0", issuer=AUTH0, audience=[US])
AUTH0_CLAIMS: Claims = {
    "iss": AUTH0,
    "sub": "auth0|123456",
    "aud": [US, f"{AUTH0}userinfo"],
    "azp": "my_client_id",
    "exp": NOW + 86400,
    "iat": NOW - 60,
    "scope": "openid profile inventory.read",
    "permissions": ["inventory:read"],
    "https://acme.example/roles": ["member"],
}

CLUSTER = "https://kubernetes.default.svc.cluster.local"
KUBERNETES_OPTIONS = IssuerOptions(
    name="k8s",
    profile="kubernetes",
    issuer=CLUSTER,
    audience=[US],
    claims={"project_id": ["kubernetes.io/namespace"]},
)
KUBERNETES_CLAIMS: Claims = {
    **times(3607),
    "aud": [US],
    "iss": CLUSTER,
    "jti": "ea28ed49-2e11-4280-9ec5-bc3d1d84661a",
    "kubernetes.io": {
        "namespace": "shop",
        "node": {"name": "node-1", "uid": "58456cb0-0000-4000-8000-000000000000"},
        "pod": {"name": "web-0", "uid": "778a530c-0000-4000-8000-000000000000"},
        "serviceaccount": {"name": "web", "uid": "a087d5a0-0000-4000-8000-000000000000"},
        "warnafter": NOW + 3000,
    },
    "sub": "system:serviceaccount:shop:web",
}

GITHUB = "https://token.actions.githubusercontent.com"
GITHUB_OPTIONS = IssuerOptions(
    name="github",
    profile="github",
    issuer=GITHUB,
    audience=[US],
    required_values={"repository": ["acme/inventory"], "environment": ["production"]},
)
GITHUB_CLAIMS: Claims = {
    **times(300),
    "jti": "example-id",
    "sub": "repo:acme/inventory:environment:production",
    "environment": "production",
    "aud": US,
    "ref": "refs/heads/main",
    "sha": "0123456789abcdef0123456789abcdef01234567",
    "repository": "acme/inventory",
    "repository_owner": "acme",
    "repository_id": "74",
    "repository_owner_id": "65",
    "actor": "ada",
    "workflow": "deploy",
    "event_name": "push",
    "job_workflow_ref": "acme/inventory/.github/workflows/deploy.yml@refs/heads/main",
    "iss": GITHUB,
}

SPIFFE_OPTIONS = IssuerOptions(
    name="mesh", profile="spiffe", trust_domain="acme.example", audience=[US]
)
SPIFFE_CLAIMS: Claims = {
    "sub": "spiffe://acme.example/ns/shop/sa/web",
    "aud": [US],
    "exp": NOW + 240,
}

KEYSTONE_OPTIONS = IssuerOptions(name="keystone", profile="keystone")
KEYSTONE_CLAIMS: Claims = {
    "sub": "u1",
    "iat": NOW - 60,
    "exp": NOW + 3600,
    "openstack_methods": ["password"],
    "openstack_audit_ids": ["3JvVJhKDQ8yBl0c8kCkGTg"],
    "openstack_project_id": "p1",
}

_KEYCLOAK_CLIENT_ROLES = IssuerOptions(
    name="kc",
    profile="keycloak",
    issuer=REALM,
    audience=["inventory"],
    claims={"roles": ["realm_access.roles", "resource_access.inventory.roles"]},
)

SHAPES: Mapping[str, Shape] = {
    "RFC 9068, figure 2": Shape(
        ACME_OPTIONS, ACME_CLAIMS, "at+jwt", body={"user": {"id": "5ba552d67"}, "roles": []}
    ),
    "RFC 9068, full media type": Shape(ACME_OPTIONS, ACME_CLAIMS, "application/AT+JWT"),
    "RFC 9068, SCIM roles and groups": Shape(
        ACME_OPTIONS,
        {
            **ACME_CLAIMS,
            "roles": [{"value": "member", "display": "Member"}, "reader"],
            "groups": [{"value": "g1"}, "g2"],
        },
        "at+jwt",
        body={
            "roles": [{"name": "member"}, {"name": "reader"}],
            "user": {
                "id": "5ba552d67",
                "OS-FEDERATION": {
                    "groups": [{"id": "g1"}, {"id": "g2"}],
                    "identity_provider": {"id": "acme"},
                    "protocol": {"id": "openid"},
                },
            },
        },
    ),
    "keystone-op, project": Shape(
        OP_OPTIONS,
        op_claims("project"),
        body={
            "project": {"id": "p1", "domain": {"id": "d1"}},
            "roles": [{"id": "r1", "name": "member"}, {"id": "r2", "name": "reader"}],
            "user": {"id": "u1", "name": "client-1", "domain": {"id": "d1"}},
            "methods": ["client_credentials"],
        },
    ),
    "keystone-op, domain": Shape(OP_OPTIONS, op_claims("domain"), body={"domain": {"id": "d1"}}),
    "keystone-op, system": Shape(OP_OPTIONS, op_claims("system"), body={"system": {"all": True}}),
    "keystone-op, unscoped": Shape(OP_OPTIONS, op_claims("unscoped"), body={"roles": []}),
    "keystone-op, user without domain": Shape(
        OP_OPTIONS,
        {**op_claims(), "user_domain_id": None},
        body={"user": {"id": "u1", "name": "client-1"}},
    ),
    **{
        f"keystone-op, {method}": Shape(OP_OPTIONS, op_claims("project", method))
        for method in ("trust", "app_cred", "ec2")
    },
    "Keycloak": Shape(
        KEYCLOAK_OPTIONS,
        KEYCLOAK_CLAIMS,
        body={
            "user": {"id": "f0a1c7e2-1111-4222-8333-444455556666", "name": "ada"},
            "roles": [{"name": "offline_access"}, {"name": "member"}],
        },
    ),
    "Keycloak, realm and client roles": Shape(
        _KEYCLOAK_CLIENT_ROLES,
        KEYCLOAK_CLAIMS,
        body={"roles": [{"name": n} for n in ("offline_access", "member", "stock.keeper")]},
    ),
    "Keycloak, before 25": Shape(KEYCLOAK_OPTIONS, {**KEYCLOAK_CLAIMS, "nonce": "n-0S6"}),
    "Keycloak, lightweight": Shape(
        KEYCLOAK_OPTIONS,
        change(
            KEYCLOAK_CLAIMS,
            dict.fromkeys(("realm_access", "resource_access", "preferred_username")),
        ),
        body={"roles": [], "user": {"id": "f0a1c7e2-1111-4222-8333-444455556666"}},
    ),
    "Keycloak, DPoP": Shape(
        KEYCLOAK_OPTIONS, {**KEYCLOAK_CLAIMS, "typ": "DPoP", "cnf": {"jkt": "0ZcOCORZ"}}, "at+jwt"
    ),
    "Entra v1, user": Shape(
        ENTRA_V1_OPTIONS, ENTRA_V1_CLAIMS, body={"roles": [], "audit_ids": ["AbCdEfGh"]}
    ),
    "Entra v2, application": Shape(
        ENTRA_V2_OPTIONS, ENTRA_V2_CLAIMS, body={"roles": [{"name": "Stock.Reader"}]}
    ),
    "Okta": Shape(
        OKTA_OPTIONS,
        OKTA_CLAIMS,
        None,
        body={"user": {"id": "ada@acme.example"}, "roles": []},
    ),
    "Auth0": Shape(AUTH0_OPTIONS, AUTH0_CLAIMS, body={"audit_ids": [], "roles": []}),
    "Auth0, RFC 9068 profile": Shape(
        AUTH0_OPTIONS,
        change(AUTH0_CLAIMS, {"azp": None, "client_id": "my_client_id", "jti": "73WakrfV"}),
        "at+jwt",
        body={"audit_ids": ["73WakrfV"]},
    ),
    "Auth0, namespaced roles": Shape(
        IssuerOptions(
            name="auth0",
            profile="auth0",
            issuer=AUTH0,
            audience=[US],
            claims={"roles": ["https://acme.example/roles"]},
        ),
        AUTH0_CLAIMS,
        body={"roles": [{"name": "member"}]},
    ),
    "Kubernetes": Shape(
        KUBERNETES_OPTIONS,
        KUBERNETES_CLAIMS,
        None,
        body={
            "project": {"id": "shop"},
            "user": {
                "id": "system:serviceaccount:shop:web",
                "name": "system:serviceaccount:shop:web",
            },
        },
    ),
    "GitHub Actions": Shape(
        GITHUB_OPTIONS,
        GITHUB_CLAIMS,
        body={"user": {"id": "repo:acme/inventory:environment:production"}},
    ),
    "SPIFFE, least": Shape(
        SPIFFE_OPTIONS,
        SPIFFE_CLAIMS,
        "JOSE",
        None,
        body={"issued_at": "1970-01-01T00:00:00.000000Z"},
    ),
    "SPIFFE, as SPIRE writes it": Shape(
        SPIFFE_OPTIONS,
        {**SPIFFE_CLAIMS, "iat": NOW - 60, "iss": "https://oidc.acme.example"},
    ),
}
"""Tokens that pass."""
