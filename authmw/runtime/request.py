"""The environ of the request being served, for code that does not get it as an argument.

While a token is validated, the identity client passes the request's id on, and a cache object may
be in the environ. While the app runs, `authmw.current()` finds the token there. A context variable
keeps threads, greenlets and tasks apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

# Key of an environ that was made of an ASGI scope.
IS_ASGI: Final = "authmw.is_asgi"

_environ: ContextVar[dict[str, Any] | None] = ContextVar(
    "authmw.runtime.request.environ", default=None
)

# For the hot path, where a context manager would cost more than all it does. `begin(environ)`
# returns what `end` needs to restore the environ before; call both in the same context.
begin = _environ.set
end = _environ.reset

# `current_environ()` returns the environ of the request being served, or None outside of one.
current_environ = _environ.get


@contextmanager
def serving(environ: dict[str, Any]) -> Iterator[None]:
    """Make `environ` the current request's while the block runs."""
    mark = begin(environ)
    try:
        yield
    finally:
        end(mark)
