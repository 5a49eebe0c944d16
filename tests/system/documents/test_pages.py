"""Every page of doc/: sound reStructuredText, references that lead somewhere, tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.programs import ROOT
from tests.system.documents.documents import (
    DOC,
    find_named_tests,
    find_references,
    pages,
    parse,
    read_page,
)

NOTES = ROOT / "releasenotes"
# Made from the release notes when the documentation is built.
MADE = "changes"
PAGE_BY_FILE = re.compile(r"``doc/([\w/-]+)\.rst``")


@pytest.mark.parametrize("page", pages())
def test_references_lead_to_pages(page: str) -> None:
    for target in find_references(DOC / f"{page}.rst"):
        assert target == MADE or (DOC / f"{target}.rst").exists(), target


@pytest.mark.parametrize("page", pages())
def test_pages_are_referred_to_and_not_called_by_file_name(page: str) -> None:
    assert PAGE_BY_FILE.findall(read_page(page)) == []


@pytest.mark.parametrize("page", pages())
def test_every_test_that_is_named_exists(page: str) -> None:
    for path, name in find_named_tests(read_page(page)):
        assert f"def {name}(" in (ROOT / path).read_text(), (path, name)


def test_the_index_lists_every_page_once() -> None:
    listed = re.findall(r"^   (\w+)$", read_page("index"), re.MULTILINE)
    assert sorted([*listed, "index"]) == sorted([*pages(), MADE])


@pytest.mark.parametrize("path", sorted(DOC.glob("*.svg")), ids=lambda path: path.name)
def test_pictures_are_shown_with_a_description_and_on_white(path: Path) -> None:
    shown = [page for page in pages() if f".. image:: {path.name}\n   :alt: " in read_page(page)]
    assert shown
    text = path.read_text()
    # As people write it, and as matplotlib does.
    assert '<rect width="100%" height="100%" fill="white"/>' in text or "fill: #ffffff" in text
    assert len(text) < 100_000


@pytest.mark.parametrize("path", sorted((NOTES / "notes").iterdir()), ids=lambda path: path.name)
def test_release_notes_have_the_form_that_their_page_says(path: Path) -> None:
    assert path.suffix == ".rst"
    parse(path)
    allowed = re.findall(r"^(\w+)\n    ", (NOTES / "README.rst").read_text(), re.MULTILINE)
    headings = re.findall(r"^(\w+)\n-+$", path.read_text(), re.MULTILINE)
    assert headings
    assert set(headings) <= set(allowed)
    for page in PAGE_BY_FILE.findall(path.read_text()):
        assert (DOC / f"{page}.rst").exists(), page
