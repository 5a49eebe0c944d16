"""doc/paste.rst as a newcomer follows it, from an empty directory."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import webtest
from paste.deploy import loadapp

from authmw.testing import Cloud, Personas
from tests.system.documents.documents import read_blocks, write_files
from tests.system.documents.shell import follow, open_shell


def test_paste(tmp_path: Path) -> None:
    with open_shell(tmp_path, {"python": "", "gunicorn": "-m gunicorn"}) as shell:
        assert follow(shell, "paste.rst", is_pasted=True) == 3


def load(
    directory: Path, options: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> webtest.TestApp:
    monkeypatch.syspath_prepend(directory)
    monkeypatch.delitem(sys.modules, "inventory", raising=False)
    app = loadapp("config:inventory.ini", relative_to=str(directory), global_conf=options)
    return webtest.TestApp(app)


def test_options_that_a_test_does_not_give_come_from_the_file(
    tmp_path: Path,
    authmw_options: dict[str, str],
    authmw_personas: Personas,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_files(read_blocks("paste.rst"), tmp_path)
    nowhere = "http://127.0.0.1:9"
    (tmp_path / "inventory.conf").write_text(
        f"[keystone_authtoken]\naccept_bearer = true\nwww_authenticate_uri = {nowhere}\n"
    )
    app = load(tmp_path, authmw_options, monkeypatch)
    reader = authmw_personas.project_reader("inventory")
    # The file's accept_bearer, and not its www_authenticate_uri, which the test has given.
    app.get("/", headers={"Authorization": f"Bearer {reader.token}"}, status=200)
    assert nowhere not in app.get("/", status=401).headers["WWW-Authenticate"]


def test_an_empty_file_will_do_and_options_may_be_added(
    tmp_path: Path,
    authmw_options: dict[str, str],
    authmw_cloud: Cloud,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_files(read_blocks("paste.rst"), tmp_path)
    (tmp_path / "inventory.conf").touch()
    app = load(tmp_path, authmw_options | {"token_validation": "remote"}, monkeypatch)
    personas = authmw_cloud.personas
    app.get("/", headers=personas.project_reader("inventory").headers, status=200)
    with authmw_cloud.outage():
        app.get("/", headers=personas.project_member("inventory").headers, status=503)
