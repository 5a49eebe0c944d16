"""doc/migration.rst lists every option and every difference, and no others."""

from __future__ import annotations

import re
import textwrap

import keystonemiddleware.auth_token
from oslo_config import cfg

from authmw.config.options import list_opts
from tests.support.migration_guide import GUIDE, read_option_rows
from tests.system.documents.documents import parse
from tests.system.peer.differences import ROWS

# An underscore at the end of a word, which reStructuredText takes for a link.
_TARGET = re.compile(r"(?<=\w)_(?!\w)")
_BEGIN, _END = ".. differences begin\n\n", "\n.. differences end\n"


def names_of(listed: list[tuple[str, list[cfg.Opt]]]) -> list[str]:
    return [opt.name for _, options in listed for opt in options]


def render_differences() -> str:
    """Return the section on differences as it should stand in the guide."""
    parts = []
    for row in ROWS:
        lines = [f"``{row.name}``"]
        for text in (f"authmw {row.ours};", f"keystonemiddleware {row.peers}.", row.reason):
            lines += textwrap.wrap(
                _TARGET.sub(r"\\_", text),
                98,
                initial_indent="    ",
                subsequent_indent="    ",
                break_long_words=False,
                break_on_hyphens=False,
            )
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def test_every_option_stands_in_the_guide_once_and_is_called_what_it_is() -> None:
    rows = read_option_rows()
    peers = set(names_of(keystonemiddleware.auth_token.list_opts()))
    ours = names_of(list_opts())
    assert [name for name, _, _ in rows] == ours
    for name, kind, text in rows:
        assert kind in (("same", "better") if name in peers else ("ours",)), name
        assert (text == "As with keystonemiddleware.") is (kind == "same"), name


def test_the_guide_says_which_options_follow_the_file_without_a_restart() -> None:
    said = {
        name
        for name, kind, text in read_option_rows()
        if "without a restart" in " ".join(text.split())
    }
    peers = set(names_of(keystonemiddleware.auth_token.list_opts()))
    assert said == {opt.name for _, opts in list_opts() for opt in opts if opt.mutable} & peers


def test_the_guide_lists_the_differences_that_the_differential_tests_know() -> None:
    written = GUIDE.read_text().partition(_BEGIN)[2].partition(_END)[0]
    assert written == render_differences(), "write it anew from render_differences()"


def test_the_guide_is_sound_restructuredtext() -> None:
    parse(GUIDE)
