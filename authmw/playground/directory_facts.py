"""The facts of an embedded identity service's directory as a bundle."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from authmw.bundle.facts import TABLES
from authmw.bundle.file import Header, Origin, write_bundle
from authmw.bundle.packing import pack_rows
from authmw.testing.directory import Directory
from authmw.testing.records import OnDomain, OnProject, OnSystem

Row = tuple[Any, ...]


def write_directory(directory: Directory, path: Path, read_at: int) -> Header:
    """Write domains, projects, users, roles and assignments to a bundle; no delegation.

    Args:
        directory: what the bundle says.
        path: of the bundle.
        read_at: epoch seconds: the bundle says that its facts, and its revocation events (none),
            were read then.
    """
    tables: Mapping[str, Callable[[], Iterator[Row]]] = {
        "projects": lambda: _projects(directory),
        "users": lambda: (
            (user.id, user.name, user.domain_id, user.enabled, None, None, True)
            for user in directory.users.values()
        ),
        "roles": lambda: ((role.id, role.name, None, {}) for role in directory.roles.values()),
        "implied_roles": lambda: (
            (role.id, implied) for role in directory.roles.values() for implied in role.implies
        ),
        "assignments": lambda: _assignments(directory),
        "system_assignments": lambda: (
            (one.user_id, False, one.role_id)
            for one in directory.assignments
            if isinstance(one.target, OnSystem)
        ),
    }
    rows = (
        (table.name, row)
        for table in TABLES
        if table.name in tables
        for row in pack_rows(table, tables[table.name]())
    )
    return write_bundle(path, Origin(1, read_at, "the playground", read_at, 0), rows)


def _projects(directory: Directory) -> Iterator[Row]:
    for domain in directory.domains.values():
        yield domain.id, domain.name, None, None, domain.enabled, True
    for project in directory.projects.values():
        within = project.domain_id
        yield project.id, project.name, within, within, project.enabled, False


def _assignments(directory: Directory) -> Iterator[Row]:
    for one in directory.assignments:
        if isinstance(one.target, OnProject):
            yield one.target.project_id, False, one.user_id, False, False, one.role_id
        elif isinstance(one.target, OnDomain):
            yield one.target.domain_id, False, one.user_id, False, True, one.role_id
