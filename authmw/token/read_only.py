"""Dicts and lists that all requests share, and that therefore refuse to be changed.

Copies (`copy.copy`, `copy.deepcopy`, pickle, JSON) are plain dicts and lists. C code treats them as
their base classes: `dict.update` from one is as fast as from a dict.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

V = TypeVar("V")


def _refuse_change(*_: object, **__: object) -> NoReturn:
    raise TypeError("this is shared by all requests and read-only; copy.deepcopy() it first")


class ReadOnlyList(list[V]):
    """A list that refuses to be changed; its copies are plain lists."""

    __slots__ = ("__weakref__",)

    append = extend = insert = remove = reverse = sort = clear = pop = _refuse_change
    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse_change

    def __copy__(self) -> list[V]:
        return list(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> list[V]:
        return [copy.deepcopy(item, memo) for item in self]

    def __reduce_ex__(self, protocol: object) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return list, (list(self),)


class ReadOnlyDict(dict[str, V]):
    """A dict that refuses to be changed; its copies are plain dicts."""

    __slots__ = ()

    update = setdefault = clear = pop = popitem = _refuse_change
    __setitem__ = __delitem__ = __ior__ = _refuse_change

    def __copy__(self) -> dict[str, V]:
        return dict(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, V]:
        return {name: copy.deepcopy(value, memo) for name, value in self.items()}

    def __reduce_ex__(self, protocol: object) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return dict, (dict(self),)
