"""Reads fields of HTTP messages, independently of the library that sent them."""

from __future__ import annotations

import email.utils
from collections.abc import Mapping
from datetime import UTC
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from authmw.identity.proxies import find_proxy

if TYPE_CHECKING:
    from requests import PreparedRequest

MAX_RETRY_AFTER_SECONDS = 60
DEFAULT_RETRY_AFTER_SECONDS = 5


def describe(request: PreparedRequest) -> str:
    """Return method and address of a request, without user, password and query.

    If it goes through a proxy of the environment, that is named with its variable.
    """
    return describe_call(request.method or "", request.url or "")


def describe_call(method: str, url: str) -> str:
    """Return what `describe` does, of a method and an address."""
    parts = urlsplit(url)
    proxy = find_proxy(url)
    through = f" through {proxy}" if proxy else ""
    return f"{method} {parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}{through}"


def parse_retry_after(headers: Mapping[str, str], now: float) -> int:
    """Return the seconds that Retry-After asks for (RFC 9110 §10.2.3), within 1 to 60.

    Anything else than a number or a date counts as absent: 5 seconds.
    """
    written = headers.get("Retry-After", "").strip()
    if written.isascii() and written.isdigit():
        seconds = int(written[:9])
    else:
        date = parse_http_date(written)
        if date is None:
            return DEFAULT_RETRY_AFTER_SECONDS
        seconds = int(date - now)
    return min(max(seconds, 1), MAX_RETRY_AFTER_SECONDS)


def parse_http_date(written: str) -> float | None:
    """Return an HTTP date (RFC 9110 §5.6.7) as epoch seconds, None if it is none since 1970."""
    try:
        date = email.utils.parsedate_to_datetime(written)
        # HTTP dates are UTC; one of their forms does not state it.
        seconds = (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC).timestamp()
    except (ValueError, OverflowError, TypeError):
        return None
    return seconds if seconds >= 0 else None
