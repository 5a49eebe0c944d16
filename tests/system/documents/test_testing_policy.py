"""The worked example of doc/testing_policy.rst, file by file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from authmw.testing import PERSONAS
from tests.system.documents.documents import read_blocks, write_files

pytestmark = pytest.mark.slow


def run_policy_tests(directory: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "test_policy.py", *more],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_matrix_passes_and_notices_a_rule_that_is_too_lax(tmp_path: Path) -> None:
    written = write_files(read_blocks("testing_policy.rst"), tmp_path)
    assert written == ["policies.py", "service.py", "test_policy.py"]
    finished = run_policy_tests(tmp_path)
    expected = 4 * len(PERSONAS) + 4 + 1
    assert (finished.returncode, f"{expected} passed" in finished.stdout) == (0, True), (
        finished.stdout + finished.stderr
    )
    policies = tmp_path / "policies.py"
    policies.write_text(policies.read_text().replace("role:manager and", "role:member and"))
    finished = run_policy_tests(tmp_path, "-k", "items:clear")
    assert "test_exactly_these_personas_may[items:clear-project_member]" in finished.stdout
    assert "1 failed, 12 passed" in finished.stdout
