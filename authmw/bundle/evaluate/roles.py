"""Which roles a user has where: assignments, groups, inheritance and implied roles."""

from __future__ import annotations

from collections.abc import Iterable

from authmw.bundle.evaluate.question import Question, deny
from authmw.bundle.facts import unpack_id
from authmw.bundle.records import Actors, FactsReader, Id, Role, Scope
from authmw.errors import FactUnknown


def add_implied(facts: FactsReader, role_ids: Iterable[Id]) -> set[Id]:
    """Return roles with all that they imply, directly or not (Identity API v3, "Implied roles")."""
    implied_roles = facts.implied_roles
    effective = set(role_ids)
    waiting = list(effective)
    while waiting:
        for implied in implied_roles.get(waiting.pop(), ()):
            if implied not in effective:
                effective.add(implied)
                waiting.append(implied)
    return effective


def role_of(question: Question, role_id: Id) -> Role:
    """Return a role; one that is not there refuses the token or leaves it undecided."""
    role = question.facts.roles.get(role_id)
    if role is None:
        question.deny_absent("role", role_id)
    return role


def without_domain_specific(question: Question, role_ids: Iterable[Id]) -> set[Id]:
    """Return the roles that a token can have: a domain-specific one only implies others."""
    return {each for each in role_ids if role_of(question, each).domain_id is None}


def project_scope(question: Question, project_id: Id) -> Scope:
    """Return a project with what is above it, all of it enabled.

    Keystone keeps a project from being enabled below a disabled one, and never looks at its
    ancestors again; facts that say otherwise refuse the token.
    """
    scope = question.facts.scope(project_id)
    if not scope.path:
        question.deny_absent("project", project_id)
    project, top = scope.path[0], scope.path[-1]
    if project.domain_id is None:
        deny(f"project {unpack_id(project_id)} acts as a domain, which no token is scoped to")
    if top.id != project.domain_id or not top.is_domain:
        question.deny_absent("an ancestor of project", project_id)
    for each in scope.path:
        if not each.enabled:
            kind = "domain" if each.is_domain else "project"
            deny(f"{kind} {unpack_id(each.id)} is disabled")
    return scope


def project_roles(question: Question, scope: Scope, actors: Actors) -> set[Id]:
    """Return the effective roles on a project, domain-specific ones included."""
    facts = question.facts
    return add_implied(facts, facts.roles_on_project(scope, actors))


def domain_roles(question: Question, domain_id: Id, actors: Actors) -> set[Id]:
    """Return the effective roles on a domain itself, domain-specific ones included."""
    facts = question.facts
    return add_implied(facts, facts.roles_on_domain(domain_id, actors))


def verify_in_filter(question: Question, target_ids: Iterable[Id]) -> None:
    """Raise FactUnknown unless the bundle has every assignment on a target.

    Args:
        target_ids: the target and, if it is a project, what is above it.
    """
    chosen = question.facts.settings.get("filter")
    if chosen is None or ("domains" not in chosen and "projects" not in chosen):
        return
    held = {*chosen.get("domains", ()), *chosen.get("projects", ())}
    if held.isdisjoint(map(unpack_id, target_ids)):
        raise FactUnknown("the scope of the token is not in the part that this bundle holds")
