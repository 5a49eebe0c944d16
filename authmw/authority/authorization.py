"""What a bearer may do, and for how long that holds."""

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
    """Who the bearer is and what he may do.

    Attributes:
        principal: for every token with the bearer's key.
        methods, thumbprint: of the token asked with; the same in all signed ones with its key.
        answered_at: epoch seconds.
        renew_from: epoch seconds from which its source is to be asked again by whoever uses
            it, so that it is renewed ahead of time, without a request that waits.
        fresh_until: epoch seconds up to which it holds without being asked for again.
        usable_until: epoch seconds up to which it may be used while nobody can be asked.
        renew: asks for it anew in the background, with a bearer's token; None where its
            source needs no asking. Call it only after checking that the token is not revoked.
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

    @property
    def size(self) -> int:
        return self.principal.size

    @property
    def catalog(self) -> ServiceCatalog | None:
        return self.principal.catalog

    def relied_on_until(self, now: float) -> int:
        """Return up to when a Token made of this is used without another look at it.

        A token in memory never asks for its bearer, and only by being asked a source learns
        that an authorization is in use: so the first look comes when renewing begins, and costs
        a few microseconds.
        """
        if now < self.renew_from:
            return self.renew_from
        soon = int(now) + LOOK_AGAIN_SECONDS
        return min(soon, self.fresh_until if now < self.fresh_until else self.usable_until)
