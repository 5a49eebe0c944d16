"""Token bodies that all requests share, and the copies that belong to one request.

Strings and numbers are immutable, so a copy shares them and makes only the dicts and lists anew.
These are listed once, outermost first, each with its place in an outer one: copying needs no
recursion and looks at no value. It takes two thirds of the time of the next best way,
unmarshalling.
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
    """Members of a token body that many tokens share: read-only, prepared for copying.

    Args:
        members: by name, as JSON; they are copied.

    Attributes:
        members: the same, read-only at every depth.
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
        """Put a copy of every member into `target`; nothing mutable in it is shared."""
        target.update(self.members)
        made: list[Any] = [target]
        for number, place, container in self._inner:
            # Copies of read-only containers are plain.
            made[number][place] = copy = container.copy()
            made.append(copy)

    def __reduce__(self) -> tuple[type[SharedMembers], tuple[dict[str, Any]]]:
        members: dict[str, Any] = {}
        self.copy_into(members)
        return SharedMembers, (members,)


def _copy_flat(container: Any) -> Any:
    if type(container) is list:
        return ReadOnlyList(container)
    # The parser makes new strings for each body; one of each name is enough for all tokens.
    return ReadOnlyDict({intern(name): value for name, value in container.items()})


def _places(container: Any) -> Iterable[tuple[Any, Any]]:
    # A list, since values are replaced while it is read.
    return [*(container.items() if isinstance(container, dict) else enumerate(container))]


class SharedBody(ReadOnlyDict[Any]):
    """The body of one token, read-only: its own members and those it shares.

    Args:
        own: the token's own members: strings, and read-only lists and dicts of strings.
        shared: the members that many tokens share.
        catalog: the services of its catalog, read-only; copies share them. None: no catalog.
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
        """Return a copy; nothing mutable in it is shared, and the catalog is read-only."""
        body = self.copy()
        for name in self._own_names:
            value = body[name]
            if type(value) is not str:
                body[name] = value.copy()
        self._shared.copy_into(body)
        return body
