"""CONTRIBUTING.rst names what is there, and tests are where it says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.programs import ROOT

TESTS = ROOT / "tests"
PAGE = (ROOT / "CONTRIBUTING.rst").read_text()
# With a slash, and no placeholder; perhaps a name in that file.
NAMED = re.compile(r"``([\w./-]*/[\w./-]*)(?:: (\w+))?``")


def test_each_path_and_each_name_in_it_exists() -> None:
    named = NAMED.findall(PAGE)
    assert len(named) > 50
    missing = [
        (path, name)
        for path, name in named
        if not (ROOT / path).exists()
        or (name and not re.search(rf"\b{name}\b", (ROOT / path).read_text()))
    ]
    assert missing == []


def test_each_target_exists() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = set(re.findall(r"make ([a-z-]+)``", PAGE))
    assert {"test-unit", "test", "test-all", "lint", "sample"} <= named <= set(targets)


def test_tests_mirror_the_rooms() -> None:
    rooms = {path.name.removesuffix(".py") for path in (ROOT / "authmw").iterdir()}
    for path in TESTS.iterdir():
        if path.is_dir() and path.name not in ("__pycache__", "support", "system"):
            assert path.name in rooms, f"{path} mirrors nothing in authmw/"
        if path.name.startswith("test_"):
            assert path.stem.removeprefix("test_") in rooms, f"{path} mirrors nothing in authmw/"
    for path in (ROOT / "authmw").glob("*/__init__.py"):
        assert any((TESTS / path.parent.name).glob("test_*.py")), f"no tests of {path.parent}"


def test_the_table_of_system_tests_is_complete() -> None:
    there = {
        f"tests/system/{path.name}/"
        for path in (TESTS / "system").iterdir()
        if path.is_dir() and path.name != "__pycache__"
    }
    assert set(re.findall(r"^``(tests/system/\w+/)``", PAGE, re.MULTILINE)) == there


def test_a_room_s_tests_import_from_support_and_their_own_directory() -> None:
    astray = [
        f"{path.relative_to(ROOT)}: {module}"
        for path in TESTS.rglob("*.py")
        if not path.is_relative_to(TESTS / "system")
        for module in imports_of(path)
        if not module.startswith(("tests.support", own_package(path)))
    ]
    assert astray == []


def own_package(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).parent.parts)


def imports_of(path: Path) -> Iterator[str]:
    """Yield the modules of tests/ that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tests"):
            yield node.module or ""


def test_pre_commit_runs_the_linters_of_make_lint() -> None:
    recipe = (ROOT / "Makefile").read_text().partition("\nlint:")[2].partition("\n\n")[0]
    commands = re.findall(r"\$\(BIN\)/(.*)", recipe)
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    assert re.findall(r"entry: \.venv/bin/(.*)", hooks) == commands
