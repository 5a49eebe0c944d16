"""`authmw policy`: the matrix of a service's registered rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from authmw.cli import main


@pytest.mark.heavy
def test_it_prints_writes_and_compares(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "policy.txt"
    assert main(["policy", "keystone", "--write", str(file)]) == 0
    assert main(["policy", "keystone"]) == 0
    assert capsys.readouterr().out == file.read_text()
    assert main(["policy", "keystone", "--check", str(file)]) == 0
    file.write_text(
        file.read_text().replace("identity:create_domain  ", "identity:create_realm   ")
    )
    assert main(["policy", "keystone", "--check", str(file)]) == 1
    assert "-identity:create_realm" in capsys.readouterr().out


def test_what_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "keystne"]) == 2
    assert "did you mean 'keystone'?" in capsys.readouterr().err
    assert main(["policy", "keystone", "--check", str(tmp_path / "no")]) == 2
    assert "can't be read" in capsys.readouterr().err
