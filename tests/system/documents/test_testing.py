"""The recipes of doc/testing.rst, file by file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.documents.documents import read_blocks, write_files

pytestmark = pytest.mark.slow

# The service of the recipes: it answers with the caller's roles.
SERVICE = """\
from typing import Any
import webtest

def service(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["HTTP_X_ROLES"].encode()]

def client_of(app: Any) -> Any:
    return webtest.TestApp(app)
"""


def run_pytest(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *arguments],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_recipes_do_what_they_say(tmp_path: Path) -> None:
    written = write_files(read_blocks("testing.rst"), tmp_path)
    assert written == [
        "test_roles.py",
        "test_time.py",
        "test_outage.py",
        "test_issuer.py",
        "test_who_may.py",
    ]
    (tmp_path / "service.py").write_text(SERVICE)
    first = run_pytest(tmp_path)
    assert "8 passed" in first.stdout, first.stdout + first.stderr
    assert "1 failed" in first.stdout
    assert "policy.txt is not there yet: --authmw-update-policy-matrix writes it" in first.stdout
    updated = run_pytest(tmp_path, "test_who_may.py", "--authmw-update-policy-matrix")
    assert updated.returncode == 0, updated.stdout + updated.stderr
    assert run_pytest(tmp_path, "test_who_may.py").returncode == 0
    rules = tmp_path / "test_who_may.py"
    rules.write_text(rules.read_text().replace('"role:admin"', '"role:manager"'))
    changed = run_pytest(tmp_path, "test_who_may.py")
    assert changed.returncode == 1
    assert "-items:clear" in changed.stdout
    assert "+items:clear" in changed.stdout
