"""The architecture page names every room, and no other."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_table_of_rooms_is_the_listing_of_the_package() -> None:
    page = (ROOT / "doc" / "architecture.rst").read_text()
    table = page.partition("Rooms\n-----")[2].partition("Arrows point")[0]
    named = re.findall(r"^``([a-z_]+(?:\.py|/))``", table, re.MULTILINE)
    there = {
        f"{entry.name}/" if entry.is_dir() else entry.name
        for entry in (ROOT / "authmw").iterdir()
        if not entry.name.startswith("_") and entry.name != "py.typed"
    }
    assert sorted(named) == sorted(there)
