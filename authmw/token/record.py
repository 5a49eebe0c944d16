"""The record of one validated token: who is calling, in which scope, with which roles.

A `Token` is made once per token string and read by every request with that string. It refers to
a `Principal`, which all tokens of one user, scope and delegation share, and holds the token's own
times and audit ids. Nothing here does I/O or reads a clock.
"""

from __future__ import annotations

import hashlib
import marshal
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from authmw.errors import MalformedBody
from authmw.token import headers
from authmw.token.access_rules import AccessRule
from authmw.token.bearer_key import digest_bearer
from authmw.token.body import (
    parse_access_rules,
    parse_is_admin_project,
    parse_oauth1,
    parse_roles,
    parse_scope,
    parse_time,
    parse_trust,
    parse_user,
    read_optional,
    read_required,
    read_strings,
    read_thumbprint,
    read_time,
    render_time,
    share_members,
)
from authmw.token.catalog import ServiceCatalog
from authmw.token.oauth import NO_CLAIMS, OAuthAccess
from authmw.token.parts import (
    DomainScope,
    OAuth1Access,
    ProjectScope,
    Role,
    Scope,
    SystemScope,
    Trust,
    Unscoped,
    User,
)
from authmw.token.read_only import ReadOnlyDict, ReadOnlyList
from authmw.token.shared_body import SharedBody, SharedMembers

__all__ = [
    "DomainScope",
    "MalformedBody",
    "OAuth1Access",
    "Principal",
    "ProjectScope",
    "Role",
    "Scope",
    "SystemScope",
    "Token",
    "Trust",
    "Unscoped",
    "User",
    "parse_time",
    "render_time",
]

# The members of a token body that differ between tokens of one principal.
_OWN_MEMBERS = frozenset(
    {"methods", "audit_ids", "issued_at", "expires_at", "oauth2_credential", "catalog"}
)
# The record, its body without the shared members, and its strings, in bytes.
_OWN_SIZE = 1300


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Principal:
    """Who is calling, in which scope, with which roles: the same for many tokens.

    `from_body` returns the existing principal while a token refers to one with equal members,
    whether they came from the endpoint, from memcached or with another token.

    Attributes:
        access_rules: of an application credential; None: nothing is restricted.
        bind: the token's binding (mechanism to identifier), empty if there is none.
        bearer_digest: identifies its bearer; see `authmw.token.bearer_key`.
        user_environ, service_environ: the rendered headers, as environ entries; read-only.
        size: the memory its own parts take, in bytes, roughly; the catalog is not in it.
    """

    user: User
    scope: Scope
    roles: tuple[Role, ...]
    is_admin_project: bool
    catalog: ServiceCatalog | None
    trust: Trust | None
    oauth1: OAuth1Access | None
    application_credential_id: str | None
    access_rules: tuple[AccessRule, ...] | None
    bind: Mapping[str, object]
    bearer_digest: str = field(repr=False, compare=False)
    user_environ: Mapping[str, str] = field(init=False, repr=False, compare=False)
    service_environ: Mapping[str, str] = field(init=False, repr=False, compare=False)
    size: int = field(init=False, repr=False, compare=False)
    _shared_members: SharedMembers = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        user_environ = headers.render_user(self)
        text = sum(map(len, user_environ.values()))
        if self.catalog is not None:
            text -= len(self.catalog.header)
        # Read-only: apps reach them through `authmw.token`, and later requests get them.
        service_environ = headers.render_service(user_environ)
        object.__setattr__(self, "user_environ", ReadOnlyDict(user_environ))
        object.__setattr__(self, "service_environ", ReadOnlyDict(service_environ))
        object.__setattr__(self, "size", 4000 + 2 * text + self._shared_members.size)

    @classmethod
    def from_body(cls, body: Mapping[str, object], catalog: ServiceCatalog | None) -> Principal:
        """Read the principal of a v3 token body.

        Args:
            body: the object under "token" in an answer of the Identity API v3.
            catalog: its service catalog, parsed; `body["catalog"]` is ignored.

        Raises:
            MalformedBody: a member is missing or of the wrong type.
            InvalidToken: (unsafe_value) no header can hold one of its names.
        """
        shared = {name: value for name, value in body.items() if name not in _OWN_MEMBERS}
        try:
            digest = hashlib.sha256(marshal.dumps(shared, 0)).digest()
        except ValueError:  # values that JSON does not have, or nested too deep
            return cls._parse(body, catalog, shared)
        known = _principal_by_digest.get(digest)
        if known is None or known.catalog is not catalog:
            known = _principal_by_digest[digest] = cls._parse(body, catalog, shared)
        return known

    @classmethod
    def _parse(
        cls,
        body: Mapping[str, object],
        catalog: ServiceCatalog | None,
        shared: Mapping[str, object],
    ) -> Principal:
        bind = read_optional(body, "bind", dict) or {}
        application_credential = read_optional(body, "application_credential", dict)
        return cls(
            user=parse_user(read_required(body, "user", dict)),
            scope=parse_scope(body),
            roles=parse_roles(read_optional(body, "roles", list) or []),
            is_admin_project=parse_is_admin_project(body),
            catalog=catalog,
            trust=parse_trust(read_optional(body, "OS-TRUST:trust", dict)),
            oauth1=parse_oauth1(read_optional(body, "OS-OAUTH1", dict)),
            application_credential_id=(
                None
                if application_credential is None
                else read_optional(application_credential, "id", str)
            ),
            access_rules=(
                None
                if application_credential is None
                else parse_access_rules(application_credential.get("access_rules"))
            ),
            bind=ReadOnlyDict(bind),
            _shared_members=share_members(shared),
            bearer_digest=digest_bearer(shared),
        )

    @property
    def project_id(self) -> str | None:
        return self.scope.id if isinstance(self.scope, ProjectScope) else None

    @property
    def project_name(self) -> str | None:
        return self.scope.name if isinstance(self.scope, ProjectScope) else None

    @property
    def project_domain_id(self) -> str | None:
        return self.scope.domain_id if isinstance(self.scope, ProjectScope) else None

    @property
    def project_domain_name(self) -> str | None:
        return self.scope.domain_name if isinstance(self.scope, ProjectScope) else None

    @property
    def domain_id(self) -> str | None:
        return self.scope.id if isinstance(self.scope, DomainScope) else None

    @property
    def domain_name(self) -> str | None:
        return self.scope.name if isinstance(self.scope, DomainScope) else None

    @property
    def system_scope(self) -> str | None:
        return "all" if isinstance(self.scope, SystemScope) else None

    @property
    def role_names(self) -> frozenset[str]:
        return frozenset(role.name for role in self.roles)


# Principals in use, by a digest of the members they were read from, which may be large. marshal
# takes a third of the time of JSON, and is safe here, since its output is never read back. Its
# version 0 writes equal members alike, however often they are referred to.
_principal_by_digest: weakref.WeakValueDictionary[bytes, Principal] = weakref.WeakValueDictionary()


@dataclass(frozen=True, slots=True)
class Token:
    """One validated token.

    Attributes:
        principal: who is calling.
        methods: how the user authenticated.
        audit_ids: the token's own audit id, then that of the first of its chain.
        issued_at, expires_at: epoch seconds, truncated.
        answered_at: epoch seconds when the token itself was validated: when the identity
            endpoint answered about it, or when its signature was verified.
        fresh_until: epoch seconds up to which this record is used without another validation.
        usable_until: epoch seconds up to which it may be used while validation is impossible.
        signed_by: the thumbprint (RFC 7638) of the public key that verified its signature;
            None where the identity endpoint, or an issuer that was asked, vouches for it.
        issuer: what names the issuer whose keys and rules decide about it (`Issuer.key`); None:
            Keystone's do.
        thumbprint: `x5t#S256` of the certificate it is bound to (RFC 8705 §3.1), if it is.
        is_bound: whether it is bound to anything; see `authmw.checks.token_bind` and
            `authmw.checks.dpop`.
        oauth: what an OAuth access token says beyond its body; None for Keystone's tokens.
        unconditional_until: epoch seconds up to which it is fresh and not expired, for every
            request; 0 if access rules or a binding must be checked.
        user_environ: the principal's.
        shared_body: the v3 body, read-only; requests copy it.

    The last three are derived from the others, so that a request whose token is known reads this
    object alone.
    """

    principal: Principal
    methods: tuple[str, ...]
    audit_ids: tuple[str, ...]
    issued_at: int
    expires_at: int
    answered_at: int
    fresh_until: int
    usable_until: int
    signed_by: str | None
    thumbprint: str | None
    is_bound: bool
    _issued_text: str = field(repr=False, compare=False)
    _expires_text: str = field(repr=False, compare=False)
    issuer: str | None = None
    oauth: OAuthAccess | None = None
    unconditional_until: int = field(init=False, repr=False, compare=False)
    user_environ: Mapping[str, str] = field(init=False, repr=False, compare=False)
    shared_body: SharedBody = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        principal = self.principal
        is_restricted = self.is_bound or principal.access_rules is not None
        until = 0 if is_restricted else min(self.fresh_until, self.expires_at)
        object.__setattr__(self, "unconditional_until", until)
        object.__setattr__(self, "user_environ", principal.user_environ)
        own: dict[str, Any] = {
            "methods": ReadOnlyList(self.methods),
            "audit_ids": ReadOnlyList(self.audit_ids),
            "issued_at": self._issued_text,
            "expires_at": self._expires_text,
        }
        if self.thumbprint is not None:
            own["oauth2_credential"] = ReadOnlyDict({"x5t#S256": self.thumbprint})
        catalog = principal.catalog
        services = None if catalog is None else catalog.services
        body = SharedBody(own, principal._shared_members, services)
        object.__setattr__(self, "shared_body", body)

    def __reduce__(self) -> tuple[type[Token], tuple[Any, ...]]:
        # A copy is made by __init__: copies of read-only members would be mutable.
        return Token, tuple([getattr(self, each.name) for each in fields(self) if each.init])

    @classmethod
    def from_body(
        cls,
        body: Mapping[str, object],
        catalog: ServiceCatalog | None,
        *,
        answered_at: int,
        fresh_until: int,
        usable_until: int,
        oauth: OAuthAccess | None = None,
    ) -> Token:
        """Read a whole v3 token body; for arguments and errors see `Principal.from_body`."""
        issued_text, issued_at = read_time(body, "issued_at")
        expires_text, expires_at = read_time(body, "expires_at")
        principal = Principal.from_body(body, catalog)
        thumbprint = read_thumbprint(body)
        return cls(
            principal=principal,
            methods=read_strings(body, "methods"),
            audit_ids=read_strings(body, "audit_ids"),
            issued_at=issued_at,
            expires_at=expires_at,
            answered_at=answered_at,
            fresh_until=fresh_until,
            usable_until=usable_until,
            signed_by=None,
            thumbprint=thumbprint,
            is_bound=_is_bound(principal, thumbprint, oauth),
            _issued_text=issued_text,
            _expires_text=expires_text,
            oauth=oauth,
        )

    @classmethod
    def of_principal(
        cls,
        principal: Principal,
        *,
        methods: tuple[str, ...],
        audit_ids: tuple[str, ...],
        issued_at: int,
        expires_at: int,
        thumbprint: str | None,
        answered_at: int,
        fresh_until: int,
        usable_until: int,
        signed_by: str,
        issuer: str | None = None,
        oauth: OAuthAccess | None = None,
    ) -> Token:
        """Make the Token of a signed token whose principal is known; arguments: the attributes."""
        return cls(
            principal=principal,
            methods=methods,
            audit_ids=audit_ids,
            issued_at=issued_at,
            expires_at=expires_at,
            answered_at=answered_at,
            fresh_until=fresh_until,
            usable_until=usable_until,
            signed_by=signed_by,
            thumbprint=thumbprint,
            is_bound=_is_bound(principal, thumbprint, oauth),
            _issued_text=render_time(issued_at),
            _expires_text=render_time(expires_at),
            issuer=issuer,
            oauth=oauth,
        )

    @property
    def user(self) -> User:
        return self.principal.user

    @property
    def scope(self) -> Scope:
        return self.principal.scope

    @property
    def roles(self) -> tuple[Role, ...]:
        return self.principal.roles

    @property
    def catalog(self) -> ServiceCatalog | None:
        return self.principal.catalog

    @property
    def size(self) -> int:
        """The memory it takes, in bytes, roughly, its principal included."""
        oauth = self.oauth
        return self.principal.size + _OWN_SIZE + (0 if oauth is None else oauth.size)

    @property
    def client_id(self) -> str | None:
        """The OAuth client that it was issued to; None where the token does not say."""
        return None if self.oauth is None else self.oauth.client_id

    @property
    def oauth_scope(self) -> frozenset[str]:
        """The values of its OAuth scope (RFC 6749 §3.3); empty for Keystone's tokens."""
        return frozenset() if self.oauth is None else self.oauth.scope

    @property
    def claims(self) -> Mapping[str, Any]:
        """The claims of an issuer's token, read-only at every depth; empty for Keystone's."""
        return NO_CLAIMS if self.oauth is None else self.oauth.claims

    @property
    def audit_id(self) -> str | None:
        """The id that names this token in logs."""
        return self.audit_ids[0] if self.audit_ids else None

    def to_token_info(self) -> dict[str, Any]:
        """Return `{"token": body}` with a copy of the v3 body that the caller may change.

        Only its catalog is shared, and read-only.
        """
        return {"token": self.shared_body.to_mutable()}


def _is_bound(principal: Principal, thumbprint: str | None, oauth: OAuthAccess | None) -> bool:
    return (
        thumbprint is not None
        or bool(principal.bind)
        or (oauth is not None and oauth.key_thumbprint is not None)
    )
