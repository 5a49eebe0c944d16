"""What the two processes of an export say to each other: Python values, each with its length.

`marshal` is fast, and safe for what our own child process writes and nobody else can. It must never
read a file or a socket.
"""

from __future__ import annotations

import marshal
from typing import IO, Any

_LENGTH_BYTES = 8


def write_message(file: IO[bytes], value: Any) -> None:
    """Write a value: None, bool, int, str, bytes, tuple, list, dict. Raises OSError."""
    message = marshal.dumps(value)
    file.write(len(message).to_bytes(_LENGTH_BYTES, "big"))
    file.write(message)
    file.flush()


def read_message(file: IO[bytes]) -> Any:
    """Read a value; waits for it. Raises EOFError: the writer has closed the pipe, or ended."""
    length = int.from_bytes(_read(file, _LENGTH_BYTES), "big")
    return marshal.loads(_read(file, length))  # noqa: S302


def _read(file: IO[bytes], length: int) -> bytes:
    content = file.read(length)
    if len(content) < length:
        raise EOFError
    return content
