"""Writes what a command says; all of them write through this module.

A reader that goes away (`authmw keys list | head -1`) and a full disk end the command without a
traceback.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from collections.abc import Iterator
from typing import TextIO

CLOSED_PIPE = 141
"""Exit status if the reader of our output went away: 128 + SIGPIPE, as of other programs."""
NOT_WRITTEN = 2
"""Exit status if the output could not be written."""


class OutputLost(Exception):
    """The output can't be written.

    Args:
        status: the exit status.
        reason: for standard error; "": nobody needs to be told.
    """

    def __init__(self, status: int, reason: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def say(text: str = "") -> None:
    """Write a line to standard output; raises OutputLost."""
    _write(f"{text}\n")


def say_json(document: object) -> None:
    """Write a JSON document to standard output; raises OutputLost."""
    _write(json.dumps(document, indent=2) + "\n")


def complain(text: str) -> None:
    """Write a line to standard error, if anyone reads it."""
    try:
        print(text, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        _discard_rest(sys.stderr)


@contextlib.contextmanager
def without_log() -> Iterator[None]:
    """Keep authmw's log out of the output of a command that says the same itself."""
    log, handler = logging.getLogger("authmw"), logging.NullHandler()
    former = log.propagate
    log.addHandler(handler)
    log.propagate = False
    try:
        yield
    finally:
        log.propagate = former
        log.removeHandler(handler)


@contextlib.contextmanager
def log_to_standard_error() -> Iterator[None]:
    """Write authmw's log to standard error, for a command that is a service."""
    log, handler = logging.getLogger("authmw"), logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    former = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.setLevel(former)
        log.removeHandler(handler)


def finish() -> None:
    """Write what is still in the buffer; raises OutputLost."""
    _write("")


def _write(text: str) -> None:
    try:
        sys.stdout.write(text)
        # At once: a command that takes long says what it knows so far.
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_rest(sys.stdout)
        raise OutputLost(CLOSED_PIPE) from None
    except OSError as error:
        _discard_rest(sys.stdout)
        raise OutputLost(NOT_WRITTEN, f"the output can't be written: {error.strerror}") from None


def _discard_rest(stream: TextIO) -> None:
    """Keep the interpreter from trying once more, and failing, when it ends."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
