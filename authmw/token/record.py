"""The record of one validated token: who is calling, in which scope, with which roles.

A `Token` is made once per token string and read by every request with that string. It refers to
a `Principal`, which all tokens of one user, scope and delegation share, and holds the token's own
times and audit ids. Nothing here does I/O or reads a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, cast

from authmw.errors import MalformedBody
from authmw.token.body import parse_time, read_strings, read_thumbprint, read_time, render_time
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
from authmw.token.principal import Principal
from authmw.token.read_only import ReadOnlyDict, ReadOnlyList
from authmw.token.shared_body import SharedBody

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

S = TypeVar("S", ProjectScope, DomainScope)

# The record, its body without the shared members, and its strings, in bytes.
_OWN_SIZE = 1300


class _Fields:
    """The fields of a `Token` while it is made.

    A frozen dataclass sets each of its fields by a call of `object.__setattr__`: half of the time
    that a Token takes to make. These are set by plain assignments; then the object becomes a
    `Token`, which adds no fields and is frozen.
    """

    __slots__ = (
        "_expires_text",
        "_issued_text",
        "answered_at",
        "audit_ids",
        "expires_at",
        "fresh_until",
        "is_bound",
        "issued_at",
        "issuer",
        "methods",
        "oauth",
        "principal",
        "revision",
        "shared_body",
        "signed_by",
        "thumbprint",
        "unconditional_until",
        "usable_until",
        "user_environ",
    )

    def become_token(
        self,
        principal: Principal,
        methods: tuple[str, ...],
        audit_ids: tuple[str, ...],
        issued_at: int,
        expires_at: int,
        answered_at: int,
        fresh_until: int,
        usable_until: int,
        signed_by: str | None,
        thumbprint: str | None,
        issued_text: str,
        expires_text: str,
        issuer: str | None,
        oauth: OAuthAccess | None,
        revision: str | None,
    ) -> Token:
        """Set all fields; arguments: those of `Token`."""
        self.principal = principal
        self.methods = methods
        self.audit_ids = audit_ids
        self.issued_at = issued_at
        self.expires_at = expires_at
        self.answered_at = answered_at
        self.fresh_until = fresh_until
        self.usable_until = usable_until
        self.signed_by = signed_by
        self.thumbprint = thumbprint
        self._issued_text = issued_text
        self._expires_text = expires_text
        self.issuer = issuer
        self.oauth = oauth
        self.revision = revision
        self.user_environ = principal.user_environ
        self.is_bound = is_bound = (
            thumbprint is not None
            or bool(principal.bind)
            or (oauth is not None and oauth.key_thumbprint is not None)
        )
        if is_bound or principal.access_rules is not None:
            self.unconditional_until = 0
        else:
            self.unconditional_until = fresh_until if fresh_until < expires_at else expires_at
        own: dict[str, Any] = {
            "methods": ReadOnlyList(methods),
            "audit_ids": ReadOnlyList(audit_ids),
            "issued_at": issued_text,
            "expires_at": expires_text,
        }
        if thumbprint is not None:
            own["oauth2_credential"] = ReadOnlyDict({"x5t#S256": thumbprint})
        catalog = principal.catalog
        services = None if catalog is None else catalog.services
        self.shared_body = SharedBody(own, principal._shared_members, services)
        self.__class__ = Token
        return cast(Token, self)


@dataclass(frozen=True, slots=True, init=False)
class Token(_Fields):
    """One validated token: of the user who calls, on one scope, with roles there.

    The properties `user`, `scope`, `project`, `domain`, `roles` and `role_names` say who is calling
    and in which scope; `catalog`, `client_id`, `oauth_scope`, `claims` and `audit_id` the rest.

    Attributes:
        principal: who is calling, in which scope, with which roles: what the properties are of.
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
        revision: of the authority bundle that its user, scope and roles are from: its number and
            the first digits of its state digest, such as `17-9f86d081884c7d65`, followed by
            `+42` if revision 42 was known to have the same facts; None: they are from another
            source (`jws_authority`).
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
    _issued_text: str = field(repr=False, compare=False)
    _expires_text: str = field(repr=False, compare=False)
    issuer: str | None = None
    oauth: OAuthAccess | None = None
    revision: str | None = None
    is_bound: bool = field(init=False, repr=False, compare=False)
    unconditional_until: int = field(init=False, repr=False, compare=False)
    user_environ: Mapping[str, str] = field(init=False, repr=False, compare=False)
    shared_body: SharedBody = field(init=False, repr=False, compare=False)

    def __init__(self, **values: Any) -> None:
        # For `dataclasses.replace`; `from_body` and `of_principal` take the short way.
        object.__setattr__(self, "__class__", _Fields)
        values["issued_text"] = values.pop("_issued_text")
        values["expires_text"] = values.pop("_expires_text")
        self.become_token(**values)

    def __reduce__(self) -> tuple[Callable[..., Token], tuple[Any, ...]]:
        # A copy is made anew: copies of read-only members would be mutable.
        return _make_token, tuple([getattr(self, each.name) for each in fields(self) if each.init])

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
        return _Fields().become_token(
            principal,
            read_strings(body, "methods"),
            read_strings(body, "audit_ids"),
            issued_at,
            expires_at,
            answered_at,
            fresh_until,
            usable_until,
            None,
            read_thumbprint(body),
            issued_text,
            expires_text,
            None,
            oauth,
            None,
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
        revision: str | None = None,
    ) -> Token:
        """Make the Token of a signed token whose principal is known; arguments: the attributes."""
        return _Fields().become_token(
            principal,
            methods,
            audit_ids,
            issued_at,
            expires_at,
            answered_at,
            fresh_until,
            usable_until,
            signed_by,
            thumbprint,
            render_time(issued_at),
            render_time(expires_at),
            issuer,
            oauth,
            revision,
        )

    def renewed(
        self,
        *,
        fresh_until: int,
        usable_until: int | None = None,
        principal: Principal | None = None,
    ) -> Token:
        """Return the same token with what a later answer says; None: as it was."""
        # `dataclasses.replace` takes four times as long.
        return _Fields().become_token(
            self.principal if principal is None else principal,
            self.methods,
            self.audit_ids,
            self.issued_at,
            self.expires_at,
            self.answered_at,
            fresh_until,
            self.usable_until if usable_until is None else usable_until,
            self.signed_by,
            self.thumbprint,
            self._issued_text,
            self._expires_text,
            self.issuer,
            self.oauth,
            self.revision,
        )

    @property
    def user(self) -> User:
        """Who is calling: `id`, `name`, `domain_id`, `domain_name`; all but the id may be None."""
        return self.principal.user

    @property
    def scope(self) -> Scope:
        """What the token is for: a `ProjectScope`, `DomainScope`, `SystemScope` or `Unscoped`."""
        return self.principal.scope

    @property
    def project(self) -> ProjectScope:
        """The project it is scoped to, for code behind `require(scope="project")`.

        Raises:
            LookupError: it is scoped to something else.
        """
        return self._scope_of_kind(ProjectScope, "project")

    @property
    def project_or_none(self) -> ProjectScope | None:
        """The project it is scoped to; None: it is scoped to something else."""
        scope = self.principal.scope
        return scope if isinstance(scope, ProjectScope) else None

    @property
    def domain(self) -> DomainScope:
        """The domain it is scoped to, for code behind `require(scope="domain")`.

        Raises:
            LookupError: it is scoped to something else.
        """
        return self._scope_of_kind(DomainScope, "domain")

    @property
    def domain_or_none(self) -> DomainScope | None:
        """The domain it is scoped to, never that of its project; None: something else."""
        scope = self.principal.scope
        return scope if isinstance(scope, DomainScope) else None

    def _scope_of_kind(self, kind: type[S], name: str) -> S:
        scope = self.scope
        if not isinstance(scope, kind):
            raise LookupError(
                f"the token is scoped to no {name} ({type(scope).__name__}): ask for one by"
                f' authmw.require(scope="{name}")'
            )
        return scope

    @property
    def roles(self) -> tuple[Role, ...]:
        """Its roles on its scope, each with `id` and `name`; empty: it grants nothing."""
        return self.principal.roles

    @property
    def role_names(self) -> tuple[str, ...]:
        """The names of its roles, in the order of `roles` and of X-Roles."""
        return tuple([role.name for role in self.principal.roles])

    @property
    def catalog(self) -> ServiceCatalog | None:
        """The service catalog of its scope; None: it came without."""
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


def _make_token(*values: Any) -> Token:
    """Make a Token; arguments: those of `_Fields.become_token`."""
    return _Fields().become_token(*values)
