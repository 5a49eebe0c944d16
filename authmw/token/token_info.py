"""`keystone.token_info`: the token body that a service gets, copied when it is first read.

Few services read it, and copying its dicts and lists took a third of a request's time (ADR 0069).
So a request gets a dict that holds the shared body; the first method that returns a value replaces
the shared body by the request's own copy.

C code that reads a dict's storage without its methods (orjson does) finds the shared body, complete
and read-only. So no request can change what another one gets.
"""

from __future__ import annotations

import copy
import functools
import os
import threading
from collections.abc import Callable
from typing import Any, Final

from authmw.token.shared_body import SharedBody

_KEY: Final = "token"

_putting = threading.Lock()


def _renew_lock() -> None:
    # A thread of the parent process may have held it.
    global _putting
    _putting = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)


class OwnTokenInfo(dict[str, Any]):
    """`keystone.token_info` whose body is the request's own. Copies of it are plain dicts."""

    __slots__ = ()

    def __copy__(self) -> dict[str, Any]:
        return dict(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        return copy.deepcopy(dict(self), memo)

    def __reduce_ex__(self, protocol: object) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return dict, (dict(self),)


def _copying_first(method: Callable[..., Any]) -> Any:
    @functools.wraps(method)
    def copy_then_call(self: TokenInfo, *arguments: Any) -> Any:
        body = dict.get(self, _KEY)
        if type(body) is SharedBody:
            own = body.to_mutable()
            # Threads that serve one request must get the same copy.
            with _putting:
                if dict.get(self, _KEY) is body:
                    dict.__setitem__(self, _KEY, own)
        self.__class__ = OwnTokenInfo  # type: ignore[assignment]
        return method(self, *arguments)

    return copy_then_call


class TokenInfo(OwnTokenInfo):
    """`keystone.token_info` until it is first read; then it becomes an `OwnTokenInfo`.

    The maker puts a `SharedBody` under "token". It has no `__init__`, which would run Python code.
    """

    __slots__ = ()

    # Every method that returns a value. `dict(info)`, `{**info}` and `other.update(info)` read
    # the storage unless `__iter__` is overridden.
    __getitem__ = _copying_first(dict.__getitem__)
    __iter__ = _copying_first(dict.__iter__)
    __or__ = _copying_first(dict.__or__)
    __ror__ = _copying_first(dict.__ror__)
    copy = _copying_first(dict.copy)
    get = _copying_first(dict.get)
    items = _copying_first(dict.items)
    pop = _copying_first(dict.pop)
    popitem = _copying_first(dict.popitem)
    setdefault = _copying_first(dict.setdefault)
    values = _copying_first(dict.values)
