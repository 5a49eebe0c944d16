"""Writes what a command says; all of them write through this module.

A reader that goes away (`authmw keys list | head -1`) and a full disk end the command without a
traceback.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys

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
    with contextlib.suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)


def finish() -> None:
    """Write what is still in the buffer; raises OutputLost."""
    _write("")


def _write(text: str) -> None:
    try:
        sys.stdout.write(text)
        # At once: a command that takes long says what it knows so far.
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_rest()
        raise OutputLost(CLOSED_PIPE) from None
    except OSError as error:
        _discard_rest()
        raise OutputLost(NOT_WRITTEN, f"the output can't be written: {error.strerror}") from None


def _discard_rest() -> None:
    """Keep the interpreter from trying once more, and failing, when it ends."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
