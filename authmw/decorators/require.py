"""`require`: what a view asks of the token beyond that it is valid."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from authmw.checks.requirements import Requirement, ScopeName, parse_requirement
from authmw.decorators.check import verify
from authmw.decorators.protect import Protected
from authmw.decorators.registered import refuse_registered
from authmw.decorators.wrapping import decorate_class
from authmw.wsgi.asgi import refuse_asgi

F = TypeVar("F", bound=Callable[..., Any])


def require(
    *,
    roles: str | Iterable[str] | None = None,
    scope: ScopeName | Iterable[ScopeName] | None = None,
    admin_project: bool = False,
    methods: str | Iterable[str] | None = None,
) -> Callable[[F], F]:
    """Let a view run only for tokens that have what it needs.

        @authmw.require(roles=("member", "admin"), scope="project")
        def list_items(): ...

    It decorates WSGI callables and the views of Flask, Django, Django REST framework, Falcon
    and Pyramid, functions or methods, and whatever these frameworks call before a view: hooks,
    permissions, middleware. It stands nearest to the function: below `protect`, and below the
    framework's route. A middleware has to be in front.

    Without a valid token the answer is 401; to a token that lacks something it is 403, and the
    JSON body says what (`error.missing`). Either is raised, as an exception of the framework in
    use (see `check`), so that it ends the request wherever the check was called.

    Args:
        roles: role names, of which the token needs one; decorate twice to ask for two.
        scope: "system", "domain" or "project", or several of them, of which one will do.
        admin_project: whether the token has to be of the admin project, as X-Is-Admin-Project
            tells: where a deployment names none, every project counts as it.
        methods: how the user has to have authenticated ("password", "totp", ...), all of them.

    Raises:
        ValueError: a scope that does not exist, or names of nothing.
        TypeError: (when it decorates) what is decorated is no view, or is registered with Flask
            already, so that nothing would call the check.
    """
    requirement = parse_requirement(
        roles=roles, scope=scope, admin_project=admin_project, methods=methods
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
        # Pyramid counts a view's arguments, and does not look behind a wrapper.
        with contextlib.suppress(ValueError, TypeError):
            wrapped.__signature__ = inspect.signature(view)  # type: ignore[attr-defined]
        return wrapped

    return decorate


def _wrap(view: Callable[..., Any], requirement: Requirement) -> Any:
    # A generator function is checked when it is called, not when it begins to run.
    @functools.wraps(view, updated=_updates(view))
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


def _updates(view: Callable[..., Any]) -> tuple[str, ...]:
    # An instance's attributes are its state, not metadata.
    return functools.WRAPPER_UPDATES if hasattr(view, "__code__") else ()
