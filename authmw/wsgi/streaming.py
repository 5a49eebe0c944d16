"""Response bodies that are made while the server sends them, and whose request that is for.

A generator's code runs after the app has returned, in whatever thread the server iterates,
and maybe in turns with other bodies. So the request is made current around every single step
instead of until some end, which a server may never tell of.
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
    """Return the body, with `environ` as the current request's wherever code of it runs.

    The server is told of what the app has started so far, and then after each step. A body whose
    code raises `Refused` before anything was sent ends as that refusal's answer.

    What servers look at is returned as it is: what has a length, from which they know
    Content-Length (PEP 3333, "Handling the Content-Length Header"), and a file, which they
    know by its type and send by other means (ibid., "Optional Platform-Specific File
    Handling").
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
    """An iterable of one request."""

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
        """Send a refusal in place of what the body had still to say."""
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
