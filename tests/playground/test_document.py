"""What doc/playground.rst says, and its picture."""

from __future__ import annotations

import re

from authmw.playground.modes import MODES
from tests.support.programs import ROOT

PAGE = ROOT / "doc" / "playground.rst"
PICTURE = ROOT / "doc" / "playground.png"


def test_the_page_lists_each_mode() -> None:
    table = PAGE.read_text().partition("what is set up\n")[2]
    rows = re.findall(r"^(\S.{24}\S?) {1,}\S.*\n(?:(\w+)\n)?", table, re.MULTILINE)
    named = [" ".join(part.strip() for part in row if part) for row in rows]
    assert [name for name in named if not name.startswith("=")][: len(MODES)] == [
        mode.title for mode in MODES.values()
    ]


def test_the_picture_is_a_png_of_moderate_size() -> None:
    data = PICTURE.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(data) < 200_000
