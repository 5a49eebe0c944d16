"""`require`: what a view asks of the token beyond that it is valid."""

from __future__ import annotations

import contextlib
import functools
import inspect
import logging
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from authmw import headers, request
from authmw.checks.requirements import Requirement, ScopeName, parse_requirement
from authmw.decorators.frameworks import answer_refusal
from authmw.decorators.protect import Protected
from authmw.decorators.refusal import Refusal, refuse_missing, refuse_unauthenticated
from authmw.decorators.wrapping import decorate_class
from authmw.rejection import REFUSED

_log = logging.getLogger(__name__)

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
    and Pyramid, functions or methods, and stands nearest to them: below `protect`, and below
    the framework's route. A middleware has to be in front. Without a valid token the answer is
    401; to a token that lacks something it is 403, and the JSON body says what
    (`error.missing`). Both are the framework's own kind of response.

    Args:
        roles: role names, of which the token needs one; decorate twice to ask for two.
        scope: "system", "domain" or "project", or several of them, of which one will do.
        admin_project: whether the token has to be of the admin project, as X-Is-Admin-Project
            tells: where a deployment names none, every project counts as it.
        methods: how the user has to have authenticated ("password", "totp", ...), all of them.

    Raises:
        ValueError: a scope that does not exist, or names of nothing.
        TypeError: (when it decorates) what is decorated is no view.
    """
    requirement = parse_requirement(
        roles=roles, scope=scope, admin_project=admin_project, methods=methods
    )

    def decorate(view: F) -> F:
        if isinstance(view, Protected):
            raise TypeError("write @authmw.require below @authmw.protect, which finds the token")
        if isinstance(view, type):
            decorated: F | None = decorate_class(view, decorate)
            if decorated is not None:
                return decorated
        if not callable(view):
            raise TypeError(f"{type(view).__qualname__} is no view: it can't be called")
        wrapper = _wrap_async if inspect.iscoroutinefunction(view) else _wrap
        wrapped: F = wrapper(view, requirement)
        # Pyramid counts a view's arguments, and does not look behind a wrapper.
        with contextlib.suppress(ValueError, TypeError):
            wrapped.__signature__ = inspect.signature(view)  # type: ignore[attr-defined]
        return wrapped

    return decorate


def _wrap(view: Callable[..., Any], requirement: Requirement) -> Any:
    @functools.wraps(view, updated=_updates(view))
    def run_if_met(*arguments: Any, **named: Any) -> Any:
        refusal = _judge(requirement)
        if refusal is not None:
            return answer_refusal(refusal, arguments)
        return view(*arguments, **named)

    return run_if_met


def _wrap_async(view: Callable[..., Any], requirement: Requirement) -> Any:
    @functools.wraps(view)
    async def run_if_met(*arguments: Any, **named: Any) -> Any:
        refusal = _judge(requirement)
        if refusal is not None:
            return answer_refusal(refusal, arguments)
        return await view(*arguments, **named)

    return run_if_met


def _updates(view: Callable[..., Any]) -> tuple[str, ...]:
    # An instance's attributes are its state, not metadata.
    return functools.WRAPPER_UPDATES if hasattr(view, "__code__") else ()


def _judge(requirement: Requirement) -> Refusal | None:
    environ = request.current_environ()
    if environ is None:
        _log.error(
            "authmw.require() refused a request that came past no authmw middleware: put one in"
            " front (authmw.protect, AuthMiddleware, or the paste filter)"
        )
        return refuse_unauthenticated(is_challenged=False)
    token = environ.get(headers.TOKEN)
    if token is None:
        environ[REFUSED] = True
        return refuse_unauthenticated(is_challenged=True)
    missing = requirement.find_missing(token)
    if not missing:
        return None
    environ[REFUSED] = True
    return refuse_missing(missing)
