"""How identifiers are packed that a database compares without regard to case."""

from __future__ import annotations

import pytest

from authmw.bundle.facts import TABLES_BY_NAME
from authmw.bundle.packing import OneSpelling, pack_rows
from authmw.errors import BundleUnreadable

MEMBERSHIPS = TABLES_BY_NAME["memberships"]
HEX = "0123456789abcdef" * 2


def test_hexadecimal_identifiers_have_one_spelling() -> None:
    rows = [(HEX.upper(), HEX), (HEX, (HEX * 2).title()), ("default", "r-1")]
    packed = bytes.fromhex(HEX)
    assert list(pack_rows(MEMBERSHIPS, rows, OneSpelling().pack)) == [
        (packed, packed),
        (packed, packed * 2),
        ("default", "r-1"),
    ]
    # Elsewhere they are different ones.
    assert next(pack_rows(MEMBERSHIPS, rows)) == (HEX.upper(), packed)


def test_others_that_differ_in_case_alone_are_refused() -> None:
    pack = OneSpelling().pack
    assert list(pack_rows(MEMBERSHIPS, [("default", "Default2")], pack)) == [
        ("default", "Default2")
    ]
    with pytest.raises(BundleUnreadable, match="'default' and 'Default' differ in case alone"):
        list(pack_rows(MEMBERSHIPS, [("x", "Default")], pack))


@pytest.mark.parametrize("value", [None, 5, b"x"])
def test_what_is_no_text_is_refused(value: object) -> None:
    with pytest.raises(BundleUnreadable):
        list(pack_rows(MEMBERSHIPS, [("x", value)], OneSpelling().pack))
