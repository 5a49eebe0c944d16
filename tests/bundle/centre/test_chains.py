"""The JSON of heads: what is written is read, and what is hostile is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw.bundle.sites.chains import (
    LARGEST_HEAD,
    MOST_DELTAS,
    Base,
    CentreHead,
    Chain,
    Link,
    SiteHead,
    dump_centre_head,
    dump_site_head,
    parse_centre_head,
    parse_site_head,
)
from authmw.errors import BundleUnreadable


def digest(number: int) -> bytes:
    return number.to_bytes(32, "big")


def chain(directory: str, first: int, base: int, last: int) -> Chain:
    """Return a chain of the revisions from `first` to `last`."""
    links = tuple(
        Link(f"{directory}/{each}-{each + 1}.delta", each, each + 1, digest(each + 1))
        for each in range(first, last)
    )
    return Chain(last, digest(last), Base(f"{directory}/{base}.bundle", base, digest(base)), links)


HOT = chain("centre", 4, 5, 7)
WARM = chain("sites/edge-1", 3, 5, 8)


@pytest.mark.parametrize("hot", [None, HOT, chain("centre", 4, 4, 4), chain("centre", 2, 9, 9)])
def test_head_of_the_centre_is_read_as_it_was_written(hot: Chain | None) -> None:
    times = (None, None) if hot is None else (1_800_000_003, 1_799_990_000)
    head = CentreHead(12, 1_800_000_000, hot, *times)
    assert parse_centre_head(dump_centre_head(head)) == head


def test_head_of_a_site_is_read_as_it_was_written() -> None:
    head = SiteHead("edge-1", WARM)
    assert parse_site_head(dump_site_head(head), "edge-1") == head


def test_deltas_lead_from_each_revision_of_the_chain() -> None:
    assert [each.revision for each in WARM.deltas_after_base()] == [6, 7, 8]
    assert WARM.deltas_from(8, digest(8)) == ()
    assert [each.revision for each in WARM.deltas_from(3, digest(3)) or ()] == [4, 5, 6, 7, 8]
    # Another state than the chain's of that number: a recovery after a stolen key.
    assert WARM.deltas_from(6, digest(600)) is None
    assert WARM.deltas_from(2, digest(2)) is None
    assert WARM.deltas_from(9, digest(9)) is None


def _change(change: Callable[[dict[str, Any]], object]) -> bytes:
    members = json.loads(dump_site_head(SiteHead("edge-1", WARM)))
    change(members)
    return json.dumps(members).encode()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda head: head.update(format=2), "another format"),
        (lambda head: head.update(format=True), "another format"),
        (lambda head: head.pop("warm"), "has no 'warm'"),
        (lambda head: head.update(site="edge-2"), "another site"),
        (lambda head: head.update(warm=[]), "no JSON object"),
        (lambda head: head["warm"].update(revision=0), "revision"),
        (lambda head: head["warm"].update(revision=True), "revision"),
        (lambda head: head["warm"].update(revision=1 << 53), "revision"),
        (lambda head: head["warm"].update(digest="00"), "digest"),
        (lambda head: head["warm"].update(digest="AB" * 32), "digest"),
        (lambda head: head["warm"].update(digest="00 " * 21 + "0"), "digest"),
        (lambda head: head["warm"].update(digest="11" * 32), "last delta"),
        (lambda head: head["warm"]["base"].update(digest="11" * 32), "no deltas make"),
        (lambda head: head["warm"]["base"].update(path="centre/5.bundle"), "is not in"),
        (lambda head: head["warm"]["base"].update(path="sites/edge-2/5.bundle"), "is not in"),
        (lambda head: head["warm"]["base"].update(path="sites/edge-1/../x/5"), "is not in"),
        (lambda head: head["warm"]["base"].update(path="sites/edge-1/.."), "is not in"),
        (lambda head: head["warm"]["base"].update(path="/etc/passwd"), "not of our form"),
        (lambda head: head["warm"]["base"].update(path="sites/edge-1/a\n"), "not of our form"),
        (lambda head: head["warm"]["base"].update(path=7), "not of our form"),
        (lambda head: head["warm"]["deltas"].pop(1), "follow each other"),
        (lambda head: head["warm"]["deltas"].reverse(), "follow each other"),
        (lambda head: head["warm"]["deltas"].clear(), "no deltas make"),
        (lambda head: head["warm"].update(deltas={}), "no list"),
        (lambda head: head["warm"].update(deltas=[{}] * (MOST_DELTAS + 1)), "no list"),
        (lambda head: head["warm"]["deltas"][0].update(base_revision=9), "no later revision"),
        (lambda head: head["warm"]["deltas"].append("x"), "no JSON object"),
    ],
)
def test_hostile_head_is_refused(change: Callable[[dict[str, Any]], object], reason: str) -> None:
    with pytest.raises(BundleUnreadable, match=reason):
        parse_site_head(_change(change), "edge-1")


@pytest.mark.parametrize(
    "encoded",
    [b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b" " * (LARGEST_HEAD + 1), b'{"format":1e0}'],
)
def test_what_is_no_head_is_refused(encoded: bytes) -> None:
    with pytest.raises(BundleUnreadable):
        parse_centre_head(encoded)
    with pytest.raises(BundleUnreadable):
        parse_site_head(encoded, "edge-1")


@pytest.mark.parametrize("name", ["", "Edge", "a/b", "..", "-a", "a-", "a.b", "a" * 64, "ä"])
def test_odd_site_names_are_refused(name: str) -> None:
    with pytest.raises(BundleUnreadable, match="no name of a site"):
        parse_site_head(dump_site_head(SiteHead(name, WARM)), name)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.sampled_from(["revision", "digest", "base", "deltas"]), _JSON)
def test_any_other_value_is_refused_as_unreadable(name: str, value: Any) -> None:
    members = json.loads(dump_site_head(SiteHead("edge-1", WARM)))
    members["warm"][name] = value
    with pytest.raises(BundleUnreadable):
        parse_site_head(json.dumps(members).encode(), "edge-1")
