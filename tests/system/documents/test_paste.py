"""doc/paste.rst as a newcomer follows it, from an empty directory."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import webtest
from paste.deploy import loadapp

from authmw.testing import Personas
from tests.system.documents.documents import read_blocks, write_files
from tests.system.documents.shell import follow, open_shell


def test_paste(tmp_path: Path) -> None:
    with open_shell(tmp_path, {"python": "", "gunicorn": "-m gunicorn"}) as shell:
        assert follow(shell, "paste.rst", is_pasted=True) == 3


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
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "inventory", raising=False)
    app = webtest.TestApp(
        loadapp("config:inventory.ini", relative_to=str(tmp_path), global_conf=authmw_options)
    )
    reader = authmw_personas.project_reader("inventory")
    # The file's accept_bearer, and not its www_authenticate_uri, which the test has given.
    app.get("/", headers={"Authorization": f"Bearer {reader.token}"}, status=200)
    assert nowhere not in app.get("/", status=401).headers["WWW-Authenticate"]
