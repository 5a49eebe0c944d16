"""The examples of README.rst, of doc/ and of examples/ pass `mypy --strict`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.support.programs import ROOT
from tests.system.documents.documents import read_blocks

# What the text around a fragment has said, or its reader has.
IMPORTS = "import authmw\nimport authmw.asgi\nimport fastapi\nimport flask\n"
APP = "app = flask.Flask(__name__)\n"
SERVICE = """\
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment
import unittest
import authmw
import webtest
from authmw.testing import Cloud, Personas, Protect

def service(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    return []
"""
_README_BLOCK = re.compile(r"^\.\. code-block:: python\n\n((?:(?:    .*)?\n)+)", re.MULTILINE)
# Frameworks without types: what is made with them is not known to mypy.
_OF_FRAMEWORKS = ("--ignore-missing-imports", "--allow-untyped-decorators")

# Functions of the page have no annotations; what is in them is checked all the same.
_UNTYPED = (
    *("--allow-untyped-defs", "--allow-untyped-calls", "--allow-subclassing-any"),
    *("--no-warn-unused-ignores", "--cache-dir", str(ROOT / ".mypy_cache" / "untyped")),
)


def write_pages(directory: Path) -> None:
    """Write every Python block as a module of its own; files of a page keep their names."""
    readme = (ROOT / "README.rst").read_text()
    for number, block in enumerate(_README_BLOCK.findall(readme)):
        text = textwrap.dedent(block)
        before = IMPORTS if re.search("^app = ", text, re.M) else IMPORTS + APP
        if "authmw_protect" in text:
            before = SERVICE
        elif "import authmw\n" in text:
            before = ""
        (directory / f"readme_{number}.py").write_text(before + text)
    for page, before in (
        ("tutorial", ""),
        ("testing", SERVICE),
        ("testing_policy", ""),
        ("asgi", ""),
    ):
        write_page(page, before, directory / page)


def write_page(page: str, before: str, files: Path) -> None:
    files.mkdir()
    for number, block in enumerate(read_blocks(f"{page}.rst")):
        if block.language == "python":
            text = block.text if block.file else before + block.text
            file = files / (block.file or f"{page}_{number}.py")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)


@pytest.mark.slow
def test_examples_pass_mypy_strict(tmp_path: Path) -> None:
    write_pages(tmp_path)
    pages = [tmp_path, *(one for one in tmp_path.iterdir() if one.is_dir()), ROOT / "examples"]
    assert [complaint for page in pages for complaint in find_type_errors(page)] == []


@pytest.mark.slow
@pytest.mark.parametrize("page", ["flask", "django"])
def test_what_pages_without_annotations_do_with_a_token_passes_mypy(
    tmp_path: Path, page: str
) -> None:
    files = tmp_path / page
    write_page(page, "", files)
    assert find_type_errors(files, *_UNTYPED) == []


def find_type_errors(directory: Path, *options: str) -> list[str]:
    """Check each file of a directory; returns what mypy says of them."""
    files = sorted(directory.glob("*.py"))
    assert files
    checked = subprocess.run(
        [
            sys.executable,
            *("-m", "mypy", "--strict", "--config-file", "/dev/null", *_OF_FRAMEWORKS, *options),
            *("--cache-dir", str(ROOT / ".mypy_cache" / "examples")),
            *map(str, files),
        ],
        cwd=directory,
        # A package that was installed as editable is not found otherwise.
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert checked.returncode in (0, 1), checked.stdout + checked.stderr
    return [line for line in checked.stdout.splitlines() if ": error: " in line]


@pytest.mark.slow
def test_a_token_that_may_be_none_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text("import authmw\n\nauthmw.current().user\n")
    (error,) = find_type_errors(tmp_path)
    assert 'Item "None" of "Token | None" has no attribute "user"' in error
