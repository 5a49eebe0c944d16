"""A JSON object that nobody changes, and of which every request gets a copy of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from sys import intern
from typing import Any, Final

# Far more than a token body has; past it something is wrong with whoever sent it.
MAX_DEPTH: Final = 100

# One dict or list as they are in token bodies, with its place, its values aside, in bytes.
_CONTAINER_SIZE = 280


class Template:
    """One JSON object, laid out for copying.

    Texts and numbers can't be changed, so a copy shares them, and all that has to be made
    anew are the dicts and lists. They are listed once, outermost first, each with its place in
    one further out; a copy then needs no recursion and looks at no value. That takes two
    thirds of the time of the next best way, unmarshalling.

    Args:
        members: of the object; taken apart here, and not kept.

    Raises:
        ValueError: dicts and lists are nested deeper than `MAX_DEPTH`.
    """

    __slots__ = ("_inner", "_members", "size")

    def __init__(self, members: Mapping[str, object]) -> None:
        self._members = _copy_flat(dict(members))
        # (number of the one it is in, where in there, itself); the object is number 0.
        self._inner: list[tuple[int, Any, Any]] = []
        texts_size = 0
        level: list[tuple[int, Any]] = [(0, self._members)]
        for _ in range(MAX_DEPTH):
            deeper: list[tuple[int, Any]] = []
            for number, container in level:
                for place, value in _places(container):
                    if type(value) is dict or type(value) is list:
                        copy = _copy_flat(value)
                        container[place] = None  # until a copy of it is put there
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
        """The memory it takes, in bytes, roughly."""

    def copy_into(self, target: dict[str, Any]) -> None:
        """Put a copy of every member into `target`, the caller's own to change."""
        target.update(self._members)
        made: list[Any] = [target]
        for number, place, container in self._inner:
            made[number][place] = copy = container.copy()
            made.append(copy)


def _copy_flat(container: Any) -> Any:
    if type(container) is list:
        return container.copy()
    # A parser makes the names anew for each body; all templates together need them once.
    return {intern(name): value for name, value in container.items()}


def _places(container: Any) -> Iterable[tuple[Any, Any]]:
    return container.items() if type(container) is dict else enumerate(container)
