"""A JSON object that every request gets a copy of its own of."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authmw.token.shared_body import MAX_DEPTH, SharedMembers

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=30,
)

# On a busy machine making the objects alone takes longer than is thought healthy.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def make_copy(shared: SharedMembers) -> dict[str, Any]:
    target: dict[str, Any] = {}
    shared.copy_into(target)
    return target


def containers_in(value: object) -> Iterator[Any]:
    if isinstance(value, dict | list):
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from containers_in(inner)


@unhurried
@given(st.dictionaries(st.text(), JSON))
def test_a_copy_is_equal_and_shares_nothing_that_can_be_changed(members: dict[str, Any]) -> None:
    shared = SharedMembers(members)
    first, second = make_copy(shared), make_copy(shared)
    assert first == second == members
    everyones = [
        id(container) for one in (members, first, second) for container in containers_in(one)
    ]
    assert len(set(everyones)) == len(everyones)


@unhurried
@given(st.dictionaries(st.text(), JSON, min_size=1))
def test_what_happens_to_a_copy_or_to_the_original_is_not_seen_in_the_next_copy(
    members: dict[str, Any],
) -> None:
    before = copy.deepcopy(members)
    shared = SharedMembers(members)
    for changed in (make_copy(shared), members):
        for container in list(containers_in(changed)):
            container.clear()
        assert make_copy(shared) == before


def test_the_order_of_members_is_kept() -> None:
    members = {"b": {"d": 1, "c": [{"z": 1, "y": 2}]}, "a": 2}
    assert repr(make_copy(SharedMembers(members))) == repr(members)


def test_members_are_put_beside_those_that_are_there() -> None:
    target: dict[str, Any] = {"kept": [1], "replaced": [2]}
    SharedMembers({"replaced": [3]}).copy_into(target)
    assert target == {"kept": [1], "replaced": [3]}


def test_what_is_nested_too_deep_is_refused() -> None:
    def nest(depth: int) -> dict[str, Any]:
        value: list[Any] = []
        for _ in range(depth - 2):
            value = [value]
        return {"odd": value}

    assert make_copy(SharedMembers(nest(MAX_DEPTH))) == nest(MAX_DEPTH)
    with pytest.raises(ValueError, match=f"nested deeper than {MAX_DEPTH}"):
        SharedMembers(nest(MAX_DEPTH + 1))
