"""doc/django.rst and doc/flask.rst as a newcomer follows them, from an empty directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.programs import ROOT
from tests.system.documents.documents import read_blocks
from tests.system.documents.shell import follow, open_shell

pytestmark = pytest.mark.slow


def test_django(tmp_path: Path) -> None:
    commands = {"python": "", "django-admin": "-m django"}
    with open_shell(tmp_path, commands) as shell:
        assert follow(shell, "django.rst") == 13


def test_flask_falcon_and_pyramid(tmp_path: Path) -> None:
    with open_shell(tmp_path, {"python": ""}) as shell:
        assert follow(shell, "flask.rst") == 2


def test_extra_that_the_page_names_has_what_it_needs() -> None:
    (install,) = [block for block in read_blocks("django.rst") if "install" in block.text]
    assert install.text.splitlines()[-1] == '$ pip install "../authmw[rest]"'
    extras = (ROOT / "setup.cfg").read_text()
    for name in ("django", "rest", "flask", "falcon", "pyramid"):
        assert f"\n{name} =\n" in extras
