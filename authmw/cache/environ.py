"""The cache object that another filter put into each request's environ (swift.cache).

It lives for one request, so it is looked up for each use and never kept. Its values have to be
JSON, so bytes are written as base64 text. Another filter wrote it: every exception and every odd
value of it counts as a fault of the cache, and the request goes on.
"""

from __future__ import annotations

import base64
import binascii
import inspect
from typing import Any

from authmw.cache.shared import BytesCache
from authmw.errors import CacheError
from authmw.runtime import request


class EnvironCache:
    """A `BytesCache` in the environ; requests that carry none use a fallback.

    The object has swift's interface: `get(key)`, `set(key, value, time=seconds)`
    (`timeout=` in older ones) and `delete(key)`.

    Args:
        environ_key: under which the object is found.
        fallback: for requests without one, or outside of any request; None: no cache.
    """

    def __init__(self, environ_key: str, fallback: BytesCache | None = None) -> None:
        self._environ_key = environ_key
        self._fallback = fallback

    def get(self, key: str) -> bytes | None:
        """See `BytesCache`."""
        cache = self._find()
        if cache is None:
            return None if self._fallback is None else self._fallback.get(key)
        try:
            value = cache.get(key)
        except Exception as error:
            raise self._fault("get", error) from error
        if value is None:
            return None
        if not isinstance(value, str):
            raise CacheError(
                f"{self._environ_key} returned a {type(value).__name__}, not the text we put there"
            )
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            raise CacheError(f"{self._environ_key} returned text that is no base64") from None

    def set(self, key: str, value: bytes, ttl_seconds: int) -> None:
        """See `BytesCache`."""
        cache = self._find()
        if cache is None:
            if self._fallback is not None:
                self._fallback.set(key, value, ttl_seconds)
            return
        text = base64.b64encode(value).decode()
        try:
            cache.set(key, text, **{_ttl_parameter(cache): ttl_seconds})
        except Exception as error:
            raise self._fault("set", error) from error

    def delete(self, key: str) -> None:
        """See `BytesCache`."""
        cache = self._find()
        if cache is None:
            if self._fallback is not None:
                self._fallback.delete(key)
            return
        try:
            cache.delete(key)
        except Exception as error:
            raise self._fault("delete", error) from error

    def _find(self) -> Any:
        environ = request.current_environ()
        return None if environ is None else environ.get(self._environ_key)

    def _fault(self, operation: str, error: Exception) -> CacheError:
        # The error's text is left out: it may quote the key or the value.
        return CacheError(f"{self._environ_key}.{operation}() raised {type(error).__name__}")


def _ttl_parameter(cache: Any) -> str:
    """Return the name under which this object takes the time to live.

    Read from the signature, since a TypeError from inside the cache would look the same.
    """
    try:
        parameters = inspect.signature(cache.set).parameters
    except (TypeError, ValueError):
        return "time"
    return "timeout" if "timeout" in parameters and "time" not in parameters else "time"
