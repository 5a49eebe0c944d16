"""The token of the request being served."""

from __future__ import annotations

from authmw.runtime import request
from authmw.token import Token, headers


def current() -> Token | None:
    """Return the token of the request that the calling code serves.

    It is there while the app behind the middleware runs, in every thread, greenlet or task for
    itself, and while a body that is made as it is sent is iterated (one whose length is known
    before may be iterated without). A thread that the app starts has none: hand the token over.

    Returns None outside of a request, and in one that was let through without a valid token
    (`delay_auth_decision`, `public_paths`).
    """
    environ = request.current_environ()
    return None if environ is None else environ.get(headers.TOKEN)
