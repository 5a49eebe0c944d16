"""doc/rfc8725.rst names tests that exist."""

from __future__ import annotations

import re

from tests.support.programs import ROOT

CHECKLIST = ROOT / "doc" / "rfc8725.rst"


def test_every_section_names_tests_and_every_named_test_exists() -> None:
    sections = re.split(r"\n(?=3\.\d+ )", CHECKLIST.read_text())[1:]
    assert [section.split()[0] for section in sections] == [f"3.{n}" for n in range(1, 13)]
    for section in sections:
        named = re.findall(r"``((?:issuers/)?test_\w+\.py)::(test_\w+)``", section)
        assert named, section
        assert len(named) == section.count("::test_")
        for file, test in named:
            path = ROOT / "tests" / (file if "/" in file else f"jose/{file}")
            assert f"\ndef {test}(" in path.read_text(), test
