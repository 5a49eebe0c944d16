"""The record of one validated token: who is calling, in which scope, with which roles.

A `Token` is made once per token string and then read by every request that carries it. It
has two parts: the `Principal`, which all tokens of one user, scope and method of
authentication have in common, and what is the token's own (its times, its audit ids).
Nothing here does I/O or reads a clock.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from authmw import headers
from authmw.catalog import ServiceCatalog
from authmw.checks.access_rules import AccessRule, parse_access_rules
from authmw.template import Template


class MalformedBody(ValueError):
    """A token body is not of the shape that the Identity API promises; says where."""


@dataclass(frozen=True, slots=True)
class User:
    """The user a token speaks for."""

    id: str
    name: str | None = None
    domain_id: str | None = None
    domain_name: str | None = None


@dataclass(frozen=True, slots=True)
class Role:
    """One role of the token on its scope."""

    id: str | None
    name: str


@dataclass(frozen=True, slots=True)
class ProjectScope:
    """The token is for one project."""

    id: str
    name: str | None = None
    domain_id: str | None = None
    domain_name: str | None = None
    is_domain: bool = False


@dataclass(frozen=True, slots=True)
class DomainScope:
    """The token is for one domain."""

    id: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class SystemScope:
    """The token is for the deployment as a whole (`all`, the only system scope there is)."""


@dataclass(frozen=True, slots=True)
class Unscoped:
    """The token says who the user is, and grants nothing."""


Scope = ProjectScope | DomainScope | SystemScope | Unscoped


@dataclass(frozen=True, slots=True)
class Trust:
    """The trust a token was issued under (Identity API v3, OS-TRUST)."""

    id: str
    trustor_id: str
    trustee_id: str
    impersonation: bool


@dataclass(frozen=True, slots=True)
class OAuth1Access:
    """The OAuth1 delegation a token was issued under (Identity API v3, OS-OAUTH1)."""

    consumer_id: str
    access_token_id: str


# The members of a token body that differ between tokens of one principal.
_OWN_MEMBERS = frozenset(
    {"methods", "audit_ids", "issued_at", "expires_at", "oauth2_credential", "catalog"}
)
# The record, its lists and its texts, in bytes.
_OWN_SIZE = 900


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling, in which scope, with which roles: the same for many tokens.

    Attributes:
        access_rules: of an application credential; None where nothing is restricted.
        bind: the token's binding (mechanism to identifier), empty where there is none.
        user_environ, service_environ: the rendered headers, as environ entries.
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
    user_environ: dict[str, str] = field(init=False, repr=False, compare=False)
    service_environ: dict[str, str] = field(init=False, repr=False, compare=False)
    size: int = field(init=False, repr=False, compare=False)
    _shared_body: Template = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        user_environ = headers.render_user(self)
        text = sum(map(len, user_environ.values()))
        if self.catalog is not None:
            text -= len(self.catalog.header)
        object.__setattr__(self, "user_environ", user_environ)
        object.__setattr__(self, "service_environ", headers.render_service(user_environ))
        object.__setattr__(self, "size", 4000 + 2 * text + self._shared_body.size)

    @classmethod
    def from_body(cls, body: Mapping[str, object], catalog: ServiceCatalog | None) -> Principal:
        """Read what a v3 token body says of the principal.

        Args:
            body: the object under "token" in an answer of the Identity API v3.
            catalog: its service catalog, parsed; `body["catalog"]` is not looked at.

        Raises:
            MalformedBody: a member is missing or of the wrong type.
            InvalidToken: (unsafe_value) a name could not be said in a header.
        """
        bind = _optional(body, "bind", dict) or {}
        application_credential = _optional(body, "application_credential", dict)
        shared = {name: value for name, value in body.items() if name not in _OWN_MEMBERS}
        return cls(
            user=_parse_user(_required(body, "user", dict)),
            scope=_parse_scope(body),
            roles=_parse_roles(_optional(body, "roles", list) or []),
            is_admin_project=_parse_is_admin_project(body),
            catalog=catalog,
            trust=_parse_trust(_optional(body, "OS-TRUST:trust", dict)),
            oauth1=_parse_oauth1(_optional(body, "OS-OAUTH1", dict)),
            application_credential_id=(
                None
                if application_credential is None
                else _optional(application_credential, "id", str)
            ),
            access_rules=(
                None
                if application_credential is None
                else _parse_access_rules(application_credential.get("access_rules"))
            ),
            bind=bind,
            _shared_body=_lay_out(shared),
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


@dataclass(frozen=True, slots=True)
class Token:
    """One validated token.

    Attributes:
        principal: who is calling.
        methods: how the user authenticated.
        audit_ids: the token's own audit id, then that of the first of its chain.
        issued_at, expires_at: epoch seconds, truncated.
        fresh_until: epoch seconds up to which this record answers for the token without
            another validation.
        usable_until: epoch seconds up to which it may, while validation is out of reach.
        thumbprint: `x5t#S256` of the certificate it is bound to (RFC 8705 §3.1), if it is.
        is_bound: whether it is bound to anything; see `authmw.checks.token_bind`.
    """

    principal: Principal
    methods: tuple[str, ...]
    audit_ids: tuple[str, ...]
    issued_at: int
    expires_at: int
    fresh_until: int
    usable_until: int
    thumbprint: str | None
    is_bound: bool
    _issued_text: str = field(repr=False, compare=False)
    _expires_text: str = field(repr=False, compare=False)

    @classmethod
    def from_body(
        cls,
        body: Mapping[str, object],
        catalog: ServiceCatalog | None,
        *,
        fresh_until: int,
        usable_until: int,
    ) -> Token:
        """Read a whole v3 token body; arguments and errors as of `Principal.from_body`."""
        issued_text, expires_text = (
            _required(body, "issued_at", str),
            _required(body, "expires_at", str),
        )
        principal = Principal.from_body(body, catalog)
        thumbprint = _parse_thumbprint(_optional(body, "oauth2_credential", dict))
        return cls(
            principal,
            _parse_strings(body, "methods"),
            _parse_strings(body, "audit_ids"),
            parse_time(issued_text, "issued_at"),
            parse_time(expires_text, "expires_at"),
            fresh_until,
            usable_until,
            thumbprint,
            thumbprint is not None or bool(principal.bind),
            issued_text,
            expires_text,
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
        fresh_until: int,
        usable_until: int,
    ) -> Token:
        """Join a known principal with what a signed token says of itself.

        Args:
            principal: who is calling.
            methods, audit_ids, issued_at, expires_at, fresh_until, usable_until, thumbprint:
                as the attributes.
        """
        return cls(
            principal,
            methods,
            audit_ids,
            issued_at,
            expires_at,
            fresh_until,
            usable_until,
            thumbprint,
            thumbprint is not None or bool(principal.bind),
            render_time(issued_at),
            render_time(expires_at),
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
        return self.principal.size + _OWN_SIZE

    @property
    def audit_id(self) -> str | None:
        """The id that logs know this token by."""
        return self.audit_ids[0] if self.audit_ids else None

    def to_token_info(self) -> dict[str, Any]:
        """Return a new `keystone.token_info`: the v3 body, the caller's own to change.

        Only the catalog in it is shared, and read-only.
        """
        principal = self.principal
        body: dict[str, Any] = {
            "methods": list(self.methods),
            "audit_ids": list(self.audit_ids),
            "issued_at": self._issued_text,
            "expires_at": self._expires_text,
        }
        if self.thumbprint is not None:
            body["oauth2_credential"] = {"x5t#S256": self.thumbprint}
        principal._shared_body.copy_into(body)
        if principal.catalog is not None:
            body["catalog"] = principal.catalog.services
        return {"token": body}


def render_time(seconds: int) -> str:
    """Write epoch seconds as the Identity API does."""
    return f"{_render_minute(seconds // 60)}{seconds % 60:02}.000000Z"


# Of the tokens that come in one minute, most were issued and expire in few others.
@functools.lru_cache(maxsize=256)
def _render_minute(minutes: int) -> str:
    return datetime.fromtimestamp(minutes * 60, UTC).strftime("%Y-%m-%dT%H:%M:")


def _lay_out(members: Mapping[str, object]) -> Template:
    try:
        return Template(members)
    except ValueError as error:
        raise MalformedBody("the token body is nested too deep") from error


def _required(members: Mapping[str, object], name: str, kind: type[Any]) -> Any:
    value = members.get(name)
    if type(value) is not kind:
        raise MalformedBody(f"{name!r} is not {_KINDS[kind]} but {type(value).__name__}")
    return value


def _optional(members: Mapping[str, object], name: str, kind: type[Any]) -> Any:
    value = members.get(name)
    return value if value is None or type(value) is kind else _required(members, name, kind)


_KINDS: Mapping[type[Any], str] = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
}


def _required_id(members: Mapping[str, object]) -> str:
    identifier: str = _required(members, "id", str)
    if not identifier:
        raise MalformedBody("'id' is empty")
    return identifier


def _parse_user(user: Mapping[str, object]) -> User:
    domain_id, domain_name = _parse_domain_of(user)
    return User(_required_id(user), _optional(user, "name", str), domain_id, domain_name)


def _parse_domain_of(owner: Mapping[str, object]) -> tuple[str | None, str | None]:
    domain = _optional(owner, "domain", dict)
    if domain is None:
        return None, None
    return _optional(domain, "id", str), _optional(domain, "name", str)


def _parse_scope(body: Mapping[str, object]) -> Scope:
    project = _optional(body, "project", dict)
    domain = _optional(body, "domain", dict)
    system = _optional(body, "system", dict)
    if sum(scope is not None for scope in (project, domain, system)) > 1:
        raise MalformedBody("more than one of 'project', 'domain' and 'system'")
    if project is not None:
        domain_id, domain_name = _parse_domain_of(project)
        return ProjectScope(
            _required_id(project),
            _optional(project, "name", str),
            domain_id,
            domain_name,
            _optional(body, "is_domain", bool) is True,
        )
    if domain is not None:
        return DomainScope(_required_id(domain), _optional(domain, "name", str))
    if system is not None:
        if _required(system, "all", bool) is not True:
            raise MalformedBody("'system' is not {'all': true}")
        return SystemScope()
    return Unscoped()


def _parse_roles(roles: list[object]) -> tuple[Role, ...]:
    parsed = []
    for role in roles:
        if type(role) is not dict:
            raise MalformedBody("a role is not an object")
        parsed.append(Role(_optional(role, "id", str), _required(role, "name", str)))
    return tuple(parsed)


def _parse_is_admin_project(body: Mapping[str, object]) -> bool:
    # Keystone leaves it out where no admin project is configured; everyone counts then
    # as acting in it, and services tell by the role alone.
    said = _optional(body, "is_admin_project", bool)
    return True if said is None else bool(said)


def _parse_trust(trust: Mapping[str, object] | None) -> Trust | None:
    if trust is None:
        return None
    return Trust(
        _required_id(trust),
        _required_id(_required(trust, "trustor_user", dict)),
        _required_id(_required(trust, "trustee_user", dict)),
        _required(trust, "impersonation", bool),
    )


def _parse_oauth1(oauth1: Mapping[str, object] | None) -> OAuth1Access | None:
    if oauth1 is None:
        return None
    return OAuth1Access(
        _required(oauth1, "consumer_id", str), _required(oauth1, "access_token_id", str)
    )


def _parse_access_rules(rules: object) -> tuple[AccessRule, ...] | None:
    try:
        return parse_access_rules(rules)
    except ValueError as error:
        raise MalformedBody(f"'access_rules': {error}") from error


def _parse_strings(members: Mapping[str, object], name: str) -> tuple[str, ...]:
    values = _optional(members, name, list) or []
    if not all(type(value) is str for value in values):
        raise MalformedBody(f"{name!r} is not an array of strings")
    return tuple(values)


def _parse_thumbprint(credential: Mapping[str, object] | None) -> str | None:
    return None if credential is None else _optional(credential, "x5t#S256", str)


def parse_time(text: str, name: str = "time") -> int:
    """Return epoch seconds, truncated, of a time as the Identity API writes it.

    Raises:
        MalformedBody: it is not one; `name` is said.
    """
    try:
        time = datetime.fromisoformat(text)
        # The Identity API speaks UTC; where it leaves the zone out it still means UTC.
        return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() // 1)
    except (ValueError, OverflowError) as error:
        raise MalformedBody(f"{name!r} is not a time of ISO 8601") from error
