"""The request a validation is done for, for those few who need to know deep down.

The identity client passes the request's id on, and a cache object may live in its environ.
Set only where a token has to be validated, never for a token held in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_environ: ContextVar[dict[str, Any] | None] = ContextVar("authmw.request.environ", default=None)


@contextmanager
def serving(environ: dict[str, Any]) -> Iterator[None]:
    """Make `environ` the current request's while the block runs."""
    mark = _environ.set(environ)
    try:
        yield
    finally:
        _environ.reset(mark)


def current_environ() -> dict[str, Any] | None:
    """Return the environ of the request being served, or None outside of one."""
    return _environ.get()
