"""The token of the request being served."""

from __future__ import annotations

from authmw.runtime import request
from authmw.token import Token, headers


def current() -> Token | None:
    """Return the token of the request that the calling code serves.

    It is set while the app behind the middleware runs, separately for every thread, greenlet or
    task, and while a streamed body is iterated (not a body of known length). A thread that the
    app starts has none, nor has a task once the request that started it is over: pass the token
    to it. `authmw.current_token` returns the same and raises where there is none.

    Returns None outside of a request, and in a request that was let through without a valid token
    (`delay_auth_decision`, `public_paths`).
    """
    environ = request.current_environ()
    return None if environ is None else environ.get(headers.TOKEN)
