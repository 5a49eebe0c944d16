"""Exports from a real PostgreSQL and a real MariaDB, with a real Keystone's database in each."""

from __future__ import annotations

import contextlib
import gc
import tempfile
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from sqlalchemy import Engine, MetaData, create_engine, inspect, select, text

from authmw.bundle.export import export as export_source
from authmw.bundle.export.reading import open_snapshot
from authmw.bundle.facts import TABLES, TABLES_BY_NAME, pack_id
from authmw.bundle.file import Origin, open_bundle, verify_bundle
from authmw.bundle.keystone_sql import KeystoneDatabase
from authmw.bundle.keystone_sql.columns import SOURCES
from authmw.cli import main
from authmw.errors import BundleUnreadable
from tests.bundle.full_world import WORLD
from tests.bundle.keystone_worlds import CONFIGURATION, KeystoneOfWorlds
from tests.bundle.test_differential import compare, read_events
from tests.bundle.worlds import worlds
from tests.support.bundles import facts_of
from tests.support.databases import MariaDB, PostgreSQL, find_mariadb, find_postgresql
from tests.support.keystone_world import SECRET

pytestmark = [pytest.mark.slow, pytest.mark.heavy]

_SERVERS: dict[str, tuple[Any, Any]] = {
    "postgresql": (PostgreSQL, lambda: find_postgresql("postgres")),
    "mariadb": (MariaDB, find_mariadb),
}
# Of a random world with some dozens of tokens.
_WORLDS = 3
_SHORTEST_SECRET = 12


@pytest.fixture(scope="module", params=sorted(_SERVERS))
def site(request: pytest.FixtureRequest) -> Iterator[KeystoneOfWorlds]:
    """A Keystone with something of everything, on each kind of server in turn."""
    kind, find = _SERVERS[request.param]
    if find() is None:
        pytest.skip(f"{request.param} is not installed: .ci/need databases")
    # The path of a socket has at most 107 characters.
    with tempfile.TemporaryDirectory(prefix="db-", dir="/tmp") as directory:
        server = kind(Path(directory))
        server.start(deadline_seconds=120)
        try:
            (Path(directory) / "site").mkdir()
            keystone = KeystoneOfWorlds(
                Path(directory) / "site", database_url=server.create_database("keystone")
            )
            try:
                assert keystone.build(WORLD)["ignored"] == 0
                yield keystone
            finally:
                keystone.stop()
        finally:
            server.stop()


@pytest.fixture
def engine(site: KeystoneOfWorlds) -> Iterator[Engine]:
    engine = create_engine(site.database_url)
    yield engine
    engine.dispose()


def export(site: KeystoneOfWorlds, path: Path, *arguments: str) -> int:
    configuration = ["--keystone-config", str(site.configuration_file)]
    return main(["bundle", "export", str(path), *configuration, *arguments])


def test_bundle_has_everything_and_nothing_that_is_not_allowed(
    site: KeystoneOfWorlds, engine: Engine, tmp_path: Path
) -> None:
    assert export(site, tmp_path / "bundle") == 0
    header = verify_bundle(tmp_path / "bundle")
    assert header.origin.source.endswith(" of Keystone 2026.1")
    with open_bundle(tmp_path / "bundle") as bundle:
        assert not [table.name for table in TABLES if not list(bundle.rows(table))]
    allowed: set[str] = set()
    others: set[str] = set()
    metadata = MetaData()
    metadata.reflect(engine)
    with engine.connect() as connection:
        for name, table in metadata.tables.items():
            read = SOURCES[name].c.keys() if name in SOURCES else ()
            for column in table.columns:
                values = connection.scalars(select(column).distinct()).all()
                texts = {value for value in values if isinstance(value, str)}
                (allowed if column.name in read else others).update(texts)
    secrets = {each for each in others - allowed if len(each) >= _SHORTEST_SECRET}
    assert len([each for each in secrets if each.startswith("$2b$")]) >= 5
    content = (tmp_path / "bundle").read_bytes()
    for each in [*secrets, SECRET]:
        packed = pack_id(each)
        assert each.encode() not in content
        assert not isinstance(packed, bytes) or packed not in content


def test_bundle_says_what_keystone_says(site: KeystoneOfWorlds) -> None:
    @settings(
        max_examples=_WORLDS,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(world=worlds())
    def compare_world(world: dict[str, Any]) -> None:
        built = site.build(world)
        assert built["answers"]
        with facts_of(site.database_url, CONFIGURATION, newer_by=3600) as facts:
            events = read_events(facts)
            for answer in built["answers"]:
                compare(facts, events, answer)

    compare_world()


def assignments_of(site: KeystoneOfWorlds, path: Path) -> list[Any]:
    assert export(site, path) == 0
    with open_bundle(path) as bundle:
        return list(bundle.rows(TABLES_BY_NAME["assignments"]))


def test_identifiers_in_another_case_are_what_the_database_takes_them_for(
    site: KeystoneOfWorlds, engine: Engine, tmp_path: Path
) -> None:
    """MariaDB finds the assignments of a user whose id Keystone's API was given in capitals."""
    before = assignments_of(site, tmp_path / "before")
    find = text("SELECT count(*) FROM assignment WHERE actor_id = :actor")
    with engine.begin() as connection:
        actor = connection.scalar(
            text("SELECT actor_id FROM assignment WHERE type = 'UserProject' AND actor_id <> ''")
        )
        found = connection.scalar(find, {"actor": actor})
        connection.execute(
            text("UPDATE assignment SET actor_id = UPPER(actor_id) WHERE actor_id = :actor"),
            {"actor": actor},
        )
    try:
        with engine.connect() as connection:
            is_found = connection.scalar(find, {"actor": actor}) == found
        assert is_found == (engine.dialect.name == "mysql")
        after = assignments_of(site, tmp_path / "after")
        assert (after == before) == is_found
    finally:
        with engine.begin() as connection:
            connection.execute(
                text("UPDATE assignment SET actor_id = LOWER(actor_id) WHERE actor_id = :actor"),
                {"actor": actor.upper()},
            )
    assert assignments_of(site, tmp_path / "again") == before


class Mover:
    """A user who is in a group, or has the group's role by an assignment: never both or neither."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        with engine.connect() as connection:
            statement = text("SELECT user_id, group_id FROM user_group_membership LIMIT 1")
            self.user_id, self.group_id = connection.execute(statement).one()
            self._role = connection.scalar(text("SELECT id FROM role LIMIT 1"))
        # Of nobody else.
        self._target = uuid.uuid4().hex
        self.is_member = True

    def move(self) -> None:
        """Move the user, in one transaction."""
        ids = {"user": self.user_id, "group": self.group_id}
        grant = {"user": self.user_id, "target": self._target, "role": self._role}
        remove_member = "DELETE FROM user_group_membership WHERE user_id = :user"
        add_member = "INSERT INTO user_group_membership (user_id, group_id) VALUES (:user, :group)"
        grant_role = (
            "INSERT INTO assignment (type, actor_id, target_id, role_id, inherited) "
            "VALUES ('UserDomain', :user, :target, :role, :no)"
        )
        revoke_role = (
            "DELETE FROM assignment WHERE type = 'UserDomain' AND actor_id = :user "
            "AND target_id = :target AND role_id = :role"
        )
        with self._engine.begin() as connection:
            if self.is_member:
                connection.execute(text(remove_member), {"user": self.user_id})
                connection.execute(text(grant_role), {**grant, "no": False})
            else:
                connection.execute(text(add_member), ids)
                connection.execute(text(revoke_role), grant)
        self.is_member = not self.is_member

    def rights(self, memberships: set[Any], assignments: set[Any]) -> tuple[bool, bool]:
        """Tell from facts whether the user is a member, and has the role."""
        user = pack_id(self.user_id)
        return (
            (user, pack_id(self.group_id)) in memberships,
            any(
                row[2] == user and row[0] == pack_id(self._target) and row[4] == 1
                for row in assignments
            ),
        )


def test_snapshot_has_a_user_on_one_side_of_a_move(site: KeystoneOfWorlds, engine: Engine) -> None:
    mover = Mover(engine)
    members, grants = TABLES_BY_NAME["memberships"], TABLES_BY_NAME["assignments"]
    for _ in range(2):
        before = (mover.is_member, not mover.is_member)
        with KeystoneDatabase(site.database_url, CONFIGURATION).snapshot() as snapshot:
            # The state is fixed before the first table is read.
            mover.move()
            memberships = set(snapshot.rows(members))
            mover.move()
            mover.move()
            assignments = set(snapshot.rows(grants))
        assert mover.rights(memberships, assignments) == before


def test_exports_beside_moves_never_find_a_right_that_never_was(
    site: KeystoneOfWorlds, engine: Engine, tmp_path: Path
) -> None:
    mover = Mover(engine)
    ended = threading.Event()

    def go_on_moving() -> None:
        while not ended.is_set():
            mover.move()
        if not mover.is_member:
            mover.move()

    thread = threading.Thread(target=go_on_moving)
    thread.start()
    seen = set()
    try:
        for _ in range(12):
            assert export(site, tmp_path / "bundle") == 0
            with open_bundle(tmp_path / "bundle") as bundle:
                rights = mover.rights(
                    set(bundle.rows(TABLES_BY_NAME["memberships"])),
                    set(bundle.rows(TABLES_BY_NAME["assignments"])),
                )
            assert rights in {(True, False), (False, True)}
            seen.add(rights)
    finally:
        ended.set()
        thread.join()
    assert len(seen) == 2


def test_nothing_can_be_written_in_a_snapshot(site: KeystoneOfWorlds) -> None:
    with KeystoneDatabase(site.database_url, CONFIGURATION).snapshot() as snapshot:
        # By the driver: a snapshot's own statements use a cursor of the server's, for SELECT alone.
        cursor = snapshot._connection.connection.cursor()
        with pytest.raises(Exception, match=r"(?i)read.only transaction"):
            cursor.execute("DELETE FROM trust")


def test_unknown_schema_is_refused(
    site: KeystoneOfWorlds, engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with engine.begin() as connection:
        head = connection.scalars(text("SELECT version_num FROM alembic_version")).first()
        change = text("UPDATE alembic_version SET version_num = :new WHERE version_num = :old")
        connection.execute(change, {"new": "f00d", "old": head})
    try:
        assert export(site, tmp_path / "bundle") == 1
        assert "schema that is not known: " in capsys.readouterr().err
    finally:
        with engine.begin() as connection:
            connection.execute(change, {"new": head, "old": "f00d"})
    assert not (tmp_path / "bundle").exists()


# The driver of PostgreSQL warns of a cursor that can't be closed any more.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("read_ahead", [True, False])
def test_connection_that_is_cut_leaves_the_bundle_that_was_there(
    site: KeystoneOfWorlds, engine: Engine, tmp_path: Path, *, read_ahead: bool
) -> None:
    path = tmp_path / "bundle"
    assert export(site, path) == 0
    before = path.read_bytes()

    def cut(*_: object) -> None:
        with engine.connect() as connection:
            if engine.dialect.name == "postgresql":
                ids = text("SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction'")
                for each in connection.scalars(ids).all():
                    connection.execute(text(f"SELECT pg_terminate_backend({each})"))
            else:
                own = connection.scalar(text("SELECT connection_id()"))
                ids = text("SELECT id FROM information_schema.processlist WHERE user = 'root'")
                for each in connection.scalars(ids).all():
                    if each != own:
                        with contextlib.suppress(Exception):
                            connection.execute(text(f"KILL {each}"))

    with (
        pytest.raises(BundleUnreadable, match=r"'\w+' can't be read: (?!.*has ended)"),
        open_snapshot(site.database_url, CONFIGURATION, read_ahead=read_ahead) as snapshot,
    ):
        export_source(snapshot, path, Origin(2, snapshot.read_at, "cut"), cut)
    gc.collect()
    assert path.read_bytes() == before


def test_every_table_that_is_read_is_there(engine: Engine) -> None:
    columns = inspect(engine)
    for name, source in SOURCES.items():
        there = {column["name"] for column in columns.get_columns(name)}
        assert set(source.c.keys()) <= there
