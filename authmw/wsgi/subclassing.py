"""What subclasses of keystonemiddleware's AuthProtocol override, and nothing here would call.

A check that is silently never made is a hole. So such a method is refused wherever it is put:
in a class, in a mixin, on a class that exists already, or on an instance.
"""

from __future__ import annotations

import abc
import inspect
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, Final

# All that AuthProtocol and its base class have beside process_request, which is called.
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

# What decides on a request by being run.
DECIDING_HOOKS: Final = frozenset({"is_open", "on_authenticated", "process_request"})


class RefusesUncalled(abc.ABCMeta):
    """Refuses them on classes that are defined already.

    Derived from ABCMeta, so that a subclass may have an abstract base class beside ours.
    """

    def __setattr__(cls, name: str, value: Any) -> None:
        if name in NEVER_CALLED:
            raise make_refusal(cls, name)
        if name in DECIDING_HOOKS:
            refuse_unrun(cls, name, value)
            super().__setattr__("_may_have_hooks", True)
        super().__setattr__(name, value)


def refuse_uncalled(cls: type[Any]) -> None:
    """Refuse a class that has one of them, of its own or of any base.

    Raises:
        TypeError: says what to override instead.
    """
    for name in sorted(NEVER_CALLED):
        if hasattr(cls, name):
            raise make_refusal(cls, name)
    for name in sorted(DECIDING_HOOKS):
        refuse_unrun(cls, name, getattr(cls, name))


def refuse_unrun(cls: type[Any], name: str, hook: object) -> None:
    """Refuse a hook whose call runs nothing of it: a coroutine or generator function.

    Raises:
        TypeError: says so.
    """
    if (
        inspect.iscoroutinefunction(hook)
        or inspect.isasyncgenfunction(hook)
        or inspect.isgeneratorfunction(hook)
    ):
        raise _make_unrun(cls, name)


def verify_run(cls: type[Any], name: str, result: object) -> None:
    """Refuse what a hook returned if that is its code, which nobody has run yet.

    Raises:
        TypeError: says so.
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
    """Return the error that names a method nothing calls."""
    return TypeError(
        f"{cls.__qualname__} has {name}, which authmw never calls: override is_open to let a"
        " request through, on_authenticated to look at its token, reject to answer, or"
        " process_request to stand around all of them"
    )
