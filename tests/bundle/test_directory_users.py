"""Users of a directory, which are not in Keystone's database, in a real Keystone."""

from __future__ import annotations

import json
import os
import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from authmw.authority.keystone_claims import parse_keystone_claims
from authmw.bundle.evaluate import evaluate
from authmw.bundle.file import open_bundle
from authmw.cli import main
from authmw.errors import FactUnknown
from tests.bundle.full_world import WORLD
from tests.bundle.keystone_worlds import KeystoneOfWorlds
from tests.bundle.served_worlds import ServedWorlds
from tests.support.bundles import normalize, read_claims
from tests.support.directory_site import FILE_VARIABLE, install_entry_point
from tests.support.identity_api import IdentityApi
from tests.support.identity_types import IssuedToken, PasswordUser
from tests.support.keystone_site import ADMIN_PASSWORD
from tests.support.programs import ROOT

pytestmark = pytest.mark.slow

_PEOPLE: dict[str, Any] = {
    "users": {
        "ann": {"name": "Ann", "enabled": True, "password": "made up for ann"},
        "bob": {"name": "Bob", "enabled": False, "password": "made up for bob"},
    },
    "groups": {"staff": {"name": "Staff"}, "others": {"name": "Others"}},
    "members": {"staff": ["ann"], "others": ["bob"]},
}


@dataclass
class Site:
    """A served Keystone with a directory, and the token of a user of it."""

    server: ServedWorlds
    domain_id: str
    people: Path
    token: IssuedToken

    def export(self, path: Path, *arguments: str) -> int:
        configuration = ["--keystone-config", str(self.server.configuration_file)]
        return main(["bundle", "export", str(path), *configuration, *arguments])

    def judge(self, path: Path) -> dict[str, Any]:
        claims = read_claims(self.token.id)
        with open_bundle(path) as bundle:
            return evaluate(
                parse_keystone_claims(claims),
                issued_at=claims["iat"],
                expires_at=claims["exp"],
                now=time.time(),
                facts=bundle.facts,
            )


@pytest.fixture(scope="module")
def own_keystone(
    new_keystone_site: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KeystoneOfWorlds]:
    """A Keystone that no other test shares: users of a directory stay in its database."""
    keystone = KeystoneOfWorlds(tmp_path_factory.mktemp("worlds"), new_site=new_keystone_site)
    yield keystone
    keystone.stop()


@pytest.fixture(scope="module")
def site(
    own_keystone: KeystoneOfWorlds, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    own_keystone.build(WORLD)
    directory = tmp_path_factory.mktemp("directory")
    name, domain_id = f"dir{uuid.uuid4().hex[:8]}", uuid.uuid4().hex
    path = own_keystone.database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, timeout=30)) as database:
        database.execute(
            "INSERT INTO project (id, name, domain_id, enabled, is_domain, extra) "
            "VALUES (?, ?, '<<keystone.domain.root>>', 1, 1, '{}')",
            (domain_id, name),
        )
        database.commit()
        project_id = database.execute(
            "SELECT id FROM project WHERE name = 'admin' AND is_domain = 0"
        ).fetchone()[0]
        role_id = database.execute("SELECT id FROM role WHERE name = 'member'").fetchone()[0]
    (directory / "domains").mkdir()
    (directory / "domains" / f"keystone.{name}.conf").write_text("[identity]\ndriver = directory\n")
    people = directory / "people.json"
    people.write_text(json.dumps(_PEOPLE))
    install_entry_point(directory / "drivers")
    server = ServedWorlds(
        own_keystone,
        directory,
        options=(
            "[identity]\ndomain_specific_drivers_enabled = true\n"
            f"domain_config_dir = {directory}/domains\n"
        ),
        environ={
            "PYTHONPATH": os.pathsep.join([str(directory / "drivers"), str(ROOT)]),
            FILE_VARIABLE: str(people),
        },
    )
    server.start(deadline_seconds=90)
    try:
        api = IdentityApi(f"{server.url}/v3", admin_password=ADMIN_PASSWORD)

        def find(kind: str, wanted: str) -> str:
            listed = api.call("GET", f"/{kind}?domain_id={domain_id}").json()[kind]
            return str(next(each["id"] for each in listed if each["name"] == wanted))

        path = f"/projects/{project_id}/groups/{find('groups', 'Staff')}/roles/{role_id}"
        api.call("PUT", path)
        ann = PasswordUser(find("users", "Ann"), "Ann", "made up for ann")
        token = api.issue(ann, {"project": {"id": project_id}})
        yield Site(server, domain_id, people, api.validate(token))
    finally:
        server.stop()


def test_users_of_a_directory_are_read_by_the_api(site: Site, tmp_path: Path) -> None:
    service = site.server.write_service_configuration(tmp_path / "service.conf")
    assert site.export(tmp_path / "bundle", "--config-file", str(service)) == 0
    body = site.judge(tmp_path / "bundle")
    assert normalize(body) == normalize(dict(site.token.body))
    assert body["user"]["name"] == "Ann"
    assert "member" in {role["name"] for role in body["roles"]}
    # One who never logged in is there as well, and disabled.
    with open_bundle(tmp_path / "bundle") as bundle:
        rows = bundle.select("SELECT enabled, is_resolved FROM users WHERE name = 'Bob'")
        assert list(rows) == [(0, 1)]
    assert b"made up for" not in (tmp_path / "bundle").read_bytes()


def test_without_the_api_they_are_not_resolved(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert site.export(tmp_path / "bundle") == 0
    with pytest.raises(FactUnknown):
        site.judge(tmp_path / "bundle")
    capsys.readouterr()
    assert main(["bundle", "inspect", str(tmp_path / "bundle")]) == 0
    assert "unknown users 1 of directories, not resolved" in capsys.readouterr().out


def test_user_whom_the_directory_has_no_more_is_not_resolved(site: Site, tmp_path: Path) -> None:
    service = site.server.write_service_configuration(tmp_path / "service.conf")
    others = {**_PEOPLE, "users": {"bob": _PEOPLE["users"]["bob"]}, "members": {}}
    site.people.write_text(json.dumps(others))
    try:
        assert site.export(tmp_path / "bundle", "--config-file", str(service)) == 0
    finally:
        site.people.write_text(json.dumps(_PEOPLE))
    with pytest.raises(FactUnknown):
        site.judge(tmp_path / "bundle")
