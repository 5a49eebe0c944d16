"""The claims that each kind of issuer puts into an access token, and those of an ID token.

One table, `SHAPES`, by profile (`authmw.issuers.profiles`), after the providers' documentation.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenGrant:
    """What a token says, in whichever words its issuer has for it.

    Attributes:
        issuer, client_id, audience, token_id: `iss`, the client, `aud` and `jti`; the server has
            values for them.
        issued_at, expires_at: epoch seconds.
        username: where such tokens name the user.
        scope: of OAuth, separated by blanks.
        roles: where such tokens have roles.
        project_id: of `keystone-op`, whose roles are on a project; the namespace of `kubernetes`.
        thumbprint, key_thumbprint: of the certificate (RFC 8705) and of the key (RFC 9449) that
            it is bound to.
        claims: added as they are, in place of what would stand there; None takes one away.
    """

    issuer: str
    subject: str
    client_id: str
    audience: str
    token_id: str
    issued_at: int
    expires_at: int
    username: str | None = None
    scope: str = ""
    roles: tuple[str, ...] = ()
    project_id: str | None = None
    thumbprint: str | None = None
    key_thumbprint: str | None = None
    claims: Mapping[str, object] = field(default_factory=dict)


Claims = dict[str, object]


class TokenShape(NamedTuple):
    """How a profile's access tokens look.

    Attributes:
        typ: the header parameter; None: there is none.
        make_claims: the claims of a grant.
        path: of the issuer identifier.
        roles_claim: where roles are; None: nowhere.
    """

    typ: str | None
    make_claims: Callable[[TokenGrant], Claims]
    path: str = ""
    roles_claim: str | None = None


def make_access_claims(grant: TokenGrant, profile: str) -> Claims:
    """Return the claims of an access token."""
    claims = SHAPES[profile].make_claims(grant)
    claims["cnf"] = _confirm(grant)
    return _without_none({**claims, **grant.claims})


def make_id_claims(grant: TokenGrant, access_token: str | None = None) -> Claims:
    """Return the claims of an ID token (OpenID Connect Core §2), for the client as audience."""
    claims: Claims = {
        **_times(grant),
        "iss": grant.issuer,
        "sub": grant.subject,
        "aud": grant.client_id,
        "auth_time": grant.issued_at,
        "nonce": "n-0S6_WzA2Mj",
        "preferred_username": grant.username,
    }
    if access_token is not None:  # OpenID Connect Core §3.1.3.6
        left = hashlib.sha256(access_token.encode("ascii")).digest()[:16]
        claims["at_hash"] = base64.urlsafe_b64encode(left).rstrip(b"=").decode("ascii")
    return _without_none({**claims, **grant.claims})


def make_introspection_response(grant: TokenGrant) -> Claims:
    """Return the answer about an active token (RFC 7662 §2.2)."""
    answer: Claims = {
        **_times(grant),
        "active": True,
        "iss": grant.issuer,
        "sub": grant.subject,
        "aud": grant.audience,
        "client_id": grant.client_id,
        "username": grant.username,
        "scope": grant.scope or None,
        "token_type": "Bearer",
        "jti": grant.token_id,
        "roles": list(grant.roles) or None,
    }
    answer["cnf"] = _confirm(grant)
    if grant.key_thumbprint is not None:
        answer["token_type"] = "DPoP"
    return _without_none({**answer, **grant.claims})


def _confirm(grant: TokenGrant) -> dict[str, str] | None:
    """`cnf` (RFC 7800 §3.1) of a token that is bound to a certificate, a key or both."""
    bound = {"x5t#S256": grant.thumbprint, "jkt": grant.key_thumbprint}
    return {name: value for name, value in bound.items() if value is not None} or None


def _without_none(claims: Claims) -> Claims:
    return {name: value for name, value in claims.items() if value is not None}


def _times(grant: TokenGrant) -> Claims:
    return {"iat": grant.issued_at, "nbf": grant.issued_at, "exp": grant.expires_at}


def _registered(grant: TokenGrant) -> Claims:
    return {**_times(grant), "iss": grant.issuer, "sub": grant.subject, "aud": grant.audience}


def _rfc9068(grant: TokenGrant) -> Claims:
    return {
        **_registered(grant),
        "client_id": grant.client_id,
        "jti": grant.token_id,
        "scope": grant.scope or None,
        "roles": list(grant.roles) or None,
    }


def _keystone_op(grant: TokenGrant) -> Claims:
    """ADR-0026 §4 of Keystone's successor, with one project or none."""
    domain_id = grant.issuer.rpartition("/")[2]
    claims: Claims = {
        **_registered(grant),
        "aud": f"openstack-apis:{domain_id}",
        "client_id": grant.client_id,
        "jti": grant.token_id,
        "keystone_ruleset_version": 2**127 + 1,
        "amr": ["client_credentials"],
        "token_use": "access",
        "delegation_context": {"auth_method": "plain"},
        "user_id": grant.subject,
        "user_name": grant.username or grant.subject,
        "user_domain_id": domain_id,
        "scope_type": "unscoped",
        "roles": [],
    }
    if grant.project_id is not None:
        claims |= {
            "scope_type": "project",
            "project_id": grant.project_id,
            "project_domain_id": domain_id,
            "roles": list(grant.roles),
            "scope_roles": [{"id": f"{name}-id", "name": name} for name in grant.roles],
        }
    return claims


def _keycloak(grant: TokenGrant) -> Claims:
    return {
        **_registered(grant),
        "nbf": None,
        "aud": [grant.audience, "account"],
        "typ": "Bearer",
        "azp": grant.client_id,
        "jti": f"onrtac:{grant.token_id}",
        "realm_access": {"roles": ["offline_access", *grant.roles]},
        "resource_access": {"account": {"roles": ["view-profile"]}},
        "scope": f"{grant.scope} email profile".strip(),
        "preferred_username": grant.username,
    }


def _entra(grant: TokenGrant) -> Claims:
    return {
        **_registered(grant),
        "tid": grant.issuer.split("/")[-2],
        "oid": grant.subject,
        "azp": grant.client_id,
        "azpacr": "1",
        "uti": grant.token_id,
        "ver": "2.0",
        "preferred_username": grant.username,
        "scp": grant.scope or None,
        "roles": list(grant.roles) or None,
    }


def _okta(grant: TokenGrant) -> Claims:
    return {
        **_registered(grant),
        "nbf": None,
        "ver": 1,
        "jti": f"AT.{grant.token_id}",
        "cid": grant.client_id,
        "scp": grant.scope.split(),
        "groups": list(grant.roles) or None,
    }


def _auth0(grant: TokenGrant) -> Claims:
    return {
        **_registered(grant),
        "nbf": None,
        "aud": [grant.audience, f"{grant.issuer}userinfo"],
        "azp": grant.client_id,
        "scope": grant.scope or None,
        "permissions": list(grant.roles),
    }


def _kubernetes(grant: TokenGrant) -> Claims:
    namespace = grant.project_id or "default"
    return {
        **_registered(grant),
        "sub": f"system:serviceaccount:{namespace}:{grant.subject}",
        "aud": [grant.audience],
        "jti": grant.token_id,
        "kubernetes.io": {
            "namespace": namespace,
            "serviceaccount": {"name": grant.subject, "uid": f"{grant.subject}-uid"},
        },
    }


def _github(grant: TokenGrant) -> Claims:
    owner = grant.subject.partition("/")[0]
    return {
        **_registered(grant),
        "sub": f"repo:{grant.subject}:ref:refs/heads/main",
        "jti": grant.token_id,
        "repository": grant.subject,
        "repository_owner": owner,
        "ref": "refs/heads/main",
        "event_name": "push",
    }


def _spiffe(grant: TokenGrant) -> Claims:
    return {
        "sub": f"spiffe://{urlsplit(grant.issuer).hostname}/{grant.subject}",
        "aud": [grant.audience],
        "exp": grant.expires_at,
        "iss": grant.issuer,
    }


SHAPES: Mapping[str, TokenShape] = {
    "rfc9068": TokenShape("at+jwt", _rfc9068, roles_claim="roles"),
    "keystone-op": TokenShape("JWT", _keystone_op, "/v4/oauth2/default", "roles"),
    "keycloak": TokenShape("JWT", _keycloak, "/realms/acme", "realm_access.roles"),
    "entra": TokenShape("JWT", _entra, "/11111111-2222-4333-8444-555555555555/v2.0", "roles"),
    "okta": TokenShape(None, _okta, "/oauth2/default", "groups"),
    "auth0": TokenShape("JWT", _auth0, "/", "permissions"),
    "kubernetes": TokenShape(None, _kubernetes),
    "github": TokenShape("JWT", _github),
    "spiffe": TokenShape("JWT", _spiffe),
}
"""By profile; those whose tokens are not JWTs, or are Keystone's, are elsewhere."""
