"""The table of profiles: what each kind of issuer does differently from RFC 9068.

Every row but the first is the first with some of it replaced, and each replacement names the
page that says so. A profile says what is true of all tokens of such a provider; what is true of
one deployment (audience, project, pinned claims) is configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from authmw.issuers import keystone_op
from authmw.issuers.claims_path import ClaimsPath
from authmw.issuers.record import ClaimsMapping, Profile
from authmw.jose.jws import JWT_TYPES

_path = ClaimsPath.parse


_RFC9068_CLAIMS: Final = ClaimsMapping(
    user_id=(_path("sub"),),  # §2.2
    client_id=(_path("client_id"),),  # §2.2
    token_id=_path("jti"),  # §2.2
    methods=_path("amr"),  # §2.2.1
    oauth_scope=(_path("scope"), _path("scp")),  # §2.2.3; many servers write scp
    roles=(_path("roles"),),  # §2.2.3.1, and groups
    groups=_path("groups"),
)
# Of issuers that make identity tokens for workloads: who it is, and nothing about rights.
_WORKLOAD_CLAIMS: Final = ClaimsMapping(user_id=(_path("sub"),), token_id=_path("jti"))

RFC9068: Final = Profile(
    name="rfc9068",
    # §2.1; without it nothing tells an access token from an ID token.
    types=frozenset({"at+jwt"}),
    # §2.1 asks servers to support RS256; the others are what servers offer beside it.
    algorithms=frozenset({"RS256", "PS256", "ES256", "EdDSA"}),
    # §2.2.
    required_claims=frozenset({"iss", "exp", "aud", "sub", "client_id", "iat", "jti"}),
    # OpenID Connect Core §2, §3.3.2.11; FAPI 1.0 Part 2 §5.1.1 (s_hash).
    id_token_claims=frozenset({"nonce", "at_hash", "c_hash", "s_hash"}),
    id_token_values=((_path("token_use"), frozenset({"id", "id_token"})),),
    mapping=_RFC9068_CLAIMS,
)

_UNTYPED: Final = JWT_TYPES

# Keystone's own JWS tokens: keystone.token.providers.jws.core, JWSFormatter. No issuer, no
# audience, no role: names and roles come from `jws_authority`.
KEYSTONE: Final = replace(
    RFC9068,
    name="keystone",
    types=_UNTYPED,
    algorithms=frozenset({"ES256"}),
    required_claims=frozenset({"sub", "iat", "exp", "openstack_methods", "openstack_audit_ids"}),
    mapping=None,
    needs_identifier=False,
    needs_audience=False,
)

# The OAuth2 provider of Keystone's successor: openstack-experimental/keystone, ADR-0026.
KEYSTONE_OP: Final = replace(
    RFC9068,
    name="keystone-op",
    types=_UNTYPED,  # the JWS library's default; `token_use` tells its tokens apart (§4)
    algorithms=frozenset({"ES256", "RS256"}),  # §3: ES256 unless configured
    is_kid_required=True,  # §3
    # §4, OpenStackAccessTokenClaims: what its type can't do without.
    required_claims=frozenset(
        {
            *("iss", "sub", "aud", "client_id", "exp", "iat", "nbf", "jti"),
            *("keystone_ruleset_version", "amr", "token_use", "delegation_context"),
            *("user_id", "user_name", "scope_type", "roles"),
        }
    ),
    claim_values=((_path("token_use"), frozenset({"access"})),),  # §6, step 4
    rules=(keystone_op.verify_user, keystone_op.verify_scope, keystone_op.verify_delegation),
    mapping=replace(
        _RFC9068_CLAIMS,
        user_id=(_path("user_id"),),
        user_name=_path("user_name"),
        user_domain_id=_path("user_domain_id"),
        project_id=_path("project_id"),
        project_domain_id=_path("project_domain_id"),
        domain_id=_path("domain_id"),
        system_scope=_path("system_id"),
        role_references=_path("scope_roles"),  # §4, "scope_roles Wire Rename"
        groups=None,
        assumed_admin_project=None,  # its tokens stand for Keystone's, which do not say either
    ),
    complain=keystone_op.complain,
    derive_audience=keystone_op.derive_audience,  # §5, "Domain Key Isolation and aud Binding"
    keys_path="/jwks",  # §3
    revocation_list_path="/jwks/revocation",  # §3, "Emergency Rotation"
    stands_for_keystone=True,
)


def _complain_of_keycloak(_: str | None, audiences: frozenset[str]) -> str | None:
    if "account" in audiences:
        return (
            "Keycloak names 'account' in nearly every token of a realm, whatever service it is "
            "for: give this service a client of its own and an audience mapper for it"
        )
    return None


# Keycloak, Server Administration Guide, "Audience support", "Using lightweight access token";
# org.keycloak.representations.JsonWebToken (payload claim `typ`).
KEYCLOAK: Final = replace(
    RFC9068,
    name="keycloak",
    # "Use at+jwt as access token header type" is a switch of a client, off unless set.
    types=frozenset({"jwt", "at+jwt"}),
    # A realm's signature algorithm can be any of these.
    algorithms=RFC9068.algorithms | {"RS384", "RS512", "PS384", "PS512", "ES384", "ES512"},
    required_claims=frozenset({"iss", "exp", "iat", "aud", "sub", "jti", "azp", "typ"}),
    # Access tokens have `nonce` up to Keycloak 24; the payload's `typ` tells what a token is.
    id_token_claims=RFC9068.id_token_claims - {"nonce"},
    id_token_values=(*RFC9068.id_token_values, (_path("typ"), frozenset({"ID"}))),
    claim_values=((_path("typ"), frozenset({"Bearer", "DPoP"})),),
    mapping=replace(
        _RFC9068_CLAIMS,
        user_name=_path("preferred_username"),
        # Lightweight tokens have no roles: introspect them, or add a mapper.
        roles=(_path("realm_access.roles"),),
        client_id=(_path("azp"),),
    ),
    complain=_complain_of_keycloak,
)

_GRAPH: Final = frozenset({"00000003-0000-0000-c000-000000000000", "https://graph.microsoft.com"})


def _complain_of_entra(identifier: str | None, audiences: frozenset[str]) -> str | None:
    if {"common", "organizations", "consumers"}.intersection(
        urlsplit(identifier or "").path.split("/")
    ):
        return (
            "no token has this issuer: write the tenant's id, or {tenant} and list the tenants "
            "in issuer_variables"
        )
    if not _GRAPH.isdisjoint(one.rstrip("/") for one in audiences):
        return "tokens for Microsoft Graph can be verified by Microsoft Graph alone"
    return None


# Microsoft Entra: learn.microsoft.com/entra/identity-platform, "Access token claims reference",
# "Validate tokens", "ID token claims reference".
ENTRA: Final = replace(
    RFC9068,
    name="entra",
    types=frozenset({"jwt"}),
    algorithms=frozenset({"RS256"}),
    required_claims=frozenset({"iss", "exp", "iat", "nbf", "aud", "sub", "tid", "ver"}),
    required_alternatives=(
        # The client: `appid` in v1.0 tokens, `azp` in v2.0.
        ("azp", "appid"),
        # Any app of the tenant gets a token for any API of it; only one of these says that it
        # may do something there.
        ("scp", "roles"),
    ),
    # With v2.0 the audience of an API is its client id, and so is that of ID tokens of its own
    # sign-ins; those have neither claim.
    access_token_claims=frozenset({"azp", "appid"}),
    mapping=replace(
        _RFC9068_CLAIMS,
        client_id=(_path("azp"), _path("appid")),
        token_id=_path("uti"),
        oauth_scope=(_path("scp"),),
    ),
    complain=_complain_of_entra,
)


def _complain_of_okta(identifier: str | None, _: frozenset[str]) -> str | None:
    if "/oauth2/" not in urlsplit(identifier or "").path + "/":
        return (
            "this is Okta's org authorization server, whose tokens Okta alone can validate: use "
            "a custom one, https://.../oauth2/default or the like"
        )
    return None


# Okta: developer.okta.com, "OpenID Connect & OAuth 2.0 API", "Access token payload";
# support.okta.com, "The typ field is missing from the access token header".
OKTA: Final = replace(
    RFC9068,
    name="okta",
    types=_UNTYPED | {"at+jwt"},  # never application/okta-internal-at+jwt
    algorithms=frozenset({"RS256"}),
    required_claims=frozenset({"iss", "exp", "aud", "sub", "iat", "jti", "ver", "cid"}),
    access_token_claims=frozenset({"cid"}),
    mapping=replace(
        _RFC9068_CLAIMS,
        roles=(),
        groups=None,
        client_id=(_path("cid"),),
        oauth_scope=(_path("scp"),),
    ),
    complain=_complain_of_okta,
)


def _complain_of_auth0(identifier: str | None, audiences: frozenset[str]) -> str | None:
    if f"{(identifier or '').rstrip('/')}/userinfo" in audiences:
        return "every token with the scope openid names /userinfo: write the API's identifier"
    return None


# Auth0: auth0.com/docs/secure/tokens/access-tokens/access-token-profiles.
AUTH0: Final = replace(
    RFC9068,
    name="auth0",
    types=frozenset({"jwt", "at+jwt"}),  # at+jwt with the "RFC 9068" token profile
    algorithms=frozenset({"RS256", "PS256"}),
    # No jti in the default profile.
    required_claims=frozenset({"iss", "exp", "aud", "sub", "iat"}),
    required_alternatives=(("azp", "client_id"),),
    mapping=replace(
        _RFC9068_CLAIMS,
        # `permissions` (RBAC) are not roles; `roles = permissions` makes them such.
        roles=(),
        groups=None,
        client_id=(_path("client_id"), _path("azp")),
    ),
    complain=_complain_of_auth0,
)

# Kubernetes: kubernetes.io/docs/reference/access-authn-authz, "Authenticating", "Managing
# Service Accounts" (schema of bound tokens); KEP-1205.
KUBERNETES: Final = replace(
    RFC9068,
    name="kubernetes",
    is_authorization_server=False,
    types=_UNTYPED,  # none is written
    algorithms=frozenset({"RS256", "RS384", "RS512", "ES256", "ES384", "ES512"}),
    required_claims=frozenset({"iss", "exp", "aud", "sub", "iat", "nbf", "kubernetes.io"}),
    subject_prefix="system:serviceaccount:",
    # The user name by which Kubernetes itself knows a service account is the subject.
    mapping=replace(_WORKLOAD_CLAIMS, user_name=_path("sub")),
)

# GitHub Actions: docs.github.com/actions/reference/security/oidc.
GITHUB: Final = replace(
    RFC9068,
    name="github",
    is_authorization_server=False,
    types=frozenset({"jwt"}),
    algorithms=frozenset({"RS256"}),
    required_claims=frozenset({"iss", "exp", "aud", "sub", "iat", "nbf", "jti", "repository"}),
    # Anybody's workflow gets a token for any audience it asks for, and may call its environment
    # "production": only what names the repository or its owner says whose it is.
    pins=frozenset(
        {
            *("repository", "repository_id", "repository_owner", "repository_owner_id"),
            *("job_workflow_ref", "enterprise_id", "sub"),
        }
    ),
    mapping=_WORKLOAD_CLAIMS,
)

# SPIFFE: github.com/spiffe/spiffe, standards/JWT-SVID.md, §2 and §3.
SPIFFE: Final = replace(
    RFC9068,
    name="spiffe",
    is_authorization_server=False,
    types=_UNTYPED | {"jose"},  # §2.3
    algorithms=frozenset(
        family + size for family in ("RS", "PS", "ES") for size in ("256", "384", "512")
    ),  # §2.1
    required_claims=frozenset({"exp", "aud", "sub"}),  # §3; `iss` and `iat` are optional
    subject_prefix="spiffe://",  # §3.1
    needs_identifier=False,
    mapping=_WORKLOAD_CLAIMS,
)

# Opaque tokens: RFC 7662 §2.2. Only `active` is required in an answer; an authorization server
# answers for the resource server that asks, and many name no audience.
INTROSPECTION: Final = replace(
    RFC9068,
    name="introspection",
    types=frozenset(),
    algorithms=frozenset(),
    required_claims=frozenset(),
    needs_identifier=False,
    needs_audience=False,
    is_introspected=True,
    # Not every server names a `sub`, and there is no other claim to take for it: `client_id` may
    # be the application that thousands of users log in to, `username` may be anybody's choice.
    mapping=replace(_RFC9068_CLAIMS, user_name=_path("username")),
)

# What keystonemiddleware's external_oauth2_token filter takes an answer for (its options
# mapping_*): the authorization server has decided that the token is for this service, roles are one
# string, and a token without a project is scoped to the domain that its project would be in.
EXT_OAUTH2: Final = replace(
    INTROSPECTION,
    name="ext-oauth2",
    checks_audience=False,
    # That filter never encoded them, so these servers take them as they are.
    encodes_basic=False,
    mapping=replace(
        _RFC9068_CLAIMS,
        user_id=(_path("client_id"),),
        user_name=_path("username"),
        roles=(),
        groups=None,
        role_separator=",",
        required=("user_name", "user_domain_id", "user_domain_name", "roles", "scope"),
        takes_first_scope=True,
        assumed_admin_project=None,  # it says nothing, unless a role is "admin"
    ),
)

PROFILES: Final[Mapping[str, Profile]] = MappingProxyType(
    {
        profile.name: profile
        for profile in (
            *(RFC9068, KEYSTONE, KEYSTONE_OP, KEYCLOAK, ENTRA, OKTA, AUTH0),
            *(KUBERNETES, GITHUB, SPIFFE, INTROSPECTION, EXT_OAUTH2),
        )
    }
)
"""Every profile, by the value of the option `profile`."""
