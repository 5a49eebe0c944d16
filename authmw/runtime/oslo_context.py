"""Keeps the last request's context of oslo.context out of the log while a token is validated.

oslo.context keeps one context for each thread, and oslo.log puts its request and user into each
line. A service makes the context after the filter has let the request pass, and many leave it
behind. So what a library logs while the filter works, as that it lost a connection, would name the
user of the request before.

oslo.context is not imported: where nothing has imported it, there is no context.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

_MODULE: Final = "oslo_context.context"


def replace(environ: Mapping[str, Any], request_id: str | None) -> object | None:
    """Replace a context that is not of this request by one that says nothing but its id.

    Args:
        environ: of the request.
        request_id: of the request; None where it has none.

    Returns what `restore` needs to leave the context as it was; None: nothing was replaced.
    """
    module = sys.modules.get(_MODULE)
    if module is None:
        return None
    former: object | None = module.get_current()
    if former is None:
        return None
    own_id = environ.get("openstack.request_id")
    if own_id is not None and getattr(former, "request_id", None) == own_id:
        return None  # of a middleware in front of us
    # Not "": the class would make up an id.
    module.RequestContext(request_id=request_id or "-", overwrite=True)
    return former


def restore(former: object | None) -> None:
    """Make current what `replace` returned."""
    if former is not None:
        sys.modules[_MODULE].RequestContext.update_store(former)


@contextmanager
def replaced(environ: Mapping[str, Any], request_id: str | None) -> Iterator[None]:
    """Do both around a block."""
    former = replace(environ, request_id)
    try:
        yield
    finally:
        restore(former)
