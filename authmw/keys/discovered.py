"""Reads public keys from where an issuer's discovery document says they are (RFC 8414)."""

from __future__ import annotations

from authmw.errors import IdentityUnavailable, KeysUnreadable
from authmw.identity.discovery import DiscoveryReader
from authmw.keys.jwks_uri import RETRY_SECONDS, Fetch, JwksUri
from authmw.keys.source import FoundKeys


class DiscoveredKeys:
    """Reads the JWK set of an issuer; a `KeyReader`.

    Args:
        discovery: reads the issuer's discovery document.
        fetch: does the GET of the JWK set.
    """

    option = "issuer"
    retry_seconds = RETRY_SECONDS
    first_wait_seconds = 2.0
    early_interval_seconds = 10.0

    def __init__(self, discovery: DiscoveryReader, fetch: Fetch) -> None:
        self.location = discovery.identifier
        self._discovery = discovery
        self._fetch = fetch
        self._keys: JwksUri | None = None

    def read(self, now: float) -> FoundKeys:
        """Read the discovery document, unless it is known, and the JWK set it names.

        Raises:
            KeysUnreadable: there is no usable answer to one of both.
        """
        try:
            uri = self._discovery.read(now).jwks_uri
        except IdentityUnavailable as error:
            raise KeysUnreadable(error.detail) from error
        if uri is None:
            raise KeysUnreadable("its discovery document has no 'jwks_uri'; set jwks_uri")
        if self._keys is None or self._keys.location != uri:
            self._keys = JwksUri(uri, self._fetch)
        try:
            return self._keys.read(now)
        except KeysUnreadable as error:
            # The keys may have moved.
            self._discovery.forget(now)
            raise KeysUnreadable(f"{uri}: {error}") from error
