"""Fetches an issuer's discovery document (RFC 8414), and remembers it for a while."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from authmw.errors import IdentityUnavailable, MalformedDiscovery
from authmw.identity.documents import FetchedDocument
from authmw.issuers.discovery import Discovery, list_discovery_uris, parse_discovery

MAX_BODY_SIZE = 1 << 18
"""Octets of a discovery document; real ones have up to 10,000."""
FRESH_SECONDS = 3600
"""How long a document is used without reading it again."""
LEAST_SECONDS = 60
"""How long it is used even if what it names does not answer."""


class DiscoveryReader:
    """Finds out where an issuer's keys and endpoints are.

    Any thread may call it; two at once may both read.

    Args:
        identifier: of the issuer.
        fetch: GETs a URI with header fields, following no redirect, in bounded time; see
            `authmw.identity.documents.DocumentFetcher`.
    """

    def __init__(
        self, identifier: str, fetch: Callable[[str, Mapping[str, str]], FetchedDocument]
    ) -> None:
        self.identifier = identifier
        self._fetch = fetch
        # The document, and when it was read.
        self._known: tuple[Discovery, float] | None = None

    def read(self, now: float) -> Discovery:
        """Return what the document says, read anew if it is old.

        Raises:
            IdentityUnavailable: it can't be read, or is another issuer's.
        """
        known = self._known
        if known is not None and abs(now - known[1]) < FRESH_SECONDS:
            return known[0]
        found = self._read()
        self._known = (found, now)
        return found

    def forget(self, now: float) -> None:
        """Read the document anew the next time, unless it was read a moment ago.

        To be called when what it names does not answer properly. A client may cause that with a
        token, as often as it likes.
        """
        known = self._known
        if known is not None and abs(now - known[1]) >= LEAST_SECONDS:
            self._known = None

    def _read(self) -> Discovery:
        uris = list_discovery_uris(self.identifier)
        failures = []
        for uri in uris:
            try:
                response = self._fetch(uri, {"accept": "application/json"})
            except (OSError, IdentityUnavailable) as error:
                # The other place is on the same host, which does not answer.
                raise IdentityUnavailable(f"no discovery document ({error})") from error
            if response.status == 200:
                return self._parse(response.body, uri)
            failures.append(f"{uri}: HTTP status {response.status}")
            if 300 <= response.status < 400:
                failures[-1] += ", and redirects are not followed: write issuer as 'iss' says it"
        raise IdentityUnavailable(f"no discovery document ({'; '.join(failures)})")

    def _parse(self, body: bytes, uri: str) -> Discovery:
        if len(body) > MAX_BODY_SIZE:
            raise IdentityUnavailable(f"{uri}: larger than {MAX_BODY_SIZE} octets")
        try:
            document: Any = json.loads(body)
        except (ValueError, RecursionError):
            document = None
        if type(document) is not dict:
            raise IdentityUnavailable(f"{uri}: no JSON object")
        try:
            return parse_discovery(document, self.identifier)
        except MalformedDiscovery as error:
            raise IdentityUnavailable(f"{uri}: {error}") from error
