"""One process at a time makes a part, and one signs and sends."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from authmw.errors import BundleUnreadable

_PAUSE_SECONDS: Final = 0.02


@contextmanager
def locked(state: Path, name: str, *, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold a lock of the centre for the context.

    Raises:
        BundleUnreadable: another process has it, for longer than is to be waited.
        OSError: it can't be had.
    """
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = state / f"{name}.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        _take(descriptor, path, time.monotonic() + wait_seconds)
        yield
    finally:
        # The file stays: whoever waits for it has it open.
        os.close(descriptor)


def _take(descriptor: int, path: Path, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise BundleUnreadable(
                    f"another process has {path}: it publishes or rotates"
                ) from None
        time.sleep(_PAUSE_SECONDS)
