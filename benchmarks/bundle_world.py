"""The facts of a made-up cloud, of any size: the same ones for the same size.

    python -m benchmarks.bundle_world FILE [ASSIGNMENTS]

writes them as a bundle. A project has 50 assignments, half of them to users and half to groups.
Fifty projects make a tree: four stand one above the other, with two inherited assignments on the
top one, and the others below the fourth. A user is in ten groups, a group has some hundred users.
"""

from __future__ import annotations

import functools
import hashlib
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from authmw.bundle.file import Origin, write_bundle
from authmw.bundle.file.rows import Row

READ_AT = 1_750_000_000
# Projects of one tree, and of the path from its leaves to its top.
TREE = 50
DEPTH = 5
GROUPS_OF_A_USER = 10

_ASSIGNMENTS_OF_A_PROJECT = 50
_EACH_KIND = _ASSIGNMENTS_OF_A_PROJECT // 2
_PROJECTS_OF_A_DOMAIN = 500
_ROLES = ("admin", "manager", "member", "reader", *(f"role-{number}" for number in range(16)))
_SERVICES = ("identity", "compute", "network", "image", "volumev3", "placement", "object-store")
# The others have the same URLs for every project.
_PATHS = {"volumev3": "/$(project_id)s", "object-store": "/AUTH_$(project_id)s"}


@dataclass(frozen=True, slots=True)
class World:
    """A cloud with about so many assignments.

    Attributes:
        assignments: a multiple of 50 projects' assignments is best.
    """

    assignments: int

    @property
    def projects(self) -> int:
        return max(TREE, self.assignments // _ASSIGNMENTS_OF_A_PROJECT)

    @property
    def users(self) -> int:
        return max(100, self.projects)

    @property
    def groups(self) -> int:
        return max(100, self.users // 10)

    def groups_of(self, user: int) -> list[int]:
        """Return the ten groups of a user."""
        return random.Random(user).sample(range(self.groups), GROUPS_OF_A_USER)

    def rows(self) -> Iterator[tuple[str, Row]]:
        """Yield all rows, those of one table one after the other."""
        yield from self._catalog()
        for number, name in enumerate(_ROLES):
            yield "roles", (identifier("role", number), name, None, "{}")
        for prior, implied in ((0, 1), (1, 2), (2, 3)):
            yield "implied_roles", (identifier("role", prior), identifier("role", implied))
        yield from self._projects()
        for user in range(self.users):
            row = (identifier("user", user), f"user-{user}", self._domain(user), 1, None, None, 1)
            yield "users", row
        for group in range(self.groups):
            yield "groups", (identifier("group", group), f"group-{group}", self._domain(group))
        for user in range(self.users):
            for group in self.groups_of(user):
                yield "memberships", (identifier("user", user), identifier("group", group))
        for project in range(self.projects):
            yield from self._assignments(project)

    def _domain(self, number: int) -> bytes:
        return identifier("domain", number // _PROJECTS_OF_A_DOMAIN)

    def _projects(self) -> Iterator[tuple[str, Row]]:
        for domain in range((self.projects - 1) // _PROJECTS_OF_A_DOMAIN + 1):
            row = (identifier("domain", domain), f"domain-{domain}", None, None, 1, 1)
            yield "projects", row
        for project in range(self.projects):
            domain_id = self._domain(project)
            place = project % TREE
            above = project - 1 if place < DEPTH else project - place + DEPTH - 2
            parent_id = identifier("project", above) if place else domain_id
            name = f"project-{project}"
            yield "projects", (identifier("project", project), name, domain_id, parent_id, 1, 0)

    def users_of(self, project: int) -> list[int]:
        """Return the users that have a role of their own on a project."""
        return random.Random(-1 - project).sample(range(self.users), _EACH_KIND)

    def _assignments(self, project: int) -> Iterator[tuple[str, Row]]:
        numbers = random.Random(-1 - project)
        target_id = identifier("project", project)
        for kind, count in (("user", self.users), ("group", self.groups)):
            for place, actor in enumerate(numbers.sample(range(count), _EACH_KIND)):
                inherited = int(project % TREE == 0 and place < 2)
                role_id = identifier("role", 2 + numbers.randrange(len(_ROLES) - 2))
                is_group = int(kind == "group")
                row = (target_id, inherited, identifier(kind, actor), is_group, 0, role_id)
                yield "assignments", row

    def _catalog(self) -> Iterator[tuple[str, Row]]:
        for number, name in enumerate(_SERVICES):
            service_id = identifier("service", number)
            yield "services", (service_id, name, name, 1)
            for place, interface in enumerate(("public", "internal", "admin")):
                url = f"https://{interface}.{name}.example/v3{_PATHS.get(name, '')}"
                endpoint_id = identifier("endpoint", number * 3 + place)
                row = (endpoint_id, service_id, interface, "region-1", url, 1, "{}")
                yield "endpoints", row


@functools.cache
def identifier(kind: str, number: int) -> bytes:
    """Return an id that looks like one of Keystone's; equal for equal arguments."""
    return hashlib.sha256(f"{kind} {number}".encode()).digest()[:16]


def write_world(path: Path, world: World) -> None:
    """Write a bundle with all rows of a world."""
    write_bundle(path, Origin(1, READ_AT, "made up for a benchmark", READ_AT, 0), world.rows())


def main() -> None:
    """Write the bundle that was asked for, and say what it took."""
    path, world = Path(sys.argv[1]), World(int((sys.argv[2:] or ["5000000"])[0]))
    start, processor = time.monotonic(), time.process_time()
    write_world(path, world)
    print(
        f"{path.stat().st_size / 1e6:.0f} MB in {time.monotonic() - start:.0f} s, "
        f"{time.process_time() - processor:.0f} s of processor time"
    )


if __name__ == "__main__":
    main()
