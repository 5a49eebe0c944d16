"""doc/issuers.rst says of each profile what the tests try."""

from __future__ import annotations

import re

import pytest

from authmw.config.issuer_options import ISSUER_OPTIONS
from authmw.errors import ConfigurationError
from authmw.issuers.configured import IssuerOptions, make_issuers
from authmw.issuers.profiles import PROFILES
from tests.support.issuers.confusions import CONFUSIONS
from tests.support.issuers.shapes import SHAPES
from tests.support.programs import ROOT

PAGE = ROOT / "doc" / "issuers.rst"
# Keystone's own tokens have no section.
IN_SECTIONS = [name for name in PROFILES if name != "keystone"]
SIGNED = [name for name in IN_SECTIONS if not PROFILES[name].is_introspected]
TABLE = re.compile(r"\.\. list-table:: Tokens that pass.*?\n(?=\n\S)", re.DOTALL)


def render_table() -> str:
    """Return the table of tokens that pass and of those that are taken for one."""
    rows = [("``profile``", ["tokens that pass"], ["tokens that are refused, and the reason"])]
    for profile in SIGNED:
        shapes = [name for name, shape in SHAPES.items() if shape.options.profile == profile]
        refused = [
            f"{name.partition(': ')[2]} (``{one.reason.value}``)"
            for name, one in CONFUSIONS.items()
            if one.shape in shapes
        ]
        rows.append((f"``{profile}``", shapes, refused))
    lines = [".. list-table:: Tokens that pass, and tokens that are easily taken for one"]
    lines += ["   :header-rows: 1", ""]
    for profile, shapes, refused in rows:
        lines.append(f"   * - {profile}")
        for cells in (shapes, refused):
            single = len(cells) == 1
            lines += [
                f"     {'- ' if n == 0 else '  '}{'' if single else '- '}{cell}"
                for n, cell in enumerate(cells)
            ]
    return "\n".join(lines) + "\n"


def test_table_of_tokens_is_what_is_tried() -> None:
    found = TABLE.search(PAGE.read_text())
    assert found is not None
    assert found[0] == render_table(), f"write into doc/issuers.rst:\n{render_table()}"


def test_every_profile_has_tokens_that_pass_and_confusions() -> None:
    for profile in SIGNED:
        shapes = {name for name, shape in SHAPES.items() if shape.options.profile == profile}
        assert shapes, profile
        assert any(one.shape in shapes for one in CONFUSIONS.values()), profile


def test_table_of_profiles_names_them_all() -> None:
    section = PAGE.read_text().partition("\nProfiles\n")[2].partition("\nPrivate")[0]
    named = re.findall(r"^``([a-z0-9-]+)``  ", section, re.MULTILINE)
    assert named[1:] == IN_SECTIONS  # the first is the heading


def test_error_and_description_of_the_option_name_the_same() -> None:
    with pytest.raises(ConfigurationError) as raised:
        make_issuers(IssuerOptions(name="acme", profile="acme"))
    assert raised.value.fix == f"write one of {', '.join(IN_SECTIONS)}."
    (option,) = [opt for opt in ISSUER_OPTIONS if opt.name == "profile"]
    told = re.findall(r"[a-z0-9-]+", option.help or "")
    assert set(IN_SECTIONS) <= set(told)
