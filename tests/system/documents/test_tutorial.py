"""doc/tutorial.rst as a newcomer follows it: its files, its commands, what they print."""

from __future__ import annotations

import logging
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.programs import ROOT
from tests.system.documents.documents import read_blocks
from tests.system.documents.shell import Shell, follow, open_shell

LOG = logging.getLogger(__name__)

# What the tutorial's title promises, reading not counted.
_PROMISED_SECONDS = 300


def test_every_step_of_the_tutorial_comes_to_what_it_says(tmp_path: Path) -> None:
    with open_shell(tmp_path, {"python": "", "flask": "-m flask"}) as shell:
        assert follow(shell, "tutorial.rst", is_pasted=True) == 6


@pytest.mark.slow
def test_who_has_nothing_but_python_and_a_clone_is_there_in_five_minutes(tmp_path: Path) -> None:
    """How long the commands take is logged (pytest --log-cli-level=INFO)."""
    with open_shell(tmp_path, {"python3": ""}) as shell:
        skip_without_index(shell)
        # Beside the empty directory, as the tutorial has it; pip builds in there.
        shutil.copytree(ROOT, tmp_path / "authmw", ignore=_not_cloned)
        began_at = time.monotonic()
        assert follow(shell, "tutorial.rst", is_installing=True, is_pasted=True) == 6
        took_seconds = time.monotonic() - began_at
        LOG.info("%5.1f s  all commands of the tutorial", took_seconds)
        used = Path(shell.run('python -c "import authmw; print(authmw.__file__)"').strip())
    assert used.is_relative_to(tmp_path / "work" / "env")
    assert took_seconds < _PROMISED_SECONDS


def _not_cloned(directory: str, names: list[str]) -> set[str]:
    """Return what a clone would not have; setuptools leaves build/ and dist/ at the top."""
    made = {"build", "dist"} if Path(directory) == ROOT else set()
    ignored = shutil.ignore_patterns(".*", "*.egg-info", "__pycache__")
    return ignored(directory, names) | made & set(names)


def skip_without_index(shell: Shell) -> None:
    try:
        shell.run("python3 -m pip download --quiet --no-deps --dest ../reachable flask")
    except (AssertionError, subprocess.TimeoutExpired):
        pytest.skip("no package index can be reached from here")


def test_the_install_step_names_what_the_rest_needs() -> None:
    (install,) = [block for block in read_blocks("tutorial.rst") if "class" in block.options]
    assert install.text.splitlines()[-1] == "$ pip install ../authmw flask pytest"
