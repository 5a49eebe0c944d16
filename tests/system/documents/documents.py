"""Reads pages of doc/ as their readers do: code blocks, references to other pages, named tests."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import docutils.core
from docutils import nodes
from docutils.parsers.rst import Directive, directives, roles

from tests.support.programs import ROOT

DOC = ROOT / "doc"
# `conf.py` writes it anew for each build.
_GENERATED = {"changes"}

_BLOCK = re.compile(
    r"^\.\. code-block:: (?P<language>\w+)\n(?P<options>(?:   :\w+:.*\n)*)\n"
    r"(?P<text>(?:(?:   .*)?\n)+)",
    re.MULTILINE,
)
_NAMED_TEST = re.compile(r"^\s*\.\. test: (\S+)::(\w+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One code block; `file` is where it is to be written."""

    language: str
    options: dict[str, str]
    text: str

    @property
    def file(self) -> str | None:
        return self.options.get("name")


def pages() -> list[str]:
    """Return the names of all pages that people write, without those of decisions."""
    return sorted({path.stem for path in DOC.glob("*.rst")} - _GENERATED)


def read_page(name: str) -> str:
    return (DOC / f"{name}.rst").read_text()


def find_named_tests(text: str) -> list[tuple[str, str]]:
    """Return file and name of each test that the comments of a page name."""
    return _NAMED_TEST.findall(text)


def read_blocks(document: str) -> list[Block]:
    """Return the code blocks of a document, in order."""
    source = (DOC / document).read_text() + "\n"
    blocks = [
        Block(
            match["language"],
            dict(re.findall(r":(\w+):\s*(.*)", match["options"])),
            textwrap.dedent(match["text"]).strip() + "\n",
        )
        for match in _BLOCK.finditer(source)
    ]
    assert len(blocks) == source.count(".. code-block::"), "a block was not understood"
    return blocks


def write_files(blocks: list[Block], directory: Path) -> list[str]:
    """Write every block that is a file; return the names."""
    written = []
    for block in blocks:
        if block.file is not None:
            (directory / block.file).write_text(block.text)
            written.append(block.file)
    return written


class _Ignored(Directive):  # type: ignore[misc]  # docutils has no types
    """Stands for a directive of Sphinx, which docutils alone doesn't know."""

    has_content = True
    optional_arguments = 9
    final_argument_whitespace = True
    option_spec: ClassVar[dict[str, Any]] = dict.fromkeys(
        ("caption", "maxdepth", "glob", "members", "imported-members", "module", "func", "prog"),
        directives.unchanged,
    )

    def run(self) -> list[Any]:
        return []


def _refer(
    _name: str, raw: str, text: str, *_: object, **_options: object
) -> tuple[list[Any], list[Any]]:
    """Stands for the role `doc`: the node has the target, in which a title may stand before."""
    titled = re.fullmatch(r".*<(.*)>", text)
    return [nodes.inline(raw, text, refers_to=titled[1] if titled else text)], []


roles.register_local_role("doc", _refer)
for _directive in ("toctree", "automodule", "argparse", "show-options", "include"):
    directives.register_directive(_directive, _Ignored)


def parse(path: Path) -> Any:
    """Return the document tree of a page; a fault in it is an error."""
    return docutils.core.publish_doctree(
        path.read_text(),
        source_path=str(path),
        settings_overrides={"halt_level": 2, "report_level": 2, "syntax_highlight": "none"},
    )


def find_references(path: Path) -> list[str]:
    """Return the pages that a page refers to by the role `doc`."""
    return [node["refers_to"] for node in parse(path).findall(nodes.inline) if "refers_to" in node]
