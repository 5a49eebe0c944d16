"""Who sends a request: users of the embedded identity service, and two without a token of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from authmw.testing.grants import Wanted


@dataclass(frozen=True, slots=True)
class Persona:
    """A caller.

    Attributes:
        title: for people.
        user: name in the embedded identity service; None: the caller has no token of it.
        wanted: the scope of the token, and its lifetime where that is not the usual one.
        roles: what an issuer writes into its token.
        string: sent in place of a token; None: nothing is.
    """

    title: str
    user: str | None = None
    wanted: Wanted = field(default_factory=Wanted)
    roles: tuple[str, ...] = ()
    string: str | None = None


_INVENTORY: Final = Wanted(project="inventory")

PERSONAS: Final[Mapping[str, Persona]] = {
    "member": Persona(
        "member of project inventory", "member", _INVENTORY, roles=("member", "reader")
    ),
    "reader": Persona("reader of project inventory", "reader", _INVENTORY, roles=("reader",)),
    "admin": Persona(
        "admin of project inventory",
        "admin",
        _INVENTORY,
        roles=("admin", "manager", "member", "reader"),
    ),
    "guest": Persona(
        "guest of another domain, on project research",
        "guest",
        Wanted(project="research"),
        roles=("member", "reader"),
    ),
    "system": Persona(
        "admin of the whole system",
        "admin",
        Wanted(system=True),
        roles=("admin", "manager", "member", "reader"),
    ),
    "expired": Persona(
        "member whose token has expired",
        "member",
        Wanted(project="inventory", expires_in=-1),
        roles=("member", "reader"),
    ),
    "garbage": Persona("somebody with garbage for a token", string="garbage"),
    "nobody": Persona("nobody: no token"),
}
"""By name, in the order in which the page offers them."""
