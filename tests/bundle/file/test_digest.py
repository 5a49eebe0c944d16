"""The state digest: of a set of rows, whatever their order and history."""

from __future__ import annotations

import hashlib
import random

from hypothesis import given
from hypothesis import strategies as st

from authmw.bundle.file.digest import SUM_BYTES, StateSum

ROWS = st.lists(st.binary(max_size=20), unique=True, max_size=20)


@given(ROWS, st.randoms())
def test_order_does_not_matter(rows: list[bytes], numbers: random.Random) -> None:
    one, other = StateSum(), StateSum()
    one.add("roles", rows)
    shuffled = list(rows)
    numbers.shuffle(shuffled)
    for row in shuffled:
        other.add("roles", [row])
    assert one.total == other.total


@given(ROWS, ROWS)
def test_what_is_removed_leaves_no_trace(kept: list[bytes], gone: list[bytes]) -> None:
    state, expected = StateSum(), StateSum()
    expected.add("roles", kept)
    state.add("roles", gone)
    state.add("roles", kept)
    state = StateSum(state.total)
    state.remove("roles", gone)
    assert (state.total, state.digest) == (expected.total, expected.digest)


def test_table_is_part_of_a_row() -> None:
    one, other = StateSum(), StateSum()
    one.add("trust_roles", [b"\x80"])
    other.add("access_token_roles", [b"\x80"])
    assert one.digest != other.digest


def test_sum_is_that_of_the_specification() -> None:
    state = StateSum()
    state.add("roles", [b"\x80", b"\x81\x00"])
    hashes = [hashlib.shake_256(b"\x65roles" + row).digest(384) for row in (b"\x80", b"\x81\x00")]
    total = sum(int.from_bytes(each, "big") for each in hashes) % 2**3072
    assert state.total == total.to_bytes(SUM_BYTES, "big")
    assert state.digest == hashlib.sha256(b"authmw bundle state 1\n" + state.total).digest()
