"""`keystone.token_info`: the token body as a service gets it, copied when it is first read.

Few services read it, and copying its dicts and lists was a third of what a request cost. So a
request gets a dict that holds the body all requests share; whatever reads a value of it first
puts the request's own copy in its place.

C code that reads a dict's storage past its methods (orjson does) finds the shared body, complete
and read-only. So nothing that one request does can reach another, whichever way it takes.
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
    # A thread of the parent may have held it.
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
    """`keystone.token_info` before it is read; the first reading makes it an `OwnTokenInfo`.

    It is made empty, by C alone, and gets a `SharedBody` under "token".
    """

    __slots__ = ()

    # Whatever hands out a value. `dict(info)`, `{**info}` and `info.update` of another dict read
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
