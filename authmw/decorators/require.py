"""`require`: lets a view run only for tokens with given roles, scope or methods."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from authmw.checks.requirements import (
    NotFromRequest,
    Requirement,
    ScopeName,
    parse_requirement,
)
from authmw.decorators.check import verify
from authmw.decorators.checked import note_check, note_decorator
from authmw.decorators.protect import Protected
from authmw.decorators.registered import refuse_registered
from authmw.decorators.wrapping import decorate_class
from authmw.wsgi.asgi import refuse_asgi

F = TypeVar("F", bound=Callable[..., Any])


def require(
    *,
    roles: str | Iterable[str] | NotFromRequest | None = None,
    scope: ScopeName | Iterable[ScopeName] | None = None,
    admin_project: bool = False,
    methods: str | Iterable[str] | None = None,
    oauth_scope: str | Iterable[str] | None = None,
) -> Callable[[F], F]:
    """Let a view run only for tokens that meet a requirement.

        @authmw.require(roles=("member", "admin"), scope="project")
        def list_items(): ...

    It decorates WSGI callables and the views of Flask, Django, Django REST framework, Falcon
    and Pyramid, functions or methods, and the hooks, permissions and middleware that these
    frameworks call before a view. Write it next to the function: below `protect`, and below the
    framework's route. The middleware must be in front.

    `require()` without arguments asks for any valid token.

    Without a valid token the response is 401, or 503 where nobody could validate it. A token that
    lacks something gets 403 with the missing things in the JSON body (`error.missing`). All are
    raised as an exception of the framework in use (see `check`), so that they end the request
    wherever the check runs.

    Args:
        roles: role names; the token needs one of them. Decorate twice to require two.
        scope: "system", "domain" or "project", or several; the token needs one of them.
        admin_project: whether the token must be of the admin project, as in X-Is-Admin-Project;
            if a deployment names no admin project, every project counts as it.
        methods: authentication methods ("password", "totp", ...) that the user must all have used.
        oauth_scope: values of an OAuth scope (RFC 6749 §3.3); the token must have been issued for
            all of them. Tokens of Keystone have none. A 403 tells the client which to ask for.

    Raises:
        ValueError: a scope does not exist, or an argument names nothing ("" or an empty list).
        TypeError: (when it decorates) the decorated object is no view, or Flask already holds the
            undecorated view, so that the check would never run.
    """
    requirement = parse_requirement(
        roles=roles,
        scope=scope,
        admin_project=admin_project,
        methods=methods,
        oauth_scope=oauth_scope,
    )

    def decorate(view: F) -> F:
        if isinstance(view, Protected):
            raise TypeError("write @authmw.require below @authmw.protect, which finds the token")
        if isinstance(view, staticmethod):
            raise TypeError("write @authmw.require below @staticmethod, next to the function")
        if isinstance(view, type):
            decorated: F | None = decorate_class(view, decorate)
            if decorated is not None:
                return decorated
        if not callable(view):
            raise TypeError(f"{type(view).__qualname__} is no view: it can't be called")
        refuse_asgi(view, is_view=True)
        refuse_registered(view)
        wrapper = _wrap_async if inspect.iscoroutinefunction(view) else _wrap
        wrapped: F = wrapper(view, requirement)
        # Pyramid counts a view's arguments and does not follow __wrapped__.
        with contextlib.suppress(ValueError, TypeError):
            wrapped.__signature__ = inspect.signature(view)  # type: ignore[attr-defined]
        note_check(wrapped)
        return wrapped

    note_decorator(decorate)
    return decorate


def _wrap(view: Callable[..., Any], requirement: Requirement) -> Any:
    # A generator function is checked when it is called, not when it is first iterated.
    @functools.wraps(view, updated=_updated_attributes(view))
    def run_if_met(*arguments: Any, **named: Any) -> Any:
        verify(requirement)
        return view(*arguments, **named)

    return run_if_met


def _wrap_async(view: Callable[..., Any], requirement: Requirement) -> Any:
    @functools.wraps(view)
    async def run_if_met(*arguments: Any, **named: Any) -> Any:
        verify(requirement)
        return await view(*arguments, **named)

    return run_if_met


def _updated_attributes(view: Callable[..., Any]) -> tuple[str, ...]:
    # An instance's attributes are its state, not metadata.
    return functools.WRAPPER_UPDATES if hasattr(view, "__code__") else ()
