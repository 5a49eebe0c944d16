"""Derives keys from a configured secret.

HKDF (RFC 5869) with HMAC-SHA256. It is written out here because `cryptography` can't be
imported everywhere (sub-interpreters of mod_wsgi), and HMAC is all it takes.
"""

from __future__ import annotations

import hmac

_SALT = b"authmw shared cache"


class Secret:
    """One secret that the processes sharing a cache have in common.

    Args:
        text: as configured; `memcache_secret_key` or `memcache_secret_key_previous`.
    """

    __slots__ = ("_pseudorandom_key",)

    def __init__(self, text: str) -> None:
        # HKDF-Extract, RFC 5869 §2.2.
        self._pseudorandom_key = hmac.digest(_SALT, text.encode(), "sha256")

    def derive(self, purpose: bytes) -> bytes:
        """Return the 32 byte key for one purpose; the key for another reveals nothing of it.

        HKDF-Expand, RFC 5869 §2.3, for one block of output; `purpose` is its `info`.
        """
        return hmac.digest(self._pseudorandom_key, purpose + b"\x01", "sha256")
