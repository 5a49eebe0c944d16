"""Who has which role where by a bundle, and through what: for people, not for requests.

Each `Holding` is one way: an assignment, to a user or to one of the user's groups, on the target or
inherited from above it, and the chain of roles from the assigned one to the one that it implies.
Disabled users, projects and domains have their roles all the same, and are marked. Delegations
(trusts, application credentials, access tokens) only take away, and are not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from authmw.bundle.facts import pack_id
from authmw.bundle.records import FactsReader, Id, Project, User

# Of a user without a row: enabled, and not resolved.
_NOTHING_KNOWN: Final = (True, None, None, False)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a role is held: a project, a domain, or the system if `id` is None."""

    kind: str
    id: Id | None
    name: str


@dataclass(frozen=True, slots=True)
class Holding:
    """One way in which a user has a role.

    Attributes:
        user: who has it.
        role_ids: from the assigned role to the one that is held, each implied by the one before.
        target: where it is held.
        group_id: the group of the user that it is assigned to; None: to the user.
        assigned_on: the target of the assignment, above `target` if it is inherited.
        is_below: it is held on everything below `target` and not on it; only where nobody asked
            about one target.
    """

    user: User
    role_ids: tuple[Id, ...]
    target: Target
    group_id: Id | None
    assigned_on: Target
    is_below: bool = False


@dataclass(frozen=True, slots=True)
class _Assignment:
    actor_id: Id
    is_group: bool
    target: Target
    role_id: Id
    inherited: bool


class Explainer:
    """Finds holdings in one bundle.

    Args:
        facts: of the bundle.
        select: yields the results of an SQL statement with its parameters.
        now: epoch seconds; memberships that ended before count no more.
    """

    def __init__(
        self, facts: FactsReader, select: Callable[[str, Sequence[Any]], Iterable[Any]], now: int
    ) -> None:
        self._facts = facts
        self._select = select
        self._now = now * 1_000_000

    # --- what is named on a command line

    def find(self, table: str, text: str, domain: str | None = None) -> list[Id]:
        """Return the ids of what has this id or name; a domain's name or id narrows it down.

        Args:
            table: `users`, `groups`, `roles`, `projects`, or `domains`.
        """
        of_domain, parameters = "", [pack_id(text), text]
        source = table
        if table in ("projects", "domains"):
            source = "projects"
            of_domain = f" AND is_domain = {int(table == 'domains')}"
        if domain is not None and table != "domains":
            domains = self.find("domains", domain)
            of_domain += f" AND domain_id IN ({', '.join('?' for _ in domains)})"
            parameters += domains
        statement = f'SELECT id FROM "{source}" WHERE (id = ? OR name = ?){of_domain}'  # noqa: S608
        return [row[0] for row in self._select(statement, parameters)]

    # --- holdings

    def on_project(self, project_id: Id, user_id: Id | None = None) -> Iterator[Holding]:
        """Yield the holdings on a project, of one user or of everybody."""
        path = self._facts.scope(project_id).path
        if not path:
            return
        for each in path:
            inherited = each.id != project_id
            where = self._on(each.id, inherited=inherited)
            if not inherited:
                where = [one for one in where if one.target.kind == "project"]
            yield from self._held_by(where, user_id, _target_of(path[0], is_domain=False))

    def on_domain(self, domain_id: Id, user_id: Id | None = None) -> Iterator[Holding]:
        """Yield the holdings on a domain itself, of one user or of everybody."""
        domain = self._facts.project(domain_id)
        if domain is None:
            return
        where = [one for one in self._on(domain_id, inherited=False) if one.target.kind == "domain"]
        yield from self._held_by(where, user_id, _target_of(domain, is_domain=True))

    def on_system(self, user_id: Id | None = None) -> Iterator[Holding]:
        """Yield the holdings on the system, of one user or of everybody."""
        system = Target("system", None, "all")
        statement = "SELECT actor_id, actor_is_group, role_id FROM system_assignments"
        where = [
            _Assignment(actor_id, bool(is_group), system, role_id, inherited=False)
            for actor_id, is_group, role_id in self._select(statement, ())
        ]
        yield from self._held_by(where, user_id, system)

    def of_user(self, user_id: Id) -> Iterator[Holding]:
        """Yield all holdings of a user, as they are assigned: inherited ones once, where they are.

        Reads all assignments, which takes a second for some millions.
        """
        actors = {(user_id, 0), *((group_id, 1) for group_id in self._groups_of(user_id))}
        statement = (
            "SELECT actor_id, actor_is_group, target_id, target_is_domain, role_id, inherited "
            "FROM assignments"
        )
        for actor_id, is_group, target_id, is_domain, role_id, inherited in self._select(
            statement, ()
        ):
            if (actor_id, is_group) in actors:
                target = self._target(target_id, is_domain=bool(is_domain))
                one = _Assignment(actor_id, bool(is_group), target, role_id, bool(inherited))
                yield from self._held_by([one], user_id, target)
        yield from self.on_system(user_id)

    def _held_by(
        self, assignments: Iterable[_Assignment], user_id: Id | None, target: Target
    ) -> Iterator[Holding]:
        groups = None if user_id is None else set(self._groups_of(user_id))
        for one in assignments:
            group_id = one.actor_id if one.is_group else None
            if user_id is None:
                actors: Sequence[Id] = (
                    self._members_of(one.actor_id) if one.is_group else [one.actor_id]
                )
            elif one.actor_id in (groups or ()) if one.is_group else one.actor_id == user_id:
                actors = [user_id]
            else:
                continue
            is_below = one.inherited and one.target == target
            for actor in actors:
                user = self._user(actor)
                for role_ids in self._chains(one.role_id):
                    yield Holding(user, role_ids, target, group_id, one.target, is_below)

    def _chains(self, role_id: Id) -> list[tuple[Id, ...]]:
        """Return a shortest chain to each role that is had with one, domain-specific ones not."""
        chains: dict[Id, tuple[Id, ...]] = {role_id: (role_id,)}
        waiting = [role_id]
        for prior in waiting:
            for implied in self._facts.implied_roles.get(prior, ()):
                if implied not in chains:
                    chains[implied] = (*chains[prior], implied)
                    waiting.append(implied)
        roles = self._facts.roles
        return [
            chain
            for role, chain in chains.items()
            if role not in roles or roles[role].domain_id is None
        ]

    # --- facts

    def _on(self, target_id: Id, *, inherited: bool) -> list[_Assignment]:
        statement = (
            "SELECT actor_id, actor_is_group, target_is_domain, role_id FROM assignments "
            "WHERE target_id = ? AND inherited = ?"
        )
        return [
            _Assignment(
                actor_id,
                bool(is_group),
                self._target(target_id, is_domain=bool(is_domain)),
                role_id,
                inherited,
            )
            for actor_id, is_group, is_domain, role_id in self._select(
                statement, (target_id, int(inherited))
            )
        ]

    def _groups_of(self, user_id: Id) -> list[Id]:
        return self._facts.groups_of(user_id, self._now)

    def _members_of(self, group_id: Id) -> list[Id]:
        # The tables are ordered by user, so this reads all of them.
        statement = (
            "SELECT user_id FROM memberships WHERE group_id = ?1 UNION "
            "SELECT user_id FROM expiring_memberships WHERE group_id = ?1 AND expires_at > ?2"
        )
        return [row[0] for row in self._select(statement, (group_id, self._now))]

    def _user(self, user_id: Id) -> User:
        user = self._facts.user(user_id)
        # A trustor's or directory's user may be known by an assignment alone.
        return user or User(user_id, None, "", *_NOTHING_KNOWN)

    def _target(self, target_id: Id, *, is_domain: bool) -> Target:
        project = self._facts.project(target_id)
        if project is None:
            return Target("domain" if is_domain else "project", target_id, "")
        return _target_of(project, is_domain=is_domain)


def _target_of(project: Project, *, is_domain: bool) -> Target:
    return Target("domain" if is_domain else "project", project.id, project.name)
