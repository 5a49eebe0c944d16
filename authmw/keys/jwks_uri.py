"""Public keys from a JWK set behind a URI (`jws_jwks_uri`)."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from authmw.errors import IdentityUnavailable, KeyRefused
from authmw.jose.jwk import parse_jwk_document
from authmw.jose.key_set import KeySet
from authmw.jose.keys import ParsedKeys, SkippedKey
from authmw.jose.primitives import require_cryptography
from authmw.keys.changes import KeyChanges
from authmw.keys.last_good import LastGoodKeys
from authmw.keys.reloads import Reloads

_log = logging.getLogger(__name__)

OPTION = "jws_jwks_uri"
ACCEPT = {"accept": "application/jwk-set+json, application/json"}
MAX_BODY_SIZE = 1 << 20
"""Octets of an answer; the fetcher may bound it earlier."""
MIN_LIFETIME_SECONDS = 60.0
MAX_LIFETIME_SECONDS = 3600.0
DEFAULT_LIFETIME_SECONDS = 300.0
"""Between reloads where the server does not say, or says it within the two bounds above."""
RETRY_SECONDS = 30.0
"""Between reloads while the server can't be reached."""


@dataclass(frozen=True, slots=True)
class FetchedDocument:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    """Looked up by lower-case names."""
    body: bytes


Fetch = Callable[[str, Mapping[str, str]], FetchedDocument]
"""GET a URI with these headers, following no redirect, in bounded time.

Raises OSError or IdentityUnavailable when there is no answer.
"""


class JwksUri(KeyChanges):
    """The public keys of a JWK set that an HTTP server keeps (RFC 7517 §5).

    The whole set is replaced by what the server answers: a key that is no longer in it is
    no longer a key. An answer that is no JWK set is refused, and the last good set stays.
    A key of the set that can't be used, a private one above all, costs itself alone.

    The server is asked in a thread of its own: while it says nothing, the last keys decide,
    and nobody waits (see `authmw.keys.reloads`).

    Args:
        uri: of the JWK set.
        fetch: does the GET.
        max_age_seconds: how long the last good keys are used while there is no answer.
        early_reload_interval_seconds: between reloads that tokens may cause, for a kid or a
            signature that no key of ours fits.
        accepted_algorithms: what `jws_accepted_algorithms` says, for a warning.

    Raises:
        ConfigurationError: `cryptography` can't be imported.
    """

    def __init__(
        self,
        uri: str,
        fetch: Fetch,
        *,
        max_age_seconds: float,
        early_reload_interval_seconds: float = 10.0,
        accepted_algorithms: frozenset[str] | None = None,
    ) -> None:
        super().__init__()
        require_cryptography(OPTION, uri)
        self._uri = uri
        self._fetch = fetch
        self._longest_lifetime_seconds = max_age_seconds / 2
        self._last_good = LastGoodKeys(
            OPTION, uri, max_age_seconds, self.count_change, accepted_algorithms
        )
        self._reloads = Reloads(
            OPTION, self._read_now, early_interval_seconds=early_reload_interval_seconds
        )
        self._tagged: tuple[str, KeySet] | None = None
        self._read = KeySet(())
        self._reported: tuple[SkippedKey, ...] = ()
        self._reload_at = float("-inf")

    @property
    def reload_at(self) -> float:
        """Epoch seconds of the next planned reload, as the server's Cache-Control has it.

        Not after the moment from which the keys are too old, which is to be noticed then.
        """
        return min(self._reload_at, self._last_good.expires_at)

    def current(self, now: float) -> KeySet:
        """Return the keys in use, without I/O.

        Raises:
            IdentityUnavailable: there are none, or they are too old to be trusted.
        """
        return self._last_good.current(now)

    def reload_early(self, now: float) -> KeySet | None:
        """Reload for a token that no key verifies.

        None when that is refused as too soon, or takes longer than a request may wait.
        """
        if not self._reloads.run_early(now, is_failing=self._last_good.is_failing):
            return None
        return self.current(now)

    def reload(self, now: float) -> None:
        """Ask for the JWK set; return after a moment, with or without an answer."""
        self._last_good.expire(now)
        # Set before asking: others that look at reload_at meanwhile need not ask too.
        self._reload_at = now + RETRY_SECONDS
        self._reloads.run(now, is_failing=self._last_good.is_failing)

    def _read_now(self, now: float) -> None:
        """Ask for the JWK set, conditionally if we have it (RFC 9110 §13.1.2)."""
        self._reload_at = now + RETRY_SECONDS
        headers = dict(ACCEPT)
        tagged = self._tagged
        if tagged is not None:
            headers["if-none-match"] = tagged[0]
        try:
            answer = self._fetch(self._uri, headers)
            lifetime_seconds = _parse_lifetime(answer.headers.get("cache-control", ""))
            if answer.status == 304 and tagged is not None:
                self._last_good.accept(tagged[1], now)
            else:
                self._accept(answer, now)
        except (OSError, IdentityUnavailable) as error:
            self._last_good.lose(f"no answer ({error})")
        except KeyRefused as error:
            self._last_good.lose(f"the answer is refused: {error}")
        else:
            self._reload_at = now + min(lifetime_seconds, self._longest_lifetime_seconds)

    def _accept(self, answer: FetchedDocument, now: float) -> None:
        parsed = parse_answer(answer, self._uri)
        keys = KeySet(parsed.keys)
        if keys.keys == self._read.keys:
            keys = self._read  # which knows by now the order to try them in
        self._read = keys
        self._last_good.accept(keys, now)
        etag = _parse_etag(answer.headers.get("etag", ""))
        self._tagged = None if etag is None else (etag, keys)
        if parsed.skipped != self._reported:
            self._reported = parsed.skipped
            # A line for each reason, as a hostile set may hold any number of such keys.
            for skipped, count in Counter(parsed.skipped).items():
                level = logging.CRITICAL if skipped.is_private else logging.WARNING
                keys_are = "key is" if count == 1 else "keys are"
                _log.log(
                    level, "%s: %d %s not used: %s", self._uri, count, keys_are, skipped.reason
                )


def parse_answer(answer: FetchedDocument, uri: str) -> ParsedKeys:
    """Parse the JWK set in an HTTP answer.

    Raises:
        KeyRefused: it is no JWK set, or (`PrivateKeyFound`) a single private JWK.
    """
    if answer.status != 200:
        raise KeyRefused(f"HTTP status {answer.status}")
    if len(answer.body) > MAX_BODY_SIZE:
        raise KeyRefused(f"larger than {MAX_BODY_SIZE} octets")
    return parse_jwk_document(answer.body, uri)


def _parse_etag(etag: str) -> str | None:
    """The entity tag to send back, if it can be sent as a header at all (RFC 9110 §8.8.3)."""
    return etag if etag.isascii() and etag.isprintable() and 0 < len(etag) <= 256 else None


def _parse_lifetime(cache_control: str) -> float:
    """Seconds until the next reload, by Cache-Control (RFC 9111 §5.2.2), within our bounds."""
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
