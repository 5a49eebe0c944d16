"""Callers with tokens of an OAuth2 or OIDC issuer, for a service's tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from authmw.testing.dpop import DpopClient
from authmw.testing.oidc_server import OidcServer


@dataclass(frozen=True, slots=True)
class IssuerPersona:
    """A user with an access token of an issuer.

    Attributes:
        name: the subject of the token.
        token: signed with the issuer's key.
        expires_at: epoch seconds.
        client: holds the key that the token is bound to (DPoP); None: it is bound to none.
    """

    name: str
    token: str = field(repr=False)
    expires_at: int
    client: DpopClient | None = field(default=None, repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """The headers of a request by this persona; without a proof, if its token needs one."""
        return {"Authorization": f"Bearer {self.token}"}

    def headers_for(self, method: str, url: str) -> dict[str, str]:
        """Return the headers of one request, with a proof if the token needs one.

        Args:
            method, url: of the request; the URL as clients see it, without its query.
        """
        if self.client is None:
            return self.headers
        return self.client.authorize(self.token, method, url)


class IssuerPersonas:
    """Makes personas of one issuer; each call is a new token.

    Attributes:
        issuer: makes their tokens. Filters have its keys in a directory.
    """

    def __init__(self, issuer: OidcServer) -> None:
        self.issuer = issuer

    def user(
        self,
        name: str = "ada",
        *,
        roles: tuple[str, ...] | list[str] = (),
        scope: str = "",
        is_bound: bool = False,
        **grant: Any,
    ) -> IssuerPersona:
        """Return a user of the issuer.

        Args:
            name: the subject, of which some kinds of issuer make something else: a service
                account, a repository.
            roles: names, in the claim where this kind of issuer has roles, if it has one.
            scope: of OAuth (RFC 6749 §3.3).
            is_bound: whether the token is bound to a key of this persona's (DPoP).
            grant: what else the token says; see `authmw.testing.oidc_tokens.TokenGrant`, and
                `lifetime_seconds`.
        """
        client = DpopClient(clock=self.issuer.clock) if is_bound else None
        if client is not None:
            grant["key_thumbprint"] = client.thumbprint
        token = self.issuer.issue(name, roles=roles, scope=scope, **grant)
        lifetime = grant.get("lifetime_seconds", self.issuer.lifetime_seconds)
        return IssuerPersona(name, token, int(self.issuer.clock()) + lifetime, client)
