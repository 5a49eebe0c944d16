"""What becomes of a command's output: a reader that goes away, a full disk, JSON."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from authmw.cli import main
from tests.support.programs import ROOT, run_python
from tests.support.signing import public_pem

pytestmark = pytest.mark.heavy


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o755)
    for number in range(3):
        path = keys / f"{number}.pem"
        path.write_bytes(public_pem("ES256", number))
        path.chmod(0o644)
    return keys


def run_shell(script: str, *arguments: object) -> tuple[str, str]:
    """Run a shell script whose $0 is Python; returns standard output and standard error."""
    finished = subprocess.run(
        ["bash", "-c", script, sys.executable, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return finished.stdout, finished.stderr


def test_a_reader_that_goes_away_ends_the_command_in_silence(repository: Path) -> None:
    # The reader is gone before the command has begun.
    script = (
        'mkfifo "$2"; : < "$2" & exec 3> "$2"; wait; "$0" -m authmw keys list "$1" >&3; echo $?'
    )
    assert run_shell(script, repository, repository.parent / "pipe") == ("141\n", "")


def test_a_full_disk_is_said_in_one_line(repository: Path) -> None:
    said = run_shell('"$0" -m authmw keys list "$1" > /dev/full; echo $?', repository)
    assert said == ("2\n", "authmw: the output can't be written: No space left on device\n")


def test_nobody_has_to_read_the_complaints(tmp_path: Path) -> None:
    script = '"$0" -m authmw keys check "$1" 2> /dev/full; echo $?'
    assert run_shell(script, tmp_path / "missing") == ("1\n", "")


def test_the_package_is_the_command() -> None:
    assert run_python("-m", "authmw", "--version").stdout.startswith("authmw ")


def test_each_command_on_keys_has_json(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["keys", "list", "--json", str(repository)]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {key["file"] for key in listed["keys"]} == {"0.pem", "1.pem", "2.pem"}
    assert main(["keys", "check", "--json", str(repository)]) == 0
    assert json.loads(capsys.readouterr().out) == {"keys": 3, "problems": []}
    (repository / "2.pem").write_text("no key")
    assert main(["keys", "check", "--json", str(repository)]) == 1
    checked = json.loads(capsys.readouterr().out)
    assert checked["keys"] == 2
    assert checked["problems"][0].startswith("2.pem is not used: ")
    assert main(["keys", "generate", "--json", str(tmp_path / "pair")]) == 0
    made = json.loads(capsys.readouterr().out)
    assert Path(made["private"]).exists()
    assert Path(made["public"]).exists()


def test_a_command_that_keeps_the_log_out_of_its_output_gives_it_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert main(["doctor", "--config-file", "/nonexistent/authmw.conf"]) == 2
    assert main(["token", "validate", "--config-file", "/nonexistent/authmw.conf", "a"]) == 2
    logging.getLogger("authmw.authenticator").warning("still heard")
    assert "still heard" in caplog.text
