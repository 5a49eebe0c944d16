"""Domains, projects, users, roles and role assignments in memory.

It stands in for an identity service's database. Rows are immutable and replaced whole;
`Identity` holds a lock around every use, so a directory that belongs to a running server is
changed through the server's own methods.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterable
from typing import TypeVar

from authmw.testing.records import (
    AccessRule,
    ApplicationCredential,
    Assignment,
    Domain,
    OAuth1Access,
    OnDomain,
    OnProject,
    OnSystem,
    Project,
    Role,
    Target,
    Trust,
    User,
)

T = TypeVar("T")

_NAMESPACE = uuid.UUID("6f3f0f7e-2c0b-4c58-9f3d-0c5c7a3c1a52")


def make_id(kind: str, name: str) -> str:
    """Return 32 hex digits, the same for the same name in every run."""
    return uuid.uuid5(_NAMESPACE, f"{kind}/{name}").hex


class Directory:
    """The data of the identity service, addressed by id or by name.

    Every argument that names a domain, project, user or role takes its id or its name. A
    name that two domains use is ambiguous: the methods raise LookupError, as they do for
    what does not exist.
    """

    def __init__(self) -> None:
        self.domains: dict[str, Domain] = {}
        self.projects: dict[str, Project] = {}
        self.users: dict[str, User] = {}
        self.roles: dict[str, Role] = {}
        self.assignments: set[Assignment] = set()
        self.application_credentials: dict[str, ApplicationCredential] = {}
        self.trusts: dict[str, Trust] = {}
        self.oauth1_accesses: dict[str, OAuth1Access] = {}

    # Look-ups

    def domain(self, key: str) -> Domain:
        """Return the domain with this id or name."""
        return self.domains.get(key) or _only(
            "domain", key, [row for row in self.domains.values() if row.name == key]
        )

    def project(self, key: str, domain: str | None = None) -> Project:
        """Return the project with this id, or with this name (in `domain`, where given)."""
        within = None if domain is None else self.domain(domain).id
        return self.projects.get(key) or _only(
            "project",
            key,
            [
                row
                for row in self.projects.values()
                if row.name == key and within in (None, row.domain_id)
            ],
        )

    def user(self, key: str, domain: str | None = None) -> User:
        """Return the user with this id, or with this name (in `domain`, where given)."""
        within = None if domain is None else self.domain(domain).id
        return self.users.get(key) or _only(
            "user",
            key,
            [
                row
                for row in self.users.values()
                if row.name == key and within in (None, row.domain_id)
            ],
        )

    def role(self, key: str) -> Role:
        """Return the role with this id or name."""
        return self.roles.get(key) or _only(
            "role", key, [row for row in self.roles.values() if row.name == key]
        )

    def target(
        self, *, project: str | None = None, domain: str | None = None, system: bool = False
    ) -> Target | None:
        """Return the one target that was named; None for none. Raises ValueError for several."""
        if (project is not None) + (domain is not None) + system > 1:
            raise ValueError("name one of project, domain and system: a token has one scope")
        if project is not None:
            return OnProject(self.project(project).id)
        if domain is not None:
            return OnDomain(self.domain(domain).id)
        return OnSystem() if system else None

    def roles_on(self, user_id: str, target: Target) -> tuple[Role, ...]:
        """Return the roles a user holds on a target, implied ones included."""
        return self.with_implied(
            row.role_id
            for row in self.assignments
            if row.user_id == user_id and row.target == target
        )

    def with_implied(self, role_ids: Iterable[str]) -> tuple[Role, ...]:
        """Return these roles and those they imply, each once, ordered by name."""
        found: dict[str, Role] = {}
        waiting = [role_id for role_id in role_ids if role_id in self.roles]
        while waiting:
            role = self.roles[waiting.pop()]
            if role.id not in found:
                found[role.id] = role
                waiting.extend(role.implies)
        return tuple(sorted(found.values(), key=lambda role: role.name))

    # Additions

    def add_domain(self, name: str, *, domain_id: str | None = None) -> Domain:
        """Add a domain."""
        row = Domain(domain_id or make_id("domain", name), name)
        self.domains[row.id] = row
        return row

    def add_project(self, name: str, *, domain: str = "default") -> Project:
        """Add a project to a domain."""
        within = self.domain(domain)
        row = Project(make_id("project", f"{within.id}/{name}"), name, within.id)
        self.projects[row.id] = row
        return row

    def add_user(
        self,
        name: str,
        *,
        domain: str = "default",
        password: str | None = None,
        default_project: str | None = None,
    ) -> User:
        """Add a user; without a password given it is `<name>-password`."""
        within = self.domain(domain)
        project_id = None if default_project is None else self.project(default_project).id
        row = User(
            id=make_id("user", f"{within.id}/{name}"),
            name=name,
            domain_id=within.id,
            password=f"{name}-password" if password is None else password,
            default_project_id=project_id,
        )
        self.users[row.id] = row
        return row

    def add_role(self, name: str, *, implies: Iterable[str] = ()) -> Role:
        """Add a role, which may imply others."""
        row = Role(make_id("role", name), name, tuple(self.role(key).id for key in implies))
        self.roles[row.id] = row
        return row

    def assign(
        self,
        role: str,
        user: str,
        *,
        project: str | None = None,
        domain: str | None = None,
        system: bool = False,
    ) -> Assignment:
        """Give a user a role on a project, a domain or the system."""
        row = self._assignment(role, user, project=project, domain=domain, system=system)
        self.assignments.add(row)
        return row

    def unassign(
        self,
        role: str,
        user: str,
        *,
        project: str | None = None,
        domain: str | None = None,
        system: bool = False,
    ) -> None:
        """Take a role away; LookupError if the user was not given it there."""
        row = self._assignment(role, user, project=project, domain=domain, system=system)
        if row not in self.assignments:
            raise LookupError(f"{user!r} was not given {role!r} there")
        self.assignments.remove(row)

    def add_application_credential(
        self,
        name: str,
        *,
        user: str,
        project: str,
        roles: Iterable[str],
        access_rules: Iterable[AccessRule] | None = None,
        secret: str | None = None,
        unrestricted: bool = False,
    ) -> ApplicationCredential:
        """Add an application credential; without a secret given it is `<name>-secret`."""
        rules = None
        if access_rules is not None:
            rules = tuple(
                rule
                if rule.id
                else dataclasses.replace(rule, id=make_id("rule", f"{name}/{position}"))
                for position, rule in enumerate(access_rules)
            )
        owner = self.user(user)
        row = ApplicationCredential(
            id=make_id("application_credential", f"{owner.id}/{name}"),
            name=name,
            secret=f"{name}-secret" if secret is None else secret,
            user_id=owner.id,
            project_id=self.project(project).id,
            role_ids=tuple(role.id for role in self._expanded(roles)),
            access_rules=rules,
            unrestricted=unrestricted,
        )
        self.application_credentials[row.id] = row
        return row

    def add_trust(
        self,
        *,
        trustor: str,
        trustee: str,
        project: str,
        roles: Iterable[str],
        impersonation: bool,
    ) -> Trust:
        """Add a trust."""
        row = Trust(
            id=uuid.uuid4().hex,
            trustor_user_id=self.user(trustor).id,
            trustee_user_id=self.user(trustee).id,
            project_id=self.project(project).id,
            role_ids=tuple(self.role(key).id for key in roles),
            impersonation=impersonation,
        )
        self.trusts[row.id] = row
        return row

    def add_oauth1_access(
        self, *, consumer_id: str, user: str, project: str, roles: Iterable[str]
    ) -> OAuth1Access:
        """Add an OAuth1 access token for a consumer."""
        row = OAuth1Access(
            id=uuid.uuid4().hex,
            consumer_id=consumer_id,
            user_id=self.user(user).id,
            project_id=self.project(project).id,
            role_ids=tuple(self.role(key).id for key in roles),
        )
        self.oauth1_accesses[row.id] = row
        return row

    def _expanded(self, roles: Iterable[str]) -> tuple[Role, ...]:
        return self.with_implied(self.role(key).id for key in roles)

    def _assignment(
        self, role: str, user: str, *, project: str | None, domain: str | None, system: bool
    ) -> Assignment:
        target = self.target(project=project, domain=domain, system=system)
        if target is None:
            raise ValueError("a role is held on something: name a project, a domain or system")
        return Assignment(self.user(user).id, self.role(role).id, target)


def _only(kind: str, key: str, rows: list[T]) -> T:
    if not rows:
        raise LookupError(f"no {kind} {key!r}")
    if len(rows) > 1:
        raise LookupError(f"{len(rows)} {kind}s are called {key!r}: use the id")
    return rows[0]
