"""`authmw bundle export` of a real Keystone's SQLite database, and of its API."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from authmw.bundle.export import export as export_source
from authmw.bundle.export.api import ApiFacts
from authmw.bundle.export.api_client import ApiClient
from authmw.bundle.facts import TABLES
from authmw.bundle.file import Origin, open_bundle, verify_bundle
from authmw.cli import main
from authmw.cli.key_sources import read_settings
from authmw.config.auth_plugin import load_auth_plugin
from authmw.errors import BundleUnreadable
from tests.bundle.full_world import WORLD
from tests.bundle.keystone_worlds import CONFIGURATION, KeystoneOfWorlds
from tests.bundle.served_worlds import ServedWorlds
from tests.support.keystone_world import SECRET

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(keystone_of_worlds: KeystoneOfWorlds) -> KeystoneOfWorlds:
    """A Keystone with something of everything."""
    assert keystone_of_worlds.build(WORLD)["ignored"] == 0
    return keystone_of_worlds


@pytest.fixture(scope="module")
def served(
    site: KeystoneOfWorlds, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServedWorlds]:
    server = ServedWorlds(site, tmp_path_factory.mktemp("served"))
    server.start(deadline_seconds=90)
    yield server
    server.stop()


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return tmp_path / "bundle"


def export(site: KeystoneOfWorlds | ServedWorlds, bundle: Path, *arguments: str) -> int:
    configuration = ["--keystone-config", str(site.configuration_file)]
    return main(["bundle", "export", str(bundle), *configuration, *arguments])


def rows_of(path: Path) -> dict[str, set[tuple[Any, ...]]]:
    with open_bundle(path) as bundle:
        return {table.name: set(bundle.rows(table)) for table in TABLES}


def test_bundle_is_written_and_has_everything(
    site: KeystoneOfWorlds, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(site, bundle, "--json") == 0
    written = json.loads(capsys.readouterr().out)
    header = verify_bundle(bundle)
    assert written["digest"] == header.digest.hex()
    assert written["rows"] == header.row_count
    assert header.origin.revision == 1
    assert header.origin.source == "sqlite of Keystone 2026.1"
    assert header.origin.revocation_polled_at == header.origin.read_at
    # [token] expiration and [revoke] expiration_buffer: older events are deleted.
    assert header.origin.revocation_complete_from == header.origin.read_at - 3600 - 1800 + 1
    assert all(rows_of(bundle).values())


def test_each_export_is_the_next_revision(site: KeystoneOfWorlds, bundle: Path) -> None:
    for arguments in ([], [], ["--revision", "41"], []):
        assert export(site, bundle, *arguments) == 0
    with open_bundle(bundle) as opened:
        assert opened.header.origin.revision == 42


def test_failed_export_leaves_the_bundle_that_was_there(
    site: KeystoneOfWorlds, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(site, bundle) == 0
    before = bundle.read_bytes()
    database = shutil.copy(site.database_url.removeprefix("sqlite:///"), tmp_path / "other.db")
    with closing(sqlite3.connect(database)) as connection:
        # Of a table that is read late.
        connection.execute("UPDATE revocation_event SET revoked_at = 'never'")
        connection.commit()
    (tmp_path / "url").write_text(f"sqlite:///{database}\n")
    assert export(site, bundle, "--connection-file", str(tmp_path / "url")) == 1
    assert "'revocation_events' can't be read" in capsys.readouterr().err
    assert bundle.read_bytes() == before
    assert {each.name for each in tmp_path.iterdir()} == {"bundle", "other.db", "url"}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "--keystone-config"),
        (["--keystone-config", "/nowhere/keystone.conf"], "/nowhere/keystone.conf"),
        (["--keystone-config", "/dev/null"], "names no database"),
        (["--keystone-config", "/dev/null", "--connection-file", "/dev/null"], "has no URL"),
        (["--api"], "--api needs --config-file"),
        (["--api", "--config-file", "x", "--connection-file", "y"], "leave out --connection-file"),
    ],
)
def test_wrong_arguments_are_named(
    arguments: list[str], reason: str, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bundle", "export", str(bundle), *arguments]) == 2
    said = capsys.readouterr().err
    assert said.startswith("bundle: ")
    assert reason in said
    assert not bundle.exists()


def test_no_message_has_the_databases_password(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configuration = tmp_path / "keystone.conf"
    for url in ("postgresql+psycopg://u:topsecret@127.0.0.1:1/x", "mysql+pymysql://u:topsecret@:x"):
        configuration.write_text(f"[database]\nconnection = {url}\n")
        arguments = ["bundle", "export", str(bundle), "--keystone-config", str(configuration)]
        assert main(arguments) == 1
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert "topsecret" not in said


# --- the part of one site


@pytest.fixture(scope="module")
def whole(site: KeystoneOfWorlds, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "bundle"
    assert export(site, path) == 0
    return path


def test_unknown_ids_of_a_filter_are_named(
    site: KeystoneOfWorlds, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for option in ("--domain", "--project", "--region"):
        assert export(site, bundle, option, "nonesuch") == 1
        assert "with the id nonesuch" in capsys.readouterr().err
    assert export(site, bundle, "--project", "default") == 1
    assert not bundle.exists()


def test_region_chooses_endpoints_alone(
    site: KeystoneOfWorlds, whole: Path, bundle: Path, tmp_path: Path
) -> None:
    database = shutil.copy(site.database_url.removeprefix("sqlite:///"), tmp_path / "other.db")
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("INSERT INTO region (id, description) VALUES ('elsewhere', '')")
        changed = connection.execute(
            "UPDATE endpoint SET region_id = 'elsewhere' WHERE url LIKE 'http://nova%'"
        )
        assert changed.rowcount
        connection.commit()
    (tmp_path / "url").write_text(f"sqlite:///{database}")
    where = ["--connection-file", str(tmp_path / "url")]
    assert export(site, bundle, *where, "--region", "elsewhere") == 0
    part, everything = rows_of(bundle), rows_of(whole)
    assert len(part["endpoints"]) == changed.rowcount < len(everything["endpoints"])
    for name in set(part) - {"endpoints", "settings"}:
        assert part[name] == everything[name]
    assert part["settings"] - everything["settings"] == {("filter", '{"regions":["elsewhere"]}')}


# --- the API


def test_api_says_what_the_database_says(
    served: ServedWorlds, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service = served.write_service_configuration(tmp_path / "service.conf")
    assert export(served, tmp_path / "by_sql") == 0
    assert export(served, bundle, "--api", "--config-file", str(service)) == 0, (
        capsys.readouterr().err
    )
    by_sql, by_api = rows_of(tmp_path / "by_sql"), rows_of(bundle)
    for rows in (by_sql, by_api):
        # Which identity provider gave a membership is not said, nor fractions of seconds.
        name = "expiring_memberships"
        rows[name] = {(user, group, "", expires) for user, group, _, expires in rows[name]}
        rows["trusts"] = {
            (*row[:5], row[5] and row[5] // 1_000_000, *row[6:]) for row in rows["trusts"]
        }
    assert {
        name: by_sql[name] ^ by_api[name] for name in by_sql if by_sql[name] != by_api[name]
    } == {}
    assert not (tmp_path / "bundle.answers").exists()


def test_interrupted_export_by_the_api_goes_on(
    served: ServedWorlds, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = read_settings(None, str(served.write_service_configuration(tmp_path / "service")))
    plugin = load_auth_plugin(settings.auth)
    assert plugin is not None
    answers = tmp_path / "answers"
    asked: list[list[str]] = []
    for interrupt_at in (8, 0, 0):
        asked.append([])
        with ApiClient(settings, plugin, answers) as client:

            def note(path: str, interrupt_at: int = interrupt_at) -> None:
                asked[-1].append(path)
                if len(asked[-1]) == interrupt_at:
                    raise KeyboardInterrupt

            client.on_request = note
            source = ApiFacts(client, CONFIGURATION)
            try:
                export_source(source, bundle, Origin(1, source.read_at, "the API"))
            except KeyboardInterrupt:
                assert interrupt_at
            else:
                assert not interrupt_at
    assert len(asked[0]) == 8
    assert asked[1][0] == asked[0][-1]
    assert not {*asked[0][:-1]} & {*asked[1]}
    # Nothing is asked twice, not even by an export that was not told to forget.
    assert len(asked[1]) == len(set(asked[1]))
    assert not asked[2]
    assert answers.stat().st_mode & 0o777 == 0o600
    assert SECRET.encode() not in answers.read_bytes()


def test_answers_file_that_another_export_uses_is_refused(
    served: ServedWorlds, tmp_path: Path
) -> None:
    settings = read_settings(None, str(served.write_service_configuration(tmp_path / "service")))
    plugin = load_auth_plugin(settings.auth)
    assert plugin is not None
    with (
        ApiClient(settings, plugin, tmp_path / "answers"),
        pytest.raises(BundleUnreadable, match="locked"),
    ):
        ApiClient(settings, plugin, tmp_path / "answers")
