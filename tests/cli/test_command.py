"""`authmw` without a subcommand, or with a wrong one."""

from __future__ import annotations

import pytest

import authmw
from authmw.cli import main


@pytest.mark.parametrize("command", [[], ["bundle"], ["keys"], ["token"]])
def test_who_names_no_command_is_told_that_one_is_missing(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.endswith("error: the following arguments are required: COMMAND\n")


def test_it_says_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert (ended.value.code, capsys.readouterr().out) == (0, f"authmw {authmw.__version__}\n")
