"""Keeps `authmw.current()` set while the server iterates a streamed response of Django's.

As `authmw.wsgi.streaming` does for a WSGI app's body.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from authmw.runtime.request import begin, end


def keep_current(environ: dict[str, Any], response: Any) -> None:
    """Make `environ` the current request's around each step of a streamed response."""
    # A file is sent by the server's own means, and runs no code.
    if not response.streaming or getattr(response, "file_to_stream", None) is not None:
        return
    content = response.streaming_content
    if response.is_async:
        response.streaming_content = _step_async(environ, content)
    else:
        response.streaming_content = _step(environ, iter(content))


def _step(environ: dict[str, Any], iterator: Iterator[bytes]) -> Iterator[bytes]:
    while True:
        mark = begin(environ)
        try:
            step = next(iterator)
        except StopIteration:
            return
        finally:
            end(mark)
        yield step


async def _step_async(
    environ: dict[str, Any], iterator: AsyncIterator[bytes]
) -> AsyncIterator[bytes]:
    while True:
        mark = begin(environ)
        try:
            step = await anext(iterator)
        except StopAsyncIteration:
            return
        finally:
            end(mark)
        yield step
