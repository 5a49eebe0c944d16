"""Deltas: what they make of a bundle, and what is refused."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authmw.bundle.facts import TABLES_BY_NAME
from authmw.bundle.file import (
    Header,
    Origin,
    apply_delta,
    make_delta,
    open_bundle,
    read_delta_header,
    verify_bundle,
)
from authmw.bundle.file import delta as delta_form
from authmw.bundle.file.cbor import encode_array
from authmw.bundle.file.delta import DeltaHeader
from authmw.errors import BundleUnreadable
from tests.support.bundle_facts import (
    FACTS,
    NEW_ORIGIN,
    OLD_ORIGIN,
    Fact,
    assignment,
    changed,
    facts,
    identifier,
    user,
    write,
    write_delta,
)


@given(FACTS, FACTS, FACTS)
@settings(max_examples=60, deadline=None)
def test_delta_makes_the_new_revision_of_the_old_one(
    old: list[Fact], new: list[Fact], both: list[Fact]
) -> None:
    with TemporaryDirectory() as folder:
        bundle, after, delta = write_delta(
            Path(folder), _without_doubles([*both, *old]), _without_doubles([*both, *new])
        )
        header = apply_delta(bundle, delta)
        assert header == verify_bundle(bundle) == verify_bundle(after)
        assert header == read_delta_header(delta).result


def _without_doubles(rows: list[Fact]) -> list[Fact]:
    keys = {(name, row[: TABLES_BY_NAME[name].key_length]): (name, row) for name, row in rows}
    return list(keys.values())


def test_delta_holds_what_changed_alone(tmp_path: Path) -> None:
    _, _, delta = write_delta(tmp_path, facts(), changed(facts()))
    assert delta.stat().st_size < 500


def test_delta_that_was_applied_changes_nothing(tmp_path: Path) -> None:
    bundle, _, delta = write_delta(tmp_path, facts(), changed(facts()))
    apply_delta(bundle, delta)
    before = bundle.stat()
    assert apply_delta(bundle, delta).origin == NEW_ORIGIN
    assert bundle.stat() == before


def test_empty_delta_changes_the_header_alone(tmp_path: Path) -> None:
    bundle, _, delta = write_delta(tmp_path, facts(), facts())
    base = read_delta_header(delta)
    header = apply_delta(bundle, delta)
    assert (header.digest, header.row_count) == (base.base_digest, base.result.row_count)
    assert header == verify_bundle(bundle)


def test_delta_between_equal_revisions_changes_nothing(tmp_path: Path) -> None:
    bundle, delta = tmp_path / "bundle", tmp_path / "delta"
    write(bundle, facts())
    make_delta(bundle, bundle, delta)
    before = bundle.stat()
    apply_delta(bundle, delta)
    assert bundle.stat() == before


def test_no_delta_leads_back(tmp_path: Path) -> None:
    bundle, after, delta = write_delta(tmp_path, facts(), changed(facts()))
    with pytest.raises(BundleUnreadable, match="revision 7 is not newer than 8"):
        make_delta(after, bundle, delta)


def test_too_great_a_change_is_no_delta(tmp_path: Path) -> None:
    size = 1 << 20
    new = [user(1000 + number, "x" * size) for number in range(delta_form.LARGEST_DELTA // size)]
    with pytest.raises(BundleUnreadable, match="take the new bundle"):
        write_delta(tmp_path, facts(), new)
    assert sorted(os.listdir(tmp_path)) == ["after", "bundle"]


# --- two files in turn


def follow(bundle: Path, count: int) -> list[int]:
    """Apply so many deltas, each of one change; return the inodes of the files in force."""
    folder, inodes = bundle.parent, []
    for number in range(count):
        after, delta = folder / "after", folder / "delta"
        origin = replace(NEW_ORIGIN, revision=NEW_ORIGIN.revision + number)
        write(after, [*facts(), assignment(9000 + number, 1)], origin)
        make_delta(bundle, after, delta)
        assert apply_delta(bundle, delta) == verify_bundle(bundle) == verify_bundle(after)
        inodes.append(bundle.stat().st_ino)
    return inodes


def test_two_files_are_used_in_turn(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    write(bundle, facts())
    first = bundle.stat().st_ino
    second, *others = follow(bundle, 5)
    assert others == [first, second, first, second]
    assert sorted(os.listdir(tmp_path)) == [
        *("after", "bundle", "bundle.spare", "bundle.spare.delta", "delta")
    ]


def test_file_that_is_still_read_is_not_used_again(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    write(bundle, facts())
    with open_bundle(bundle) as reader:
        inodes = follow(bundle, 3)
        assert bundle.stat().st_ino != os.fstat(reader.fileno()).st_ino
        assert os.fstat(reader.fileno()).st_ino not in inodes
        assert reader.header.origin == OLD_ORIGIN
        assert reader.check_pages() == "ok"
        assert len(list(reader.rows(TABLES_BY_NAME["assignments"]))) == 300


@pytest.mark.parametrize("damage", ["cut", "of another delta", "gone", "same file"])
def test_spare_file_that_is_no_use_is_replaced(damage: str, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    spare, of_spare = tmp_path / "bundle.spare", tmp_path / "bundle.spare.delta"
    write(bundle, facts())
    follow(bundle, 2)
    # Held open, so that no new file gets its number.
    with spare.open("rb") as held:
        if damage == "cut":
            os.truncate(spare, 5000)
        elif damage == "of another delta":
            of_spare.write_bytes(b"\x80")
        elif damage == "gone":
            spare.unlink()
        else:
            spare.unlink()
            os.link(bundle, spare)
        after, delta = tmp_path / "after", tmp_path / "delta"
        write(after, changed(facts()), replace(NEW_ORIGIN, revision=20))
        make_delta(bundle, after, delta)
        with open_bundle(bundle) as reader:
            assert apply_delta(bundle, delta) == verify_bundle(bundle)
            assert reader.check_pages() == "ok"
        assert bundle.stat().st_ino != os.fstat(held.fileno()).st_ino


# --- hostile ones


def forged(
    base: Header, parts: list[bytes], *, digest: bytes | None = None, origin: Origin = NEW_ORIGIN
) -> bytes:
    """Return a delta with a right header, and any parts after it."""
    result = Header(origin, base.row_count, digest or base.digest)
    header = DeltaHeader(base.origin.revision, base.digest, result)
    return b"".join([*delta_form.encode_delta(header, []), *parts])


def row(project: int) -> bytes:
    return encode_array(assignment(project, 1)[1])


ONE_MORE = encode_array(("assignments", 0, 1))
HOSTILE = {
    "wrong digest": ([ONE_MORE, row(9000)], "not those of its digest"),
    "removes what is not there": (
        [encode_array(("assignments", 1, 0)), row(9000)],
        "removes rows of 'assignments' that are not there",
    ),
    "removes a row with other values": (
        [
            encode_array(("users", 1, 0)),
            encode_array((identifier(3), "user-3", "default", 0, None, None, 1)),
        ],
        "removes rows of 'users' that are not there",
    ),
    "adds what is there": (
        [ONE_MORE, encode_array(assignment(0, 0)[1])],
        "adds rows of 'assignments' that are there",
    ),
    "adds and removes one row": (
        [encode_array(("assignments", 0, 2)), row(9000), row(9000)],
        "not sorted",
    ),
    "rows swapped": (
        [encode_array(("assignments", 0, 2)), row(9001), row(9000)],
        "rows of 'assignments' are not sorted",
    ),
    "tables swapped": (
        [ONE_MORE, row(9000), encode_array(("users", 0, 0))],
        "tables are unknown, or out of order",
    ),
    "one table twice": ([ONE_MORE, row(9000), ONE_MORE, row(9001)], "out of order"),
    "unknown table": ([encode_array(("sqlite_schema", 0, 1)), row(9000)], "tables are unknown"),
    "header's table": ([encode_array(("bundle", 0, 1)), row(9000)], "tables are unknown"),
    "no counts": ([encode_array(("assignments",))], "no table with the numbers"),
    "negative count": ([encode_array(("assignments", -1, 0))], "no table with the numbers"),
    "more rows than it has": ([encode_array(("assignments", 0, 1 << 62)), row(9000)], "the end"),
    "row of another table": (
        [ONE_MORE, encode_array((identifier(1), identifier(2)))],
        "a row of 'assignments' has 2 values",
    ),
    "row of another form": (
        [ONE_MORE, encode_array((b"x", 0, identifier(1), 0, 0, identifier(1)))],
        "'target_id'",
    ),
    "something behind it": ([b"\x00"], "no array"),
    "nothing behind it": ([b"\x80"], "no table"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_delta_leaves_the_revision_in_force(name: str, tmp_path: Path) -> None:
    parts, why = HOSTILE[name]
    bundle, delta = tmp_path / "bundle", tmp_path / "delta"
    base = write(bundle, facts())
    before = bundle.read_bytes()
    delta.write_bytes(forged(base, parts))
    with pytest.raises(BundleUnreadable, match=why):
        apply_delta(bundle, delta)
    assert bundle.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["bundle", "delta"]


def test_delta_for_another_base_is_refused(tmp_path: Path) -> None:
    bundle, _, delta = write_delta(tmp_path, facts(), changed(facts()))
    write(bundle, changed(facts()))
    with pytest.raises(BundleUnreadable, match=r"changes revision 7 .* and revision 7 .* in force"):
        apply_delta(bundle, delta)


def test_delta_to_an_older_revision_is_refused(tmp_path: Path) -> None:
    bundle, delta = tmp_path / "bundle", tmp_path / "delta"
    base = write(bundle, facts(), NEW_ORIGIN)
    delta.write_bytes(forged(base, [], origin=OLD_ORIGIN))
    with pytest.raises(BundleUnreadable, match="revision 7 is not newer than revision 8"):
        apply_delta(bundle, delta)


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (("authmw bundle delta",), "format"),
        (("authmw bundle delta", 2), r"format 2, and this authmw reads format 1"),
        (("something else", 1), "no delta of a bundle"),
        (("authmw bundle delta", 1, "7", b""), "names no base"),
        (("authmw bundle delta", 1, 7, bytes(32), 8), "header has 1 values"),
        (
            ("authmw bundle delta", 1, 7, bytes(32), 8, 1, "x", None, None, 0, bytes(31)),
            "no 'digest'",
        ),
    ],
)
def test_header_of_another_form_is_refused(
    header: tuple[object, ...], why: str, tmp_path: Path
) -> None:
    bundle, delta = tmp_path / "bundle", tmp_path / "delta"
    write(bundle, facts())
    delta.write_bytes(encode_array(header))
    for read in (read_delta_header, lambda path: apply_delta(bundle, path)):
        with pytest.raises(BundleUnreadable, match=why):
            read(delta)


def test_cut_delta_is_refused(tmp_path: Path) -> None:
    bundle, _, delta = write_delta(tmp_path, facts(), changed(facts()))
    whole, before = delta.read_bytes(), bundle.read_bytes()
    for length in range(len(whole)):
        delta.write_bytes(whole[:length])
        with pytest.raises(BundleUnreadable):
            apply_delta(bundle, delta)
    assert bundle.read_bytes() == before


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_damaged_delta_is_refused_or_changes_the_header_alone(data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        bundle, after, delta = write_delta(Path(folder), facts(50), changed(facts(50)))
        content = bytearray(delta.read_bytes())
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
        delta.write_bytes(content)
        before = bundle.read_bytes()
        try:
            header = apply_delta(bundle, delta)
        except BundleUnreadable:
            assert bundle.read_bytes() == before
        else:
            # The digest is of the rows; whoever signs a delta signs its header too.
            assert header.digest == verify_bundle(bundle).digest == verify_bundle(after).digest


def test_large_delta_is_not_read(tmp_path: Path) -> None:
    bundle, delta = tmp_path / "bundle", tmp_path / "delta"
    delta.write_bytes(forged(write(bundle, facts()), []))
    os.truncate(delta, delta_form.LARGEST_DELTA + 1)
    with pytest.raises(BundleUnreadable, match="more than 67108864 bytes"):
        apply_delta(bundle, delta)


def test_fifo_is_not_waited_for(tmp_path: Path) -> None:
    bundle, delta = tmp_path / "bundle", tmp_path / "delta"
    write(bundle, facts())
    os.mkfifo(delta)
    with pytest.raises(BundleUnreadable, match="no regular file"):
        apply_delta(bundle, delta)
