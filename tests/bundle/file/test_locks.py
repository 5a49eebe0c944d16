"""Locks of readers: they keep writers from a file that is read, and readers from nothing."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from authmw.bundle.file import apply_delta, make_delta, open_bundle
from tests.support.bundle_facts import NEW_ORIGIN, changed, facts, write
from tests.support.waiting import wait_for


@contextmanager
def opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def is_locked(path: Path) -> bool:
    with opened(path) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


@pytest.fixture
def path(tmp_path: Path) -> Path:
    bundle = tmp_path / "bundle"
    write(bundle, facts())
    return bundle


def test_an_open_bundle_is_locked_until_it_is_closed(path: Path) -> None:
    with open_bundle(path):
        assert is_locked(path)
    assert not is_locked(path)


def test_a_reader_that_locks_a_file_keeps_nobody_from_reading(path: Path) -> None:
    """Whoever may read it can; a bundle of mode 0644 may be read by everybody."""
    with opened(path) as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        bundle = open_bundle(path)
        assert len(list(bundle.select("SELECT * FROM users"))) == 30
        bundle.try_lock()
        fcntl.flock(other, fcntl.LOCK_UN)
        assert not is_locked(path)
        bundle.try_lock()
        assert is_locked(path)
    bundle.close()
    assert not is_locked(path)


def test_a_forked_process_keeps_no_lock_of_its_parents(path: Path) -> None:
    bundle = open_bundle(path)
    ended, end = os.pipe()
    child = os.fork()
    if child == 0:
        # Closing what was inherited must close nothing that the child has opened since.
        status = 1
        try:
            own = open_bundle(path)
            bundle._file.close()
            status = 0 if len(list(own.select("SELECT * FROM users"))) == 30 else 2
            own.try_lock()
            own.close()
            os.close(end)
            os.read(ended, 1)
        finally:
            os._exit(status)
    os.close(ended)
    try:
        bundle.close()
        # The child has the file open itself for a moment.
        assert wait_for(lambda: not is_locked(path), 10)
    finally:
        os.close(end)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_file_that_a_forked_process_inherited_is_used_again(path: Path, tmp_path: Path) -> None:
    """Two files take turns, though a child of a former reader lives on."""
    bundle = open_bundle(path)
    first = path.stat().st_ino
    ended, end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(end)
        os.read(ended, 1)
        os._exit(0)
    os.close(ended)
    try:
        rows, inodes = facts(), list[int]()
        for number in range(3):
            rows = changed(rows) if number % 2 == 0 else facts()
            origin = replace(NEW_ORIGIN, revision=NEW_ORIGIN.revision + number)
            write(tmp_path / "next", rows, origin)
            make_delta(path, tmp_path / "next", tmp_path / "delta")
            apply_delta(path, tmp_path / "delta")
            inodes.append(path.stat().st_ino)
            bundle.close()
            bundle = open_bundle(path)
        assert first in inodes
    finally:
        bundle.close()
        os.close(end)
        os.waitpid(child, 0)
