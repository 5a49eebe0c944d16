"""The architecture page names every room, the arrows between them, and every decision."""

from __future__ import annotations

import re
import tomllib

from tests.support.programs import ROOT


def read_page() -> str:
    return (ROOT / "doc" / "architecture.rst").read_text()


def test_the_table_of_rooms_is_the_listing_of_the_package() -> None:
    page = read_page()
    table = page.partition("Rooms\n-----")[2].partition("Imports point")[0]
    named = re.findall(r"^``([a-z0-9_]+(?:\.py|/))``", table, re.MULTILINE)
    there = {
        f"{entry.name}/" if entry.is_dir() else entry.name
        for entry in (ROOT / "authmw").iterdir()
        if not entry.name.startswith("_") and entry.name != "py.typed"
    }
    assert sorted(named) == sorted(there)


def test_the_arrows_are_the_ones_that_make_lint_holds() -> None:
    shown = read_page().partition("``pyproject.toml``)::")[2].partition("So ``cache``")[0]
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = contracts["contracts"][0]["layers"]
    assert [line.strip() for line in shown.strip().splitlines()] == [
        re.sub("[()]", "", layer) for layer in layers
    ]


def test_every_decision_has_a_page_of_one_form_and_is_listed() -> None:
    titles = []
    for path in sorted((ROOT / "doc" / "adr").glob("[0-9]*")):
        text = path.read_text()
        title, _, rest = text.partition("\n")
        assert title.startswith(f"{path.name[:4]}: ")
        assert re.search(r":Status: (accepted|superseded by \d{4})\n:Date: \d{4}-\d\d-\d\d\n", rest)
        assert "\nDecision\n--------\n" in rest
        assert "\nDecided against\n---------------\n" in rest
        titles.append(title)
    assert re.findall(r"^- (\d{4}: .*)$", read_page(), re.MULTILINE) == titles


def test_every_decision_that_is_cited_is_there() -> None:
    there = {path.name[:4] for path in (ROOT / "doc" / "adr").iterdir()}
    for path in [*(ROOT / "authmw").rglob("*.py"), *(ROOT / "doc").rglob("*.rst")]:
        for cited in re.findall(r"(?:ADR |adr/)(\d{4})", path.read_text()):
            assert cited in there, f"{path}: {cited}"
