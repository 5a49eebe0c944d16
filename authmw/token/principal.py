"""Who is calling, in which scope, with which roles: what all tokens of one bearer share."""

from __future__ import annotations

import hashlib
import marshal
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field

from authmw.token import headers
from authmw.token.access_rules import AccessRule
from authmw.token.bearer_key import digest_bearer
from authmw.token.body import (
    parse_access_rules,
    parse_is_admin_project,
    parse_oauth1,
    parse_roles,
    parse_scope,
    parse_trust,
    parse_user,
    read_optional,
    read_required,
    share_members,
)
from authmw.token.catalog import ServiceCatalog
from authmw.token.parts import (
    DomainScope,
    OAuth1Access,
    ProjectScope,
    Role,
    Scope,
    SystemScope,
    Trust,
    User,
)
from authmw.token.read_only import ReadOnlyDict
from authmw.token.shared_body import SharedMembers

# The members of a token body that differ between tokens of one principal.
_OWN_MEMBERS = frozenset(
    {"methods", "audit_ids", "issued_at", "expires_at", "oauth2_credential", "catalog"}
)


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
    _scope_headers: headers.ScopeHeaders | None = field(init=False, repr=False, compare=False)
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
        object.__setattr__(self, "_scope_headers", None)
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
    def scope_headers(self) -> headers.ScopeHeaders:
        """The headers of `user_environ` as of an ASGI scope; rendered at first use."""
        rendered = self._scope_headers
        if rendered is None:
            rendered = headers.render_scope(self.user_environ)
            if self.catalog is not None:
                # One object for all who have this catalog: it may be large.
                name = headers.to_scope_name(headers.CATALOG_KEY)
                shared = (name, self.catalog.header_bytes)
                rendered = tuple(pair if pair[0] != name else shared for pair in rendered)
            object.__setattr__(self, "_scope_headers", rendered)
        return rendered

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
