"""The tree of projects and domains of one revision: what is above a project, read once for many.

Few projects have others below them, and most tokens are of projects below the same ones. So each
of these is kept with its path and with what is inherited on that path.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from authmw.bundle.records import Id, Inheritance, Project, Scope

# Far more than Keystone's `max_project_tree_depth`; facts with a circle end here.
_DEEPEST_TREE = 64
# Domains and projects that are kept in memory, some 600 bytes each.
_MOST_PLACES = 10_000
# Inherited assignments on a path that are kept as well; of more, those of a user are sought.
MOST_INHERITED: Final = 8

_PROJECT = "SELECT id, name, domain_id, parent_id, enabled, is_domain FROM projects WHERE id = ?"
_INHERITED_FROM = f"""
SELECT actor_id, actor_is_group, role_id FROM assignments
WHERE target_id = ? AND inherited = 1 LIMIT {MOST_INHERITED + 1}"""  # noqa: S608


class _Place(NamedTuple):
    """A project or domain, as those below it see it.

    Attributes:
        path: it and its ancestors, up to its domain.
        inherited: by those below it.
    """

    path: tuple[Project, ...]
    inherited: Inheritance


_NO_INHERITANCE: Final = Inheritance((), (), ())
_NOTHING: Final = _Place((), _NO_INHERITANCE)


class ProjectTree:
    """The projects and domains of one revision.

    Args:
        select: returns the rows of an SQL statement with its parameters.
    """

    def __init__(self, select: Callable[[str, Sequence[object]], list[Any]]) -> None:
        self._select = select
        # Domains, and projects with others below them.
        self._places: dict[Id, _Place] = {}

    def find(self, project_id: Id) -> Project | None:
        """Return a project or domain that may have others below it."""
        path = (self._places.get(project_id) or self._read_place(project_id)).path
        return path[0] if path else None

    def scope(self, project_id: Id) -> Scope:
        """Return a project with what is above it; the path is empty if there is no such project.

        A path that ends below a domain has a missing ancestor, or is a circle.
        """
        project = self._read(project_id)
        if project is None:
            return Scope((), _NO_INHERITANCE)
        parent_id = project.parent_id
        if parent_id is None:
            return Scope((project,), _NO_INHERITANCE)
        above = self._places.get(parent_id) or self._read_place(parent_id)
        return Scope((project, *above.path), above.inherited)

    def _read(self, project_id: Id) -> Project | None:
        rows = self._select(_PROJECT, (project_id,))
        if not rows:
            return None
        identifier, name, domain_id, parent_id, enabled, is_domain = rows[0]
        return Project(identifier, name, domain_id, parent_id, enabled == 1, is_domain == 1)

    def _read_place(self, project_id: Id) -> _Place:
        """Read what is not known of a path, from the bottom up, and keep it."""
        unknown: list[Project] = []
        place = _NOTHING
        next_id: Id | None = project_id
        while next_id is not None and len(unknown) < _DEEPEST_TREE:
            known = self._places.get(next_id)
            if known is not None:
                place = known
                break
            project = self._read(next_id)
            if project is None:
                break
            unknown.append(project)
            next_id = project.parent_id
        is_whole = len(unknown) + len(place.path) < _DEEPEST_TREE
        for project in reversed(unknown):
            place = self._below(place, project)
            # Of a longer path only the beginning is right.
            if is_whole and len(self._places) < _MOST_PLACES:
                self._places[project.id] = place
        return place

    def _below(self, above: _Place, project: Project) -> _Place:
        inherited = above.inherited
        found = self._select(_INHERITED_FROM, (project.id,))
        if found:
            assignments = (*inherited.assignments, *found)
            if len(assignments) <= MOST_INHERITED:
                groups = {actor_id for actor_id, is_group, _ in assignments if is_group}
                inherited = Inheritance(assignments, tuple(groups), inherited.targets)
            else:
                inherited = inherited._replace(targets=(*inherited.targets, project.id))
        return _Place((project, *above.path), inherited)
