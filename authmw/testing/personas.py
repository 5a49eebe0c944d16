"""The callers in a service's tests: one user for each role on each kind of scope.

The personas of Keystone's default roles ("Consistent and Secure Default RBAC"): admin,
manager, member and reader, on the system, a domain or a project.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypedDict, Unpack, cast

from authmw.testing.grants import Wanted
from authmw.testing.identity import Identity
from authmw.testing.issuer_personas import IssuerPersonas
from authmw.testing.oidc_server import OidcServer
from authmw.testing.slips import UnknownName, suggest

ScopeKind = Literal["system", "domain", "project"]

DEFAULT_DOMAIN: Final = "default"
DEFAULT_PROJECT: Final = "inventory"
SERVICE_PROJECT: Final = "service"


@dataclass(frozen=True, slots=True)
class _Role:
    role: str
    scope: ScopeKind


_PERSONAS: Mapping[str, _Role] = {
    "system_admin": _Role("admin", "system"),
    "system_manager": _Role("manager", "system"),
    "system_member": _Role("member", "system"),
    "system_reader": _Role("reader", "system"),
    "domain_admin": _Role("admin", "domain"),
    "domain_manager": _Role("manager", "domain"),
    "domain_member": _Role("member", "domain"),
    "domain_reader": _Role("reader", "domain"),
    "project_admin": _Role("admin", "project"),
    "project_manager": _Role("manager", "project"),
    "project_member": _Role("member", "project"),
    "project_reader": _Role("reader", "project"),
    "service_user": _Role("service", "project"),
}


class Wish(TypedDict, total=False):
    """Further properties of a persona's token; see `authmw.testing.grants.Wanted`."""

    methods: Sequence[str]
    issued_at: float
    expires_in: float
    certificate_thumbprint: str


PERSONAS: Final = tuple(_PERSONAS)
"""The names of all personas, for `parametrize`."""


@dataclass(frozen=True, slots=True)
class Persona:
    """A user with a token.

    Attributes:
        name: of the persona, and of its user.
        token: a JWS, signed with the identity server's key.
        expires_at: epoch seconds.
        project_id, domain_id: of the token's scope, where it is that.
    """

    name: str
    token: str = field(repr=False)
    expires_at: int
    user_id: str
    project_id: str | None = None
    domain_id: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """The headers of a request by this persona."""
        return {"X-Auth-Token": self.token}

    @property
    def service_headers(self) -> dict[str, str]:
        """The headers with which this persona, a service, forwards another user's request."""
        return {"X-Service-Token": self.token}


class Personas:
    """Makes personas; each call is a new token of the persona's one user.

    A missing project or domain is created. A `Wish` sets further properties of the token, such as
    `expires_in=-1`.

    Args:
        identity: signs the tokens and holds the users.
        add_issuer: adds an issuer to the filters to come; None: there are none.
    """

    def __init__(
        self, identity: Identity, add_issuer: Callable[..., OidcServer] | None = None
    ) -> None:
        self._identity = identity
        self._add_issuer = add_issuer

    def of_issuer(self, profile: str = "rfc9068", **options: str) -> IssuerPersonas:
        """Return the personas of an OAuth2 or OIDC issuer; see `authmw.testing.Cloud.add_issuer`.

            ada = authmw_personas.of_issuer("keycloak").user("ada", roles=["member"])
            okta = authmw_personas.of_issuer("okta", roles="groups")

        Call it before the filter is built.
        """
        if self._add_issuer is None:
            raise RuntimeError("only the personas of a Cloud can be of an issuer")
        return IssuerPersonas(self._add_issuer(profile, **options), options)

    def __getitem__(self, name: str) -> Persona:
        """Return the persona of that name (see `PERSONAS`), on the default domain or project.

        Raises:
            KeyError: there is none; the message says what was meant.
        """
        return self._make(name)

    if not TYPE_CHECKING:  # a type checker finds misspelt names itself

        def __getattr__(self, name: str) -> object:
            """Say what was meant by a name that there is not."""
            raise AttributeError(f"no persona {name!r}: {suggest(name, _PERSONAS)}")

    def having(
        self,
        *roles: str,
        project: str | None = None,
        domain: str | None = None,
        system: bool = False,
        name: str | None = None,
        **wish: Unpack[Wish],
    ) -> Persona:
        """Return a user with roles of your own deployment, which are made if need be.

            auditor = authmw_personas.having("auditor", project="inventory")

        What roles imply is said before: `directory.add_role("auditor", implies=["reader"])`.

        Args:
            roles: names; none at all: the token is unscoped and has none.
            project, domain, system: where, of which one is given; a missing one is created.
            name: of the persona; by default made of all that.

        Raises:
            TypeError: not one place for the roles, or a wish that there is not.
        """
        place = [key for key in (project, domain, system or None) if key is not None]
        if len(place) != bool(roles):
            raise TypeError("name one project, one domain or system=True for the roles")
        directory = self._identity.directory
        scope: ScopeKind = "system" if system else "domain" if domain else "project"
        name = name or "_".join([scope, *roles] if roles else ["unscoped"])
        with self._identity.lock:
            for role in roles:
                try:
                    directory.role(role)
                except LookupError:
                    directory.add_role(role)
        where = None if system else project or domain
        return self._issue(name, roles, scope if roles else None, where, wish)

    def system_admin(self, **wish: Unpack[Wish]) -> Persona:
        """Return an admin of the deployment."""
        return self._make("system_admin", **wish)

    def system_manager(self, **wish: Unpack[Wish]) -> Persona:
        """Return a manager of the deployment."""
        return self._make("system_manager", **wish)

    def system_member(self, **wish: Unpack[Wish]) -> Persona:
        """Return a member of the deployment."""
        return self._make("system_member", **wish)

    def system_reader(self, **wish: Unpack[Wish]) -> Persona:
        """Return a reader of the deployment."""
        return self._make("system_reader", **wish)

    def domain_admin(self, domain: str = DEFAULT_DOMAIN, **wish: Unpack[Wish]) -> Persona:
        """Return an admin of a domain (id or name)."""
        return self._make("domain_admin", domain, **wish)

    def domain_manager(self, domain: str = DEFAULT_DOMAIN, **wish: Unpack[Wish]) -> Persona:
        """Return a manager of a domain (id or name)."""
        return self._make("domain_manager", domain, **wish)

    def domain_member(self, domain: str = DEFAULT_DOMAIN, **wish: Unpack[Wish]) -> Persona:
        """Return a member of a domain (id or name)."""
        return self._make("domain_member", domain, **wish)

    def domain_reader(self, domain: str = DEFAULT_DOMAIN, **wish: Unpack[Wish]) -> Persona:
        """Return a reader of a domain (id or name)."""
        return self._make("domain_reader", domain, **wish)

    def project_admin(self, project: str = DEFAULT_PROJECT, **wish: Unpack[Wish]) -> Persona:
        """Return an admin of a project (id or name)."""
        return self._make("project_admin", project, **wish)

    def project_manager(self, project: str = DEFAULT_PROJECT, **wish: Unpack[Wish]) -> Persona:
        """Return a manager of a project (id or name)."""
        return self._make("project_manager", project, **wish)

    def project_member(self, project: str = DEFAULT_PROJECT, **wish: Unpack[Wish]) -> Persona:
        """Return a member of a project (id or name)."""
        return self._make("project_member", project, **wish)

    def project_reader(self, project: str = DEFAULT_PROJECT, **wish: Unpack[Wish]) -> Persona:
        """Return a reader of a project (id or name)."""
        return self._make("project_reader", project, **wish)

    def service_user(self, project: str = SERVICE_PROJECT, **wish: Unpack[Wish]) -> Persona:
        """Return a service, which has the role that `service_token_roles` names."""
        return self._make("service_user", project, **wish)

    def _make(self, name: str, place: str | None = None, **wish: Unpack[Wish]) -> Persona:
        role = _PERSONAS.get(name)
        if role is None:
            raise UnknownName(f"no persona {name!r}: {suggest(name, _PERSONAS)}")
        if place is None and role.scope != "system":
            by_project = SERVICE_PROJECT if name == "service_user" else DEFAULT_PROJECT
            place = DEFAULT_DOMAIN if role.scope == "domain" else by_project
        return self._issue(name, [role.role], role.scope, place, wish)

    def _issue(
        self,
        name: str,
        roles: Sequence[str],
        scope: ScopeKind | None,
        place: str | None,
        wish: Wish,
    ) -> Persona:
        for wished in wish:
            if wished not in Wish.__annotations__:
                meant = suggest(wished, Wish.__annotations__)
                raise TypeError(f"no property {wished!r} of a persona's token: {meant}")
        # Every key of Wish is one of Wanted; mypy sees two unrelated types.
        wanted = cast(Wanted, dict(wish))
        with self._identity.lock:
            user_id = self._find_user(name)
            project_id = domain_id = None
            if scope == "system":
                wanted["system"] = True
            elif scope == "domain" and place is not None:
                wanted["domain"] = domain_id = self._find_domain(place)
            elif scope == "project" and place is not None:
                wanted["project"] = project_id = self._find_project(place)
            for role in roles:
                self._identity.directory.assign(
                    role,
                    user_id,
                    project=project_id,
                    domain=domain_id,
                    system=scope == "system",
                )
            token = self._identity.issue_jws(user_id, names_and_roles=True, **wanted)
            expires_at = self._identity.grant_issued(token).expires_at
        return Persona(name, token, expires_at, user_id, project_id, domain_id)

    def _find_user(self, name: str) -> str:
        directory = self._identity.directory
        try:
            return directory.user(name).id
        except LookupError:
            return directory.add_user(name).id

    def _find_domain(self, key: str) -> str:
        directory = self._identity.directory
        try:
            return directory.domain(key).id
        except LookupError:
            return directory.add_domain(key).id

    def _find_project(self, key: str) -> str:
        directory = self._identity.directory
        try:
            return directory.project(key).id
        except LookupError:
            return directory.add_project(key).id
