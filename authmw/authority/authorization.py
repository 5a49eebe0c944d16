"""The user, scope and roles of a bearer, with the lifetime of the answer that gave them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from authmw.token import Principal
from authmw.token.catalog import ServiceCatalog

# How soon a token is validated again while its bearer's authorization waits to be renewed, ahead
# of its time or, in an outage, past it.
LOOK_AGAIN_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Authorization:
    """The principal of a bearer, and how long it is used.

    Attributes:
        principal: of every token with the bearer's key.
        methods, thumbprint: of the token validated; the same in all signed tokens with its key.
        answered_at: epoch seconds.
        renew_from: epoch seconds from which a request that uses it calls `renew`, so that it is
            renewed ahead of time, and no request waits.
        fresh_until: epoch seconds up to which it is used without being renewed.
        usable_until: epoch seconds up to which it may be used while its source does not answer.
        renew: renews it in the background, with a token of the bearer; None: its source sends no
            request. Call it only after checking that the token is not revoked.
        revision: of the bundle that it was made from; None: it was not made from one.
    """

    principal: Principal
    methods: tuple[str, ...]
    thumbprint: str | None
    answered_at: int
    renew_from: int
    fresh_until: int
    usable_until: int
    renew: Callable[[Any, Authorization, float], None] | None = field(
        default=None, repr=False, compare=False
    )
    revision: str | None = None

    @property
    def size(self) -> int:
        return self.principal.size

    @property
    def catalog(self) -> ServiceCatalog | None:
        return self.principal.catalog

    def relied_on_until(self, now: float) -> int:
        """Return up to when a Token made of it is used before the authorization is checked again.

        A token in memory looks up no bearer, and only a look-up has an authorization renewed. So
        the first check comes at `renew_from`; it costs a few microseconds.
        """
        if now < self.renew_from:
            return self.renew_from
        soon = int(now) + LOOK_AGAIN_SECONDS
        return min(soon, self.fresh_until if now < self.fresh_until else self.usable_until)
