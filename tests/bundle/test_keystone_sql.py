"""Facts from a real Keystone's database: nothing secret, one state, no schema that is not known."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from authmw.bundle.facts import TABLES, TABLES_BY_NAME, pack_id
from authmw.bundle.keystone_sql import Configuration, KeystoneDatabase
from authmw.bundle.keystone_sql.columns import KNOWN_SCHEMAS, SOURCES
from authmw.bundle.keystone_sql.queries import QUERIES
from authmw.errors import BundleUnreadable
from tests.bundle.full_world import WORLD
from tests.bundle.keystone_worlds import CONFIGURATION, KeystoneOfWorlds
from tests.support.bundles import export
from tests.support.keystone_world import SECRET
from tests.support.programs import run_python

pytestmark = pytest.mark.slow

# Values that are in columns that are read as well as in ones that are not.
_SHORTEST_SECRET = 12


@pytest.fixture(scope="module")
def database_file(
    keystone_of_worlds: KeystoneOfWorlds, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A copy of the database of a Keystone that has something of everything."""
    built = keystone_of_worlds.build(WORLD)
    assert [answer["status"] for answer in built["answers"]] == [200]
    assert built["ignored"] == 0
    path = tmp_path_factory.mktemp("database") / "keystone.db"
    shutil.copy(keystone_of_worlds.database_url.removeprefix("sqlite:///"), path)
    return path


@pytest.fixture
def own_database(database_file: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copy(database_file, tmp_path / "own.db"))


@pytest.fixture(scope="module")
def bundle(database_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file with the facts of that database."""
    path = tmp_path_factory.mktemp("bundle") / "facts.db"
    with closing(sqlite3.connect(path)) as file:
        export(f"sqlite:///{database_file}", CONFIGURATION, file)
    return path


def open_snapshot(path: Path, configuration: Configuration = CONFIGURATION) -> Any:
    return KeystoneDatabase(f"sqlite:///{path}", configuration).snapshot()


def read_all(path: Path) -> None:
    with open_snapshot(path) as snapshot:
        for table in TABLES:
            list(snapshot.rows(table))


def test_every_table_has_rows(bundle: Path) -> None:
    with closing(sqlite3.connect(bundle)) as file:
        empty = [
            table.name
            for table in TABLES
            if not file.execute(f'SELECT 1 FROM "{table.name}"').fetchone()
        ]
    assert not empty


def test_every_table_of_facts_has_its_query() -> None:
    assert {*QUERIES, "settings"} == TABLES_BY_NAME.keys()


def test_nothing_that_is_not_allowed_is_in_the_file(database_file: Path, bundle: Path) -> None:
    allowed: set[str] = set()
    others: set[str] = set()
    with closing(sqlite3.connect(database_file)) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            columns = [row[1] for row in database.execute(f'PRAGMA table_info("{table}")')]
            read = SOURCES[table].c.keys() if table in SOURCES else ()
            for column in columns:
                values = database.execute(f'SELECT DISTINCT "{column}" FROM "{table}"').fetchall()
                texts = {value for (value,) in values if isinstance(value, str)}
                (allowed if column in read else others).update(texts)
    secrets = {each for each in others - allowed if len(each) >= _SHORTEST_SECRET}
    # Hashes of passwords and of secrets of application credentials, OAuth1 secrets.
    assert len([each for each in secrets if each.startswith("$2b$")]) >= 5
    content = bundle.read_bytes()
    packed = {each: pack_id(each) for each in [*secrets, SECRET]}
    found = [
        each
        for each, packed_value in packed.items()
        if each.encode() in content or (isinstance(packed_value, bytes) and packed_value in content)
    ]
    assert not found


def test_no_column_with_a_telling_name_is_read() -> None:
    telling = ("password", "secret", "hash", "blob", "credential_", "verifier")
    assert not [
        f"{table}.{column}"
        for table, source in SOURCES.items()
        for column in source.c.keys()  # noqa: SIM118
        if any(word in column for word in telling) and column not in ("application_credential_id",)
    ]


def test_unknown_schema_is_refused(own_database: Path) -> None:
    with closing(sqlite3.connect(own_database)) as database:
        database.execute("UPDATE alembic_version SET version_num = '0123' WHERE rowid = 1")
        database.commit()
    with pytest.raises(BundleUnreadable, match="0123"), open_snapshot(own_database):
        pass


def test_schema_of_every_known_release_can_be_read(tmp_path: Path) -> None:
    arguments: list[str] = []
    files = {release: tmp_path / f"{release}.db" for release in KNOWN_SCHEMAS.values()}
    for heads, release in KNOWN_SCHEMAS.items():
        arguments += [f"sqlite:///{files[release]}", ",".join(sorted(heads))]
    run_python("-m", "tests.support.keystone_schema", *arguments, timeout=120)
    for release, path in files.items():
        with open_snapshot(path, Configuration({})) as snapshot:
            assert snapshot.release == release
            rows = {table.name: list(snapshot.rows(table)) for table in TABLES}
        assert not any(rows.values())


def test_snapshot_is_of_one_time(own_database: Path) -> None:
    with closing(sqlite3.connect(own_database)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        before = writer.execute("SELECT count(*) FROM user_group_membership").fetchone()
        with open_snapshot(own_database) as snapshot:
            writer.execute("DELETE FROM user_group_membership")
            writer.commit()
            rows = list(snapshot.rows(TABLES_BY_NAME["memberships"]))
    assert (len(rows),) == before


def test_file_that_is_no_database_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "odd").write_text("no database at all" * 1000)
    with pytest.raises(BundleUnreadable), open_snapshot(tmp_path / "odd"):
        pass


@pytest.mark.parametrize("url", ["no url", "oracle://user:topsecret@host/x", "odd://a:topsecret@b"])
def test_unusable_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(BundleUnreadable) as refusal:
        KeystoneDatabase(url, CONFIGURATION)
    assert "topsecret" not in str(refusal.value)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE role SET extra = '{'",
        "UPDATE access_token SET role_ids = '{}'",
        "UPDATE assignment SET type = 'UserPlanet'",
        "UPDATE system_assignment SET target_id = 'planet'",
        "DELETE FROM access_rule",
    ],
)
def test_what_is_not_understood_is_refused(own_database: Path, statement: str) -> None:
    with closing(sqlite3.connect(own_database)) as database:
        assert database.execute(statement).rowcount
        database.commit()
    with pytest.raises(BundleUnreadable):
        read_all(own_database)


def test_directory_user_is_not_resolved(own_database: Path) -> None:
    with closing(sqlite3.connect(own_database)) as database:
        user_id, domain_id = database.execute(
            "SELECT user_id, domain_id FROM local_user"
        ).fetchone()
        database.execute(
            "INSERT INTO nonlocal_user (domain_id, name, user_id) VALUES (?, 'x', ?)",
            (domain_id, user_id),
        )
        database.commit()
    with open_snapshot(own_database) as snapshot:
        users = {row[0]: row[-1] for row in snapshot.rows(TABLES_BY_NAME["users"])}
    assert [user for user, resolved in users.items() if not resolved] == [pack_id(user_id)]


def test_inactive_users_are_disabled_from_a_day_on(own_database: Path) -> None:
    with closing(sqlite3.connect(own_database)) as database:
        database.execute("UPDATE user SET last_active_at = '2026-03-01'")
        exempt = database.execute("SELECT id FROM user").fetchone()[0]
        database.execute("INSERT INTO user_option VALUES (?, '1004', 'true')", (exempt,))
        database.commit()
    with open_snapshot(own_database, Configuration({}, inactive_days=30)) as snapshot:
        rows = list(snapshot.rows(TABLES_BY_NAME["users"]))
    disabled_from = {row[0]: row[4] for row in rows}
    assert disabled_from.pop(pack_id(exempt)) is None
    # 31 March 2026, 0:00 UTC.
    assert set(disabled_from.values()) == {1_774_915_200_000_000}
