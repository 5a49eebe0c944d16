"""The keys of cache entries: digests that do not reveal whose entry it is."""

from __future__ import annotations

import hashlib
import hmac

from authmw.cache.sealing import Sealing
from authmw.cache.secret import Secret

# Goes into every key: a new format never meets an entry of an old one.
FORMAT_VERSION = 3

_PREFIX = "authmw:"
_PUBLIC_KEY = b"authmw: no secret is configured"


class KeyMaker:
    """Makes the keys of one identity endpoint's entries.

    A key is an HMAC, so it is short, ASCII, and can't be reversed; with a secret it can't be
    computed from a known token either.

    Args:
        endpoint: names the identity service that the entries come from; the same in all
            processes that share them.
        secret: keys the HMAC; None: anyone can compute it.
        sealing: how the entries are sealed. It is part of the key, so that processes with
            different sealings don't overwrite entries that the others can't open.
    """

    __slots__ = ("_endpoint", "_heads", "_key", "_sealing")

    def __init__(self, endpoint: str, secret: Secret | None, sealing: Sealing) -> None:
        self._endpoint = endpoint.encode()
        self._sealing = sealing.mark
        self._heads: dict[str, bytes] = {}  # by kind; there are few
        self._key = _PUBLIC_KEY if secret is None else secret.derive(b"names of entries")

    def make_key(self, kind: str, digest: bytes) -> str:
        """Return the key of one entry.

        Args:
            kind: of the entry, such as "token".
            digest: of what the entry is about; see `digest_text`.
        """
        head = self._heads.get(kind)
        if head is None:
            head = self._heads[kind] = self._make_head(kind)
        return _PREFIX + hmac.digest(self._key, head + digest, "sha256").hex()

    def _make_head(self, kind: str) -> bytes:
        parts = (
            FORMAT_VERSION.to_bytes(2),
            self._sealing,
            self._endpoint,
            kind.encode(),
        )
        # The length before each part keeps different parts from giving the same bytes.
        return b"".join([len(part).to_bytes(4) + part for part in parts])


def digest_text(token: str) -> bytes:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
