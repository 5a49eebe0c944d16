"""doc/paste.rst as a newcomer follows it, from an empty directory."""

from __future__ import annotations

from pathlib import Path

from tests.system.documents.shell import follow, open_shell


def test_paste(tmp_path: Path) -> None:
    with open_shell(tmp_path, {"python": "", "gunicorn": "-m gunicorn"}) as shell:
        assert follow(shell, "paste.rst") == 3
