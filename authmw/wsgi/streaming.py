"""Keeps `authmw.current()` set while the server iterates a streamed body.

A generator's code runs after the app has returned, in the thread that iterates it, possibly
interleaved with other bodies. So the request is made current around each step, not until the
end of the body: a server may never reach the end.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any

from authmw.errors import Refused
from authmw.runtime.request import begin, end, serving
from authmw.wsgi.start_response import StartResponse


def keep_current(
    environ: dict[str, Any], body: Iterable[bytes], start: StartResponse
) -> Iterable[bytes]:
    """Return the body such that `environ` is the current request's whenever its code runs.

    The app's start_response call is forwarded now, and later ones after each step. If the body's
    code raises `Refused` before anything was sent, that refusal becomes the response.

    Bodies that servers inspect are returned unchanged: one with a length, from which servers
    compute Content-Length (PEP 3333, "Handling the Content-Length Header"), and a file, which
    they recognise by type and send by other means ("Optional Platform-Specific File Handling").
    """
    stepwise = _CurrentBody(environ, body, start)
    try:
        start.forward()
    except BaseException:
        # The server never sees this body.
        stepwise.close()
        raise
    file_wrapper = environ.get("wsgi.file_wrapper")
    if (
        hasattr(body, "__len__")
        or hasattr(body, "read")
        or (isinstance(file_wrapper, type) and isinstance(body, file_wrapper))
    ):
        start.is_immediate = True
        start.may_replace_body = False
        return body
    return stepwise


class _CurrentBody:
    """Iterates the body of one request."""

    __slots__ = ("_body", "_environ", "_iterator", "_start")

    def __init__(
        self, environ: dict[str, Any], body: Iterable[bytes], start: StartResponse
    ) -> None:
        self._start = start
        self._environ = environ
        self._body = body
        self._iterator: Iterator[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        mark = begin(self._environ)
        try:
            if self._iterator is None:
                self._iterator = iter(self._body)
            step = next(self._iterator)
        except StopIteration:
            self._start.forward()
            raise
        except Refused as refused:
            answer = refused.answer(self._environ, self._start.restart, sys.exc_info())
            return self._end_with(b"".join(answer))
        finally:
            end(mark)
        if self._start.refused is not None:
            return self._end_with(b"".join(self._start.refused.refusal.body_for(self._environ)))
        self._start.forward()
        return step

    def _end_with(self, content: bytes) -> bytes:
        """Replace the rest of the body by a refusal."""
        self._iterator = iter(())
        self._start.refused = None
        self._start.forward()
        return content

    def close(self) -> None:
        """Close the body, if it can be closed (PEP 3333)."""
        with serving(self._environ):
            close(self._body)


def close(body: Iterable[bytes]) -> None:
    """Close a body, if it can be closed (PEP 3333)."""
    close_it = getattr(body, "close", None)
    if close_it is not None:
        close_it()
