"""The table of options of one issuer, in a section `[authmw_issuer:NAME]` for each.

`authmw.config.issuers` reads them, and the sample configuration is generated from them.
"""

from __future__ import annotations

import copy

from oslo_config import cfg

from authmw.config.types import IntOpt, ListOpt, ListsOpt, StrOpt

_CLAIM = "A dot leads into an object (realm_access.roles), a slash where names have dots in them."

RECOGNITION_OPTIONS: tuple[cfg.Opt, ...] = (
    StrOpt(
        "issuer",
        help="The issuer identifier: what `iss` says in its tokens, letter for letter. Its "
        "discovery document, and in it the keys, are found by it (RFC 8414), unless jwks_uri or "
        "public_key_repository is set. Where one provider has an issuer for each tenant, a "
        "variable may stand for the tenant, as in https://login.example/{tenant}; "
        "issuer_variables then lists the tenants.",
    ),
    ListOpt(
        "audience",
        help="What `aud` says in tokens that are for this service; one of several is enough. "
        "There is no default: a service that accepts tokens for other services can be used "
        "against them.",
    ),
    StrOpt(
        "profile",
        default="rfc9068",
        help="What kind of issuer it is: rfc9068 (an OAuth2 server that conforms to RFC 9068), "
        "keystone-op, keycloak, entra, okta, auth0, kubernetes, github, spiffe, or introspection "
        "for opaque tokens, about which the issuer is asked (RFC 7662); ext-oauth2 reads the "
        "answers as keystonemiddleware's external_oauth2_token does.",
    ),
    ListsOpt(
        "issuer_variables",
        help="The permitted values of each variable in issuer, as "
        "tenant:11111111-2222-4333-8444-555555555555, tenant:contoso.example. In audience they "
        "are filled in.",
    ),
    StrOpt(
        "trust_domain",
        help="With profile = spiffe, in place of issuer: the trust domain whose JWT-SVIDs are "
        "accepted. They have no `iss`.",
    ),
    ListsOpt(
        "required_values",
        help="Claims that must have a certain value, or one of several, as "
        "repository:acme/inventory, environment:production. With profile = github at least one "
        "that names a repository or its owner.",
    ),
)

SIGNATURE_OPTIONS: tuple[cfg.Opt, ...] = (
    StrOpt(
        "jwks_uri",
        help="Where its public keys are, if its discovery document does not say, or it has none.",
    ),
    StrOpt(
        "public_key_repository",
        help="Directory with its public keys (PEM, JWK or JWK sets), in place of jwks_uri: "
        "nobody is asked then.",
    ),
    ListOpt(
        "algorithms",
        help="Signature algorithms that are accepted, if fewer or others than usual with this "
        "profile.",
    ),
    ListOpt(
        "types",
        help="Values of the header parameter `typ` that are accepted, if others than usual with "
        "this profile; none stands for a header without it.",
    ),
)

CONNECTION_OPTIONS: tuple[cfg.Opt, ...] = (
    StrOpt(
        "cafile",
        help="PEM file with the certificate authorities trusted for this issuer's servers, or a "
        "directory of them. Unset uses cafile and insecure of [keystone_authtoken].",
    ),
    StrOpt(
        "certfile",
        help="PEM file with the client certificate for this issuer's servers (mutual TLS). Unset "
        "uses certfile and keyfile of [keystone_authtoken].",
    ),
    StrOpt(
        "keyfile", help="PEM file with the private key of certfile, if certfile does not hold it."
    ),
    StrOpt(
        "bearer_token_file",
        help="File with a bearer token that is sent for this issuer's discovery document and keys, "
        "as API servers of Kubernetes want it: "
        "/var/run/secrets/kubernetes.io/serviceaccount/token. It is read for each request, since "
        "it rotates.",
    ),
)

CLAIM_OPTIONS: tuple[cfg.Opt, ...] = (
    ListOpt(
        "user_id",
        help=f"The claim with the user's id, or several of which the first counts. {_CLAIM}",
    ),
    StrOpt("user_name", help="The claim with the user's name."),
    StrOpt("user_domain_id", help="The claim with the id of the user's domain."),
    StrOpt("user_domain_name", help="The claim with the name of the user's domain."),
    ListOpt(
        "roles",
        help="The claims with the user's roles: lists of names, or of objects with name and id. "
        "Here, as in the other options that name a claim, none stands for no claim.",
    ),
    StrOpt("groups", help="The claim with the ids of the user's groups."),
    ListOpt(
        "oauth_scope",
        help="The claim with the OAuth scope, or several of which the first counts.",
    ),
    StrOpt(
        "project_id",
        help="The claim with the id of the project that the token is scoped to. Without one, "
        "tokens are unscoped.",
    ),
    StrOpt("project_name", help="The claim with the name of that project."),
    StrOpt("project_domain_id", help="The claim with the id of that project's domain."),
    StrOpt("project_domain_name", help="The claim with the name of that project's domain."),
    StrOpt("domain_id", help="The claim with the id of the domain that the token is scoped to."),
    StrOpt("domain_name", help="The claim with the name of that domain."),
    StrOpt(
        "system_scope", help="The claim that is true or all in tokens for the whole deployment."
    ),
    StrOpt(
        "is_admin_project", help="The claim that says whether the project is the admin project."
    ),
)

INTROSPECTION_OPTIONS: tuple[cfg.Opt, ...] = (
    StrOpt(
        "introspection_endpoint",
        help="Where the issuer is asked about opaque tokens (profile = introspection), if its "
        "discovery document does not say, or it has none.",
    ),
    StrOpt("client_id", help="The id that the issuer knows this service by."),
    StrOpt("client_secret", secret=True, help="The secret of client_id."),
    StrOpt(
        "auth_method",
        default="client_secret_basic",
        help="How this service authenticates itself to the issuer: client_secret_basic, "
        "client_secret_post, client_secret_jwt, private_key_jwt or tls_client_auth (with "
        "certfile).",
    ),
    StrOpt(
        "jwt_key_file",
        help="PEM file with the private key that signs assertions, with private_key_jwt.",
    ),
    StrOpt(
        "jwt_algorithm",
        help="The algorithm of assertions, with client_secret_jwt (HS256, HS384, HS512) and "
        "private_key_jwt (ES256, RS256, PS256 and their like).",
    ),
    StrOpt("expires_at", help="The claim with the time of expiry, if the answer has no exp."),
    StrOpt("jwt_key_id", help="The `kid` of assertions, if the issuer wants one."),
    IntOpt(
        "assertion_lifetime",
        unit="seconds",
        min=1,
        default=60,
        help="Seconds for which an assertion is good (client_secret_jwt, private_key_jwt). Each is "
        "used once, at once.",
    ),
    StrOpt(
        "assertion_audience",
        help="The `aud` of assertions, if not the issuer identifier: some issuers want the URL of "
        "an endpoint.",
    ),
)

ISSUER_OPTIONS: tuple[cfg.Opt, ...] = (
    *RECOGNITION_OPTIONS,
    *SIGNATURE_OPTIONS,
    *CONNECTION_OPTIONS,
    *CLAIM_OPTIONS,
    *INTROSPECTION_OPTIONS,
)


def list_issuer_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Return (group, options) of an example issuer, for oslo-config-generator.

    Entry point `oslo.config.opts`. The options are copies, which the caller may change.
    """
    return [("authmw_issuer:acme", copy.deepcopy(list(ISSUER_OPTIONS)))]
