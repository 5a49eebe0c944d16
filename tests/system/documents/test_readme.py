"""README.rst's table of headers has every identity header, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from authmw.token.headers import IDENTITY_HEADERS

README = Path(__file__).parents[3] / "README.rst"


def read_table() -> list[tuple[str, str]]:
    """Return the names in the first column, abbreviated ones in full, with the second column."""
    text = README.read_text().partition("header (``X-Service-")[2].partition("``environ[")[0]
    rows: list[tuple[str, str]] = []
    for line in text.splitlines()[2:]:
        first, second = line[:61], line[63:]
        stem = ""
        for name in re.findall("``([^`]+)``", first):
            if not name.startswith("-"):
                stem = name.rsplit("-", 1)[0]
            rows.append((stem + name if name.startswith("-") else name, second))
    return rows


def test_it_names_every_header_that_services_get() -> None:
    assert [name for name, _ in read_table()] == [header.name for header in IDENTITY_HEADERS]


def test_it_says_which_headers_a_service_token_lacks() -> None:
    said = dict(read_table())
    lacking = {name for name, second in said.items() if "user token" in second}
    lacking |= {"X-Role"}  # on the second line of its row
    assert lacking == {header.name for header in IDENTITY_HEADERS if not header.for_service}
