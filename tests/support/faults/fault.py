"""The record of one fault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tests.support.faults.site import Site

Seed = Callable[[Site], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a deployment.

    Attributes:
        name: of the row.
        seed: makes a good site one with this fault.
        check: how the name of the doctor's check begins.
        words: that stand in what is said about it, in cause and fix.
        level: what the doctor calls it.
        is_slow: left out of `make test`, as others of its kind are in it.
    """

    name: str
    seed: Seed
    check: str
    words: tuple[str, ...]
    level: Literal["warn", "fail"] = "fail"
    is_slow: bool = False

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Good:
    """A deployment without a fault.

    Attributes:
        name: of the row.
        seed: makes a good site another good one.
        is_slow: as of `Fault`.
    """

    name: str
    seed: Seed
    is_slow: bool = False

    def __str__(self) -> str:
        return self.name
