"""`health`: whether filters can do their work, for the readiness probe of a service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from authmw.build.parts import find_live_parts
from authmw.runtime.clock import wall_clock


@dataclass(frozen=True, slots=True)
class Health:
    """Whether filters can do their work.

    Attributes:
        ready: they can.
        reasons: why not, each with the part it is about: `"keys: jws_jwks_uri = ...: ..."`. They
            are for operators: they name addresses, files and options, and no token or secret.
    """

    ready: bool
    reasons: tuple[str, ...] = ()


class Checked(Protocol):
    """A filter: `AuthMiddleware`, or its `FilterParts`."""

    def find_troubles(self, now: float) -> list[str]:
        """Return why the filter can't do its work, without I/O; none: it can."""


def health(*filters: Checked, clock: Callable[[], float] = wall_clock) -> Health:
    """Tell whether filters can judge tokens now: public keys, revocation events, identity service.

    Nothing is sent or read: this is what the filters know. In a process that has not served a
    request yet it starts their background threads, which read keys and events; ask again then.
    An issuer that no token came from yet was asked for nothing, and counts as ready.

    Tokens in memory go on working while the identity service is away, so a service that isn't
    ready may still serve many requests.

    Args:
        filters: to ask about; without any, all of this process that are not closed.
        clock: epoch seconds.
    """
    now = clock()
    every = filters or tuple(find_live_parts())
    if not every:
        return Health(ready=False, reasons=("no filter was built in this process",))
    # Several filters of one service may have the same trouble.
    found = dict.fromkeys(reason for each in every for reason in each.find_troubles(now))
    return Health(ready=not found, reasons=tuple(found))
