"""Callers with tokens of an OAuth2 or OIDC issuer, for a service's tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

from authmw.issuers.profiles import PROFILES
from authmw.testing.dpop import DpopClient
from authmw.testing.oidc_server import OidcServer
from authmw.testing.oidc_tokens import SHAPES


@dataclass(frozen=True, slots=True)
class IssuerPersona:
    """A user with an access token of an issuer.

    Attributes:
        name: the subject of the token.
        token: signed with the issuer's key.
        expires_at: epoch seconds.
        client: holds the key that the token is bound to (DPoP); None: it is bound to none.
        audience: of the token.
    """

    name: str
    token: str = field(repr=False)
    expires_at: int
    client: DpopClient | None = field(default=None, repr=False)
    audience: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """The headers of a request by this persona; without a proof, if its token needs one."""
        return {"Authorization": f"Bearer {self.token}"}

    def headers_for(self, method: str, url: str) -> dict[str, str]:
        """Return the headers of one request, with a proof if the token needs one.

        Args:
            method: of the request.
            url: of the request, without its query, as clients see it. A path alone is one on the
                server of the token's audience, which services expect unless `public_endpoint`
                names another, such as "http://testserver".
        """
        if self.client is None:
            return self.headers
        return self.client.authorize(self.token, method, urljoin(self.audience, url))


class IssuerPersonas:
    """Makes personas of one issuer; each call is a new token.

    Attributes:
        issuer: makes their tokens. Filters have its keys in a directory.

    Args:
        options: of the issuer's section, where they are not what `service_options` has.
    """

    def __init__(self, issuer: OidcServer, options: Mapping[str, str] | None = None) -> None:
        self.issuer = issuer
        self._options = options or {}

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
            grant: what else the token says: see `authmw.testing.TokenGrant`, and
                `lifetime_seconds`. The user's name is `name`, where such tokens have one.

        Raises:
            TypeError: a grant has no such member, or a service would find no roles in the token;
                the message says what was meant.
        """
        if roles:
            self._verify_roles_are_found(grant)
        grant.setdefault("username", name)
        client = DpopClient(clock=self.issuer.clock) if is_bound else None
        if client is not None:
            grant["key_thumbprint"] = client.thumbprint
        token = self.issuer.issue(name, roles=roles, scope=scope, **grant)
        lifetime = grant.get("lifetime_seconds", self.issuer.lifetime_seconds)
        audience = str(grant.get("audience", self.issuer.audience))
        return IssuerPersona(name, token, int(self.issuer.clock()) + lifetime, client, audience)

    def _verify_roles_are_found(self, grant: Mapping[str, Any]) -> None:
        profile = self.issuer.profile
        if profile == "keystone-op" and grant.get("project_id") is None:
            raise TypeError("roles of keystone-op are on a project: say project_id=... as well")
        claim = SHAPES[profile].roles_claim
        said = self._options.get("roles")
        if said is None:
            mapping = PROFILES[profile].mapping
            if mapping is not None and not mapping.roles:
                raise TypeError(
                    f"services take no claim of {profile}'s tokens for roles unless they say "
                    + (
                        f"which: write of_issuer({profile!r}, roles={claim!r})"
                        if claim is not None
                        else f"which: leave roles out, or write of_issuer({profile!r}, "
                        "roles='roles') and user(..., claims={'roles': [...]})"
                    )
                )
        elif claim not in [name.strip() for name in said.split(",")]:
            raise TypeError(
                f"{profile} puts roles into {claim or 'no claim'}, and the service reads them from "
                f"{said}: put them there by claims={{...}} instead of roles=[...]"
            )
