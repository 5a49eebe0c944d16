"""The table of options in doc/migration.rst."""

from __future__ import annotations

import re

from tests.support.programs import ROOT

GUIDE = ROOT / "doc" / "migration.rst"

_OPTION = re.compile(r"^   \* - ``(\w+)``\n     - (\w+)\n     - (.+?)\n(?=   \* |\n)", re.M | re.S)


def read_option_rows() -> list[tuple[str, str, str]]:
    """Return the option, what it is beside the peer, and the text of each row."""
    return _OPTION.findall(GUIDE.read_text())
