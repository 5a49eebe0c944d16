"""Each promise about time in the documentation names a test beside it."""

from __future__ import annotations

import re

import pytest

from tests.support.programs import ROOT

PAGES = ("offline", "revocation", "migration", "logs")
PROMISE = re.compile(
    r"\b(never|always|everywhere|at once|immediately|within)\b|\b\d+ (s|seconds|minutes|hours)\b",
    re.IGNORECASE,
)
NAMED = re.compile(r"^\s*\.\. test: (\S+)::(\w+)$", re.MULTILINE)
# How these paragraphs begin: headings, what was measured, output of a command, and the table that
# `test_migration_guide` compares with the differential tests.
NO_PROMISES = (
    "At once, without a change to the configuration:",
    "Measured with a real Keystone",
    "$ authmw token explain",
    "``token-auth-without-refused-tokens``",
    "``system-scope-is-the-user-s``",
    "``paths-are-read-in-one-way``",
)


@pytest.mark.parametrize("page", PAGES)
def test_every_promise_about_time_names_a_test(page: str) -> None:
    paragraphs = re.split(r"\n\s*\n", (ROOT / "doc" / f"{page}.rst").read_text())
    bare = [
        paragraph
        for paragraph, following in zip(paragraphs, [*paragraphs[1:], ""], strict=True)
        if PROMISE.search(paragraph)
        and not NAMED.match(paragraph)
        and not NAMED.match(following)
        and not paragraph.lstrip().startswith(NO_PROMISES)
    ]
    assert bare == []
