"""The record of one issuer: how its tokens are recognised, checked and understood."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from authmw.issuers.claims_path import ClaimsPath

ClaimValues = tuple[tuple[ClaimsPath, frozenset[str]], ...]
"""Pairs of a claim and the strings that it may be."""

Rule = Callable[[Mapping[str, object]], None]
"""Checks verified claims; raises InvalidToken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimsMapping:
    """Which claim says what of the bearer; None or empty: no claim does.

    What is not mapped is absent from the token body, never guessed from something else.

    Attributes:
        user_id: the first that is there; without one there is no token body.
        system_scope: true or "all" where the token is for the deployment as a whole.
        roles: arrays of names or of objects, or a single name; joined in this order.
        role_references: an array of objects with `id` and `name`, which give names in `roles`
            their ids.
        groups: an array of ids or of objects, or a single id.
        methods: how the user authenticated (`amr`, RFC 8176).
        client_id: the client that the token was issued to; the first that is there.
        token_id: what no two tokens have in common, `jti`.
        oauth_scope: OAuth scope, a string with spaces (RFC 6749 §3.3) or an array; the first
            that is there.
        is_admin_project: true or false.
        role_separator: what joins names in a role claim that is one string; None: it is one name.
        required: names of attributes here, and "scope", without whose values a token is refused.
        takes_first_scope: whether of system, project and domain the first counts that is there;
            else a token with two of them is refused.
        assumed_admin_project: what counts where no claim says; None leaves it to Keystone's
            rule, by which a token that does not say acts in the admin project.
    """

    user_id: tuple[ClaimsPath, ...]
    user_name: ClaimsPath | None = None
    user_domain_id: ClaimsPath | None = None
    user_domain_name: ClaimsPath | None = None
    project_id: ClaimsPath | None = None
    project_name: ClaimsPath | None = None
    project_domain_id: ClaimsPath | None = None
    project_domain_name: ClaimsPath | None = None
    domain_id: ClaimsPath | None = None
    domain_name: ClaimsPath | None = None
    system_scope: ClaimsPath | None = None
    roles: tuple[ClaimsPath, ...] = ()
    role_references: ClaimsPath | None = None
    groups: ClaimsPath | None = None
    methods: ClaimsPath | None = None
    client_id: tuple[ClaimsPath, ...] = ()
    token_id: ClaimsPath | None = None
    oauth_scope: tuple[ClaimsPath, ...] = ()
    is_admin_project: ClaimsPath | None = None
    role_separator: str | None = None
    required: tuple[str, ...] = ()
    takes_first_scope: bool = False
    assumed_admin_project: bool | None = False

    @property
    def has_scope(self) -> bool:
        """Whether a token can name a project, a domain or the system as its scope."""
        scopes = (self.project_id, self.domain_id, self.system_scope)
        return any(path is not None for path in scopes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What tokens of one kind of issuer look like: a row of `profiles.PROFILES`.

    Attributes:
        name: as in the option `profile`.
        types: values of the header parameter `typ`, in lower case and without "application/"
            (RFC 7515 §4.1.9); None: it may be absent.
        algorithms: values of `alg` (RFC 7518 §3.1); empty where tokens are opaque.
        is_kid_required: whether a token without `kid` is refused.
        required_claims: claims that every token has.
        required_alternatives: groups of claims of which every token has at least one.
        claim_values: what certain claims must say.
        id_token_claims: claims that only ID tokens have.
        id_token_values: what certain claims say in ID tokens.
        access_token_claims: claims of which every access token has one and no ID token any.
        subject_prefix: what `sub` begins with.
        rules: further checks.
        mapping: of claims to the token body; None where the token body comes from somewhere
            else (`jws_authority`).
        needs_identifier: whether an issuer identifier must be configured.
        needs_audience: whether an audience must be configured.
        checks_audience: whether `aud` must name an audience; False only where the issuer decides
            for the service that asks whether a token is for it.
        expires_at: another claim than `exp` with the time of expiry; the earlier counts.
        encodes_basic: see `authmw.issuers.client_authentication.OAuthClient`.
        is_introspected: whether tokens are opaque and the issuer is asked (RFC 7662).
        pins: claims of which at least one must have its value configured.
        complain: given an issuer identifier (or None) and the audiences, returns what is wrong
            with them and what to write, or None.
        derive_audience: given an issuer identifier, returns the only audience it can have.
        keys_path: appended to the issuer identifier, where the JWK set is; None: the discovery
            document says (RFC 8414 §2).
        is_authorization_server: whether clients can ask it for a token (RFC 6749); others make
            tokens for workloads that run with them.
        revocation_list_path: likewise, where the ids of revoked tokens are published.
        stands_for_keystone: whether its tokens are those of Keystone, in another form.
    """

    name: str
    types: frozenset[str | None]
    algorithms: frozenset[str]
    is_kid_required: bool = False
    required_claims: frozenset[str] = frozenset()
    required_alternatives: tuple[tuple[str, ...], ...] = ()
    claim_values: ClaimValues = ()
    id_token_claims: frozenset[str] = frozenset()
    id_token_values: ClaimValues = ()
    access_token_claims: frozenset[str] = frozenset()
    subject_prefix: str | None = None
    rules: tuple[Rule, ...] = ()
    mapping: ClaimsMapping | None = None
    needs_identifier: bool = True
    needs_audience: bool = True
    checks_audience: bool = True
    expires_at: ClaimsPath | None = None
    encodes_basic: bool = True
    is_introspected: bool = False
    pins: frozenset[str] = frozenset()
    complain: Callable[[str | None, frozenset[str]], str | None] | None = None
    derive_audience: Callable[[str], str | None] | None = None
    keys_path: str | None = None
    is_authorization_server: bool = True
    revocation_list_path: str | None = None
    stands_for_keystone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """One issuer. Its keys are bound to it: they verify no other issuer's tokens.

    An issuer URL with variables in it (Entra's tenants, a domain's OP) stands for several of
    these, one for each permitted value: to find a token's issuer is then one exact comparison,
    and each has its own keys and its own audience.

    Attributes:
        name: of its section in the configuration; logs and errors name it.
        identifier: what `iss` says (RFC 8414 §2); None where tokens have none.
        profile: what its tokens look like, with what the operator changed.
        audiences: what `aud` must name one of; empty: tokens that have an `aud` are refused
            (RFC 7519 §4.1.3).
        pinned: claims that must have one of the configured values.
        trust_domain: of a SPIFFE issuer without `iss`, whose tokens are known by their `sub`.
        skew_seconds: how far its clock may be ahead of ours; for `iat` and `nbf`, never `exp`.
    """

    name: str
    identifier: str | None
    profile: Profile
    audiences: frozenset[str] = frozenset()
    pinned: ClaimValues = ()
    trust_domain: str | None = None
    skew_seconds: int = 5

    @property
    def key(self) -> str:
        """What names it among all issuers: its identifier, or else how its tokens are known."""
        if self.identifier is None or self.profile.is_introspected:
            # Beside its opaque tokens an issuer may make signed ones.
            return f"{self.profile.name} {self.trust_domain or self.name}"
        return self.identifier

    @property
    def keys_uri(self) -> str | None:
        """Where its JWK set is; None: look into its discovery document."""
        return self._append(self.profile.keys_path)

    @property
    def revocation_list_uri(self) -> str | None:
        """Where the ids of its revoked tokens are published; None: nowhere."""
        return self._append(self.profile.revocation_list_path)

    def _append(self, path: str | None) -> str | None:
        return None if path is None or self.identifier is None else self.identifier + path
