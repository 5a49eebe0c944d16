"""What subclasses of keystonemiddleware's AuthProtocol override, and nothing here would call.

A check that is silently never made is a hole. So such a method is refused wherever it is put:
in a class, in a mixin, on a class that exists already, or on an instance.
"""

from __future__ import annotations

import abc
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


class RefusesUncalled(abc.ABCMeta):
    """Refuses them on classes that are defined already.

    Derived from ABCMeta, so that a subclass may have an abstract base class beside ours.
    """

    def __setattr__(cls, name: str, value: Any) -> None:
        if name in NEVER_CALLED:
            raise make_refusal(cls, name)
        super().__setattr__(name, value)


def refuse_uncalled(cls: type[Any]) -> None:
    """Refuse a class that has one of them, of its own or of any base.

    Raises:
        TypeError: says what to override instead.
    """
    for name in sorted(NEVER_CALLED):
        if hasattr(cls, name):
            raise make_refusal(cls, name)


def make_refusal(cls: type[Any], name: str) -> TypeError:
    """Return the error that names a method nothing calls."""
    return TypeError(
        f"{cls.__qualname__} has {name}, which authmw never calls: override is_open to let a"
        " request through, on_authenticated to look at its token, reject to answer, or"
        " process_request to stand around all of them"
    )
