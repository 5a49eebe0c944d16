"""Token bodies that all requests share; a request that needs its own gets a copy.

A copy shares texts and numbers, which are immutable; only dicts and lists are made anew. They are
listed once, outermost first, each with its place in its parent, so that a copy needs no recursion
and inspects no value. That takes two thirds of the time of the next best way, unmarshalling.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from sys import intern
from typing import Any, Final

from authmw.token.read_only import ReadOnlyDict, ReadOnlyList

# Far more than a token body has; deeper nesting is a fault of its sender.
MAX_DEPTH: Final = 100

# One dict or list as they are in token bodies, with its place, its values aside, in bytes.
_CONTAINER_SIZE = 280


class SharedMembers:
    """Members of a token body that many tokens share: read-only, and prepared for copying.

    Args:
        members: by name, as JSON; they are copied.

    Attributes:
        members: what was given, read-only at every depth.
        size: the memory they take, in bytes, roughly.

    Raises:
        ValueError: dicts and lists are nested deeper than `MAX_DEPTH`.
    """

    __slots__ = ("_inner", "members", "size")

    def __init__(self, members: Mapping[str, object]) -> None:
        self.members: ReadOnlyDict[Any] = _copy_flat(dict(members))
        # (number of the container it is in, its place there, itself); the members are number 0.
        self._inner: list[tuple[int, Any, Any]] = []
        texts_size = 0
        level: list[tuple[int, Any]] = [(0, self.members)]
        for _ in range(MAX_DEPTH):
            deeper: list[tuple[int, Any]] = []
            for number, container in level:
                put = dict.__setitem__ if isinstance(container, dict) else list.__setitem__
                for place, value in _places(container):
                    if type(value) is dict or type(value) is list:
                        copy = _copy_flat(value)
                        put(container, place, copy)
                        self._inner.append((number, place, copy))
                        deeper.append((len(self._inner), copy))
                    elif type(value) is str:
                        texts_size += len(value)
            if not deeper:
                break
            level = deeper
        else:
            raise ValueError(f"nested deeper than {MAX_DEPTH}")
        self.size = _CONTAINER_SIZE * (1 + len(self._inner)) + texts_size

    def copy_into(self, target: dict[str, Any]) -> None:
        """Put a copy of every member into `target`, which its owner may change at any depth."""
        target.update(self.members)
        made: list[Any] = [target]
        for number, place, container in self._inner:
            # `copy()` of a read-only container is a plain dict or list.
            made[number][place] = copy = container.copy()
            made.append(copy)

    def __reduce__(self) -> tuple[type[SharedMembers], tuple[dict[str, Any]]]:
        members: dict[str, Any] = {}
        self.copy_into(members)
        return SharedMembers, (members,)


def _copy_flat(container: Any) -> Any:
    if type(container) is list:
        return ReadOnlyList(container)
    # A parser makes new names for each body; interned, all tokens share them.
    return ReadOnlyDict({intern(name): value for name, value in container.items()})


def _places(container: Any) -> Iterable[tuple[Any, Any]]:
    # A list, since the caller replaces values during its loop.
    return [*(container.items() if isinstance(container, dict) else enumerate(container))]


class SharedBody(ReadOnlyDict[Any]):
    """The body of one token, read-only: some members are its own, the others shared.

    Args:
        own: the token's own members: texts, and read-only lists and dicts of texts.
        shared: the members that many tokens share.
        catalog: its services, read-only, which every copy shares; None: there is no catalog.
    """

    __slots__ = ("_own_names", "_shared")

    def __init__(
        self, own: Mapping[str, Any], shared: SharedMembers, catalog: list[Any] | None
    ) -> None:
        super().__init__(own)
        self._shared = shared
        self._own_names = tuple(own)
        dict.update(self, shared.members)
        if catalog is not None:
            dict.__setitem__(self, "catalog", catalog)

    def to_mutable(self) -> dict[str, Any]:
        """Return a copy that its owner may change at any depth, but for the catalog."""
        body = self.copy()
        for name in self._own_names:
            value = body[name]
            if type(value) is not str:
                body[name] = value.copy()
        self._shared.copy_into(body)
        return body
