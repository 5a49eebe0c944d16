"""What the identity endpoint says about a token, and who can be asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from authmw.token.catalog import ServiceCatalog

# Says that we hold tokens to their access rules; without it the endpoint finds no token that
# has some (Identity API v3, "Validate and show information for token").
ACCESS_RULES = {"OpenStack-Identity-Access-Rules": "1"}


@dataclass(frozen=True, slots=True)
class TokenResponse:
    """One answer of "Validate and show information for token" (Identity API v3).

    Attributes:
        body: the object under "token", without its catalog.
        catalog: the service catalog, where it was asked for and there is one.
        answered_at: epoch seconds.
    """

    body: Mapping[str, object]
    catalog: ServiceCatalog | None
    answered_at: int


class TokenSource(Protocol):
    """The identity endpoint, or a cache in front of it."""

    def fetch_token_response(self, token: str, *, allow_expired: bool, now: float) -> TokenResponse:
        """Ask about one token.

        Args:
            token: the token string.
            allow_expired: whether an expired token may still be answered for.
            now: epoch seconds.

        Raises:
            InvalidToken: the endpoint does not know the token, or refuses it.
            IdentityUnavailable: there is no answer to be had.
        """
