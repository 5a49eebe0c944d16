"""Reads the files and commands that a document in doc/ tells its reader to write and run."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

from tests.support.programs import ROOT

DOC = ROOT / "doc"

_BLOCK = re.compile(
    r"^\.\. code-block:: (?P<language>\w+)\n(?P<options>(?:   :\w+:.*\n)*)\n"
    r"(?P<text>(?:(?:   .*)?\n)+)",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    """One code block; `file` is where it is to be written."""

    language: str
    options: dict[str, str]
    text: str

    @property
    def file(self) -> str | None:
        return self.options.get("name")


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
