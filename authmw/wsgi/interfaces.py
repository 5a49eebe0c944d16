"""What stands between server and app, as the authenticator uses it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from authmw.token import Token


class Credentials(Protocol):
    """`keystone.token_auth` as the authenticator uses it; see `authmw.wsgi.token_auth`.

    Attributes:
        tokens: the user's token and its string, then the service's; None if there was none or it
            was refused.
    """

    tokens: tuple[Token | None, str | None, Token | None, str | None]

    def without_user(self) -> Credentials:
        """Return the credentials of the same request without the user's token."""


class Resource(Protocol):
    """What OAuth clients learn of the service; see `authmw.wsgi.protected_resource`."""

    def is_metadata_request(self, environ: dict[str, Any]) -> bool:
        """Tell whether a request asks for the metadata of the resource."""


# Makes `keystone.token_auth`, whose `tokens` the caller then sets.
MakeTokenAuth = Callable[[], Credentials]
