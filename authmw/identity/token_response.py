"""The identity endpoint's answer about a token, with the protocol of its sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from authmw.token.catalog import ServiceCatalog
from authmw.token.oauth import OAuthAccess

# Tells the endpoint that we enforce access rules; without it a token that has some is not found
# (Identity API v3, "Validate and show information for token").
ACCESS_RULES = {"OpenStack-Identity-Access-Rules": "1"}


class TokenResponse(NamedTuple):
    """One answer of "Validate and show information for token" (Identity API v3).

    Attributes:
        body: the object under "token", without its catalog.
        catalog: the service catalog, if it was asked for and the token has one.
        answered_at: epoch seconds.
        oauth: what an issuer that was asked (RFC 7662) said beyond that; None: Keystone was.
    """

    body: Mapping[str, object]
    catalog: ServiceCatalog | None
    answered_at: int
    oauth: OAuthAccess | None = None


class TokenSource(Protocol):
    """The identity endpoint, or a cache in front of it."""

    def fetch_token_response(self, token: str, *, allow_expired: bool, now: float) -> TokenResponse:
        """Ask about one token.

        Args:
            token: the token string.
            allow_expired: whether an expired token is accepted.
            now: epoch seconds.

        Raises:
            InvalidToken: the endpoint does not know the token, or refuses it.
            IdentityUnavailable: there is no usable answer.
        """
