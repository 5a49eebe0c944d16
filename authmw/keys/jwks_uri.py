"""Reads public keys from a JWK set behind a URI (`jws_jwks_uri`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from authmw.errors import IdentityUnavailable, KeyRefused, KeysUnreadable
from authmw.identity.documents import FetchedDocument
from authmw.jose.jwk import parse_jwk_document
from authmw.keys.source import FoundKeys

MAX_BODY_SIZE = 1 << 20
"""Octets of a response body; the fetcher may bound it earlier."""
MIN_LIFETIME_SECONDS = 60.0
MAX_LIFETIME_SECONDS = 3600.0
DEFAULT_LIFETIME_SECONDS = 300.0
"""Between readings where Cache-Control gives no time; the two above bound a time it gives."""
RETRY_SECONDS = 30.0
"""Between readings while there is no usable response."""

_ACCEPT = "application/jwk-set+json, application/json"

Fetch = Callable[[str, Mapping[str, str]], FetchedDocument]
"""GET a URI with these header fields, following no redirect, in bounded time.

Raises OSError or IdentityUnavailable when there is no response.
"""


class JwksUri:
    """Reads the JWK set that an HTTP server publishes (RFC 7517 §5).

    A response that is no JWK set is refused as a whole. A key of the set that can't be used,
    a private one above all, is left out, and the other keys are used.

    Args:
        uri: of the JWK set.
        fetch: does the GET.
        early_interval_seconds: least time between the readings that tokens may cause, for a kid
            or a signature that no key of ours fits.
    """

    option = "jws_jwks_uri"
    retry_seconds = RETRY_SECONDS
    first_wait_seconds = 2.0

    def __init__(self, uri: str, fetch: Fetch, *, early_interval_seconds: float = 10.0) -> None:
        self.location = uri
        self.early_interval_seconds = early_interval_seconds
        self._fetch = fetch
        # Entity tag and keys of the last response that had one, for conditional requests.
        self._tagged: tuple[str, FoundKeys] | None = None

    def read(self, now: float) -> FoundKeys:  # noqa: ARG002 - see `KeyReader`
        """GET the JWK set, conditionally if we have it (RFC 9110 §13.1.2).

        Raises:
            KeysUnreadable: there is no response, or it is no JWK set.
        """
        headers = {"accept": _ACCEPT}
        tagged = self._tagged
        if tagged is not None:
            headers["if-none-match"] = tagged[0]
        try:
            response = self._fetch(self.location, headers)
        except (OSError, IdentityUnavailable) as error:
            raise KeysUnreadable(f"no answer ({error})") from error
        fresh_seconds = _parse_lifetime(response.headers.get("cache-control", ""))
        if response.status == 304 and tagged is not None:
            return replace(tagged[1], fresh_seconds=fresh_seconds)
        try:
            found = _parse_response(response, self.location, fresh_seconds)
        except KeyRefused as error:
            raise KeysUnreadable(f"the answer is refused: {error}") from error
        etag = _parse_etag(response.headers.get("etag", ""))
        self._tagged = None if etag is None else (etag, found)
        return found


def _parse_response(response: FetchedDocument, uri: str, fresh_seconds: float) -> FoundKeys:
    if response.status != 200:
        raise KeyRefused(f"HTTP status {response.status}")
    if len(response.body) > MAX_BODY_SIZE:
        raise KeyRefused(f"larger than {MAX_BODY_SIZE} octets")
    parsed = parse_jwk_document(response.body, uri)
    return FoundKeys(parsed.keys, parsed.skipped, fresh_seconds=fresh_seconds)


def _parse_etag(etag: str) -> str | None:
    """The entity tag to send back, if it can be sent as a header at all (RFC 9110 §8.8.3)."""
    return etag if etag.isascii() and etag.isprintable() and 0 < len(etag) <= 256 else None


def _parse_lifetime(cache_control: str) -> float:
    """Seconds until the next reading, by Cache-Control (RFC 9111 §5.2.2), within our bounds."""
    for directive in cache_control.lower().split(","):
        name, _, value = directive.strip().partition("=")
        if name in ("no-cache", "no-store"):
            return MIN_LIFETIME_SECONDS
        digits = value.strip('"')
        if name == "max-age" and digits.isdecimal() and digits.isascii():
            # The length is bounded since huge integers can't be parsed at all.
            seconds = float(digits[:20])
            return min(max(seconds, MIN_LIFETIME_SECONDS), MAX_LIFETIME_SECONDS)
    return DEFAULT_LIFETIME_SECONDS
