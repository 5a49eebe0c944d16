"""What the fixtures of every test do to a run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.programs import ROOT

_FILE = """
import pytest

@pytest.mark.flaky(reruns=1)
def test_fails():
    assert "this" == "that"

def test_is_left_out():
    pass
"""


@pytest.mark.heavy
def test_failure_that_ends_a_run_is_shown_after_its_reruns(tmp_path: Path) -> None:
    file = tmp_path / "test_file.py"
    file.write_text(_FILE)
    configuration = tmp_path / "pytest.ini"
    configuration.write_text("[pytest]\n")
    options = ["-x", "-n", "0", "-p", "tests.conftest", "-c", str(configuration)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert 'assert "this" == "that"' in done.stdout, done.stdout + done.stderr
    assert "KeyError" not in done.stdout + done.stderr
