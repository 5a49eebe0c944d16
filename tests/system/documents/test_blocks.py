"""Every code block of README.rst and doc/ is run by a test, or at least read here.

What is run is said in `RUN`. Of all blocks: Python compiles, commands are known with their
arguments, extras are there, options of configuration files are those of the code, and what a diff
adds can be imported.
"""

from __future__ import annotations

import ast
import configparser
import importlib
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from docutils import nodes

from authmw.cli.command import make_parser
from authmw.config.issuer_options import list_issuer_opts
from authmw.config.options import list_opts
from tests.support.programs import ROOT
from tests.system.documents.documents import DOC, pages, parse

# The pages whose blocks are run from the first to the last, and by what.
RUN = {
    "asgi": "test_asgi.py",
    "django": "test_frameworks.py",
    "flask": "test_frameworks.py",
    "paste": "test_paste.py",
    "testing_policy": "test_testing_policy.py",
    "tutorial": "test_tutorial.py",
}
# How blocks begin that none of these ways to read fits, and what holds them.
ELSEWHERE = {
    "client --> AuthMiddleware": "a picture",
    "__main__\ncli": "test_architecture.py",
    "86 50 0102030405": "tests/bundle/file/test_vectors.py",
    '{"digest":': "tests/bundle/file/test_vectors.py",
    "X-Authmw-Min-Revision: 4711": "tests/bundle/test_freshness.py",
    "no_proxy=localhost": "tests/identity/test_proxies.py",
    "for domain in $(openstack": "tests/system/filter/test_unsafe_names.py",
    "openstack user set": "commands of python-openstackclient",
    "WSGIDaemonProcess": "test_servers.py",
    "WSGIApplicationGroup %{GLOBAL}": "tests/system/servers/test_mod_wsgi.py",
    "make demo ": "test_contributing.py",
    "The playground, for a browser": "tests/playground/",
}
# Keys of paste, and of its section of a filter.
PASTE_KEYS = {"use", "paste.filter_factory", "oslo_config_project", "oslo_config_file"}


class Written(NamedTuple):
    """A block as a page has it."""

    page: str
    language: str
    text: str


def find_blocks() -> list[Written]:
    found = []
    for path in (ROOT / "README.rst", *(DOC / f"{page}.rst" for page in pages())):
        for block in parse(path).findall(nodes.literal_block):
            languages = [name for name in block["classes"] if name not in ("code", "install")]
            found.append(Written(path.stem, languages[0] if languages else "", block.astext()))
    return found


def guess_language(block: Written) -> str:
    if block.language:
        return block.language
    if re.match(r"\[[\w:]+\]\n", block.text):
        return "ini"
    if re.match(r"\w*\$ |authmw ", block.text):
        return "console"
    if block.text.startswith("--- "):
        return "diff"
    if re.match(r"\w+ = ", block.text):
        return "options"
    return ""


def commands_of(text: str) -> Iterator[list[str]]:
    """Yield the words of each command of ours in a console block."""
    for line in text.replace("\\\n", " ").splitlines():
        written = re.sub(r"^\w*\$\s+", "", line)
        is_command = written != line or line.startswith("authmw ")
        for part in re.split(r"\s[|&]+|&$", written) if is_command else ():
            words = shlex.split(re.sub(r"\s(2>&1|[<>]\s*\S+|#.*)", "", f" {part}"))
            if words and words[0] in ("authmw", "pip"):
                yield words


def check_console(text: str) -> None:
    for program, *arguments in commands_of(text):
        if program == "authmw":
            # Ends the program where an argument is unknown.
            make_parser().parse_args(arguments)
        else:
            # Nobody holds the name on the package index for us.
            assert not any(re.match(r"authmw\b", word) for word in arguments), arguments
        for named in re.findall(r"\[([\w,]+)\]", " ".join(arguments) if program == "pip" else ""):
            for extra in {*named.split(",")} - {"binary"}:
                assert f"\n{extra} =\n" in (ROOT / "setup.cfg").read_text(), extra


def names_of_options() -> set[str]:
    return {opt.name for _, opts in list_opts() for opt in opts}


def check_ini(text: str) -> None:
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    issuers = {opt.name for _, opts in list_issuer_opts() for opt in opts}
    for section in parser.sections():
        for key in parser[section]:
            if section == "keystone_authtoken":
                assert key in names_of_options(), key
            elif section.startswith("authmw_issuer:"):
                assert key in issuers, key
            elif section.startswith("filter:"):
                option = re.fullmatch(r"issuer\.\w+\.(\w+)", key)
                assert option is None or option[1] in issuers, key
                assert option or key in PASTE_KEYS | names_of_options(), key
        for value in (parser[section].get("paste.filter_factory"),):
            if value is not None:
                module, _, name = value.partition(":")
                assert callable(getattr(importlib.import_module(module), name))


def check_diff(text: str) -> None:
    for line in re.findall(r"^\+(?!\+)(.*)$", text, re.MULTILINE):
        if line.startswith("paste.filter_factory"):
            check_ini(f"[filter:x]\n{line}")
        else:
            (statement,) = ast.parse(line).body
            assert isinstance(statement, ast.ImportFrom)
            assert statement.module is not None
            for alias in statement.names:
                importlib.import_module(f"{statement.module}.{alias.name}")


def check(block: Written) -> None:
    match guess_language(block):
        case "python":
            compile(block.text, block.page, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        case "pycon":
            for line in re.findall(r"^>>> (.*)$", block.text, re.MULTILINE):
                compile(line, block.page, "eval")
        case "console":
            check_console(block.text)
        case "ini":
            check_ini(block.text)
        case "options":
            check_ini(f"[keystone_authtoken]\n{block.text}")
        case "toml":
            tomllib.loads(block.text)
        case "json":
            json.loads(block.text)
        case "diff":
            check_diff(block.text)
        case _:
            assert block.text.startswith(tuple(ELSEWHERE)), f"nothing reads this:\n{block.text}"


BLOCKS = find_blocks()


@pytest.mark.parametrize("page", sorted({block.page for block in BLOCKS}))
def test_blocks_can_be_read(page: str) -> None:
    for block in BLOCKS:
        if block.page == page:
            check(block)


def test_nothing_is_excused_that_is_not_there() -> None:
    for beginning in ELSEWHERE:
        assert any(block.text.startswith(beginning) for block in BLOCKS), beginning


def test_pages_that_are_run_have_no_block_that_is_not() -> None:
    here = Path(__file__).parent
    for page, test in RUN.items():
        assert f'"{page}.rst"' in (here / test).read_text()
        for block in BLOCKS:
            if block.page == page:
                assert block.language in ("console", "python", "ini", "json"), block.text


@pytest.mark.parametrize(
    "text",
    [
        "$ authmw doctor --config-fiel x",
        "$ echo x | authmw tokens explain",
        "$ pip install 'path/to/clone[no_such]'",
        "$ pip install 'authmw[bundle]'",
    ],
)
def test_command_that_is_not_there_is_noticed(text: str) -> None:
    with pytest.raises((SystemExit, AssertionError)):
        check_console(text)


def test_option_that_is_not_there_is_noticed() -> None:
    with pytest.raises(AssertionError):
        check_ini("[keystone_authtoken]\ndelay_auth_decison = true\n")
