"""Refuses overrides of methods that keystonemiddleware's AuthProtocol calls and we never would.

A check that silently never runs is a security hole. So such a method is refused wherever it is set:
in a class, in a mixin, on an existing class, or on an instance.
"""

from __future__ import annotations

import abc
import inspect
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, Final

# The methods of AuthProtocol and its base class, except process_request, which is called.
NEVER_CALLED: Final = frozenset(
    {
        "_confirm_token_bind",
        "_create_auth_plugin",
        "_create_identity_server",
        "_create_oslo_cache",
        "_create_session",
        "_do_fetch_token",
        "_invalid_user_token",
        "_reject_auth_headers",
        "_token_cache_factory",
        "_validate_token",
        "fetch_token",
        "process_response",
        "validate_allowed_request",
        "www_authenticate_uri",
    }
)

# Hooks whose code decides on a request.
DECIDING_HOOKS: Final = frozenset({"is_open", "on_authenticated", "process_request"})


class RefusesUncalled(abc.ABCMeta):
    """Metaclass that refuses such methods on classes that are already defined.

    Derived from ABCMeta, so that a subclass may also have an abstract base class.
    """

    def __setattr__(cls, name: str, value: Any) -> None:
        if name in NEVER_CALLED:
            raise make_refusal(cls, name)
        if name in DECIDING_HOOKS:
            refuse_unrun(cls, name, value)
            super().__setattr__("_may_have_hooks", True)
        super().__setattr__(name, value)


def refuse_uncalled(cls: type[Any]) -> None:
    """Refuse a class that has such a method, its own or inherited.

    Raises:
        TypeError: it has one; the message says what to override instead.
    """
    for name in sorted(NEVER_CALLED):
        if hasattr(cls, name):
            raise make_refusal(cls, name)
    for name in sorted(DECIDING_HOOKS):
        refuse_unrun(cls, name, getattr(cls, name))


def refuse_unrun(cls: type[Any], name: str, hook: object) -> None:
    """Refuse a hook that is a coroutine or generator function: calling it runs none of its code.

    Raises:
        TypeError: it is one.
    """
    if (
        inspect.iscoroutinefunction(hook)
        or inspect.isasyncgenfunction(hook)
        or inspect.isgeneratorfunction(hook)
    ):
        raise _make_unrun(cls, name)


def verify_run(cls: type[Any], name: str, result: object) -> None:
    """Refuse a hook's result if it is a coroutine or generator, whose code has not run.

    Raises:
        TypeError: it is one.
    """
    if isinstance(result, CoroutineType | GeneratorType | AsyncGeneratorType):
        if not isinstance(result, AsyncGeneratorType):
            result.close()
        raise _make_unrun(cls, name)


def _make_unrun(cls: type[Any], name: str) -> TypeError:
    return TypeError(
        f"{cls.__qualname__}.{name} is a coroutine or generator function, and none of its code "
        "would run: make an ordinary function of it"
    )


def make_refusal(cls: type[Any], name: str) -> TypeError:
    """Return the error that names a method which authmw never calls."""
    return TypeError(
        f"{cls.__qualname__} has {name}, which authmw never calls: override is_open to let a"
        " request through, on_authenticated to look at its token, reject to answer, or"
        " process_request to wrap all of them"
    )
