"""Seals of cache entries, against anyone who can read or write the cache.

A sealed entry can be opened only under the cache key it was sealed for, so one that was
moved to another key is refused. The first four bytes say how an entry is sealed; they are
authenticated too, and each sealing opens its own kind alone. A filter that seals therefore refuses
an entry that is marked as not sealed (CVE-2013-2166, CVE-2013-2167).
"""

from __future__ import annotations

import hmac
import os
from typing import ClassVar, Protocol

from authmw.cache.secret import Secret
from authmw.errors import CacheError, ConfigurationError

_TAG_BYTES = 32
_SALT_BYTES = 16
_NONCE_BYTES = 12
_GCM_TAG_BYTES = 16


class Sealing(Protocol):
    """One way to protect entries.

    Attributes:
        mark: what a sealed entry begins with.
    """

    mark: ClassVar[bytes]

    def seal(self, key: str, entry: bytes) -> bytes:
        """Return the entry, sealed for this cache key."""

    def open(self, key: str, sealed: bytes) -> bytes:
        """Return the entry sealed for this cache key; raises CacheError for anything else."""


class NoSealing:
    """Protects nothing: anyone who can write to the cache can impersonate any user."""

    mark: ClassVar[bytes] = b"aw-0"

    def seal(self, key: str, entry: bytes) -> bytes:  # noqa: ARG002
        """See `Sealing`."""
        return self.mark + entry

    def open(self, key: str, sealed: bytes) -> bytes:  # noqa: ARG002
        """See `Sealing`."""
        if not sealed.startswith(self.mark):
            raise CacheError("an entry was sealed in another way, or is none of ours")
        return sealed[len(self.mark) :]


class MacSealing:
    """memcache_security_strategy = MAC: HMAC-SHA256. Forged entries are detected.

    Layout: mark, tag (32 bytes), entry. The tag's key is derived for each cache key.
    """

    mark: ClassVar[bytes] = b"aw-M"

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def seal(self, key: str, entry: bytes) -> bytes:
        """See `Sealing`."""
        return b"".join((self.mark, self._tag(key, entry), entry))

    def open(self, key: str, sealed: bytes) -> bytes:
        """See `Sealing`."""
        start = len(self.mark)
        end = start + _TAG_BYTES
        entry = sealed[end:]
        if not sealed.startswith(self.mark) or not hmac.compare_digest(
            sealed[start:end], self._tag(key, entry)
        ):
            raise CacheError("an entry has no seal of ours: it was changed, moved or made up")
        return entry

    def _tag(self, key: str, entry: bytes) -> bytes:
        return hmac.digest(self._secret.derive(self.mark + key.encode()), entry, "sha256")


class EncryptSealing:
    """memcache_security_strategy = ENCRYPT: AES-256-GCM. Entries are hidden as well.

    Layout: mark, salt (16 bytes), nonce (12 bytes), ciphertext with its tag. The key is
    derived from salt and cache key, anew for every write, so that the number of writes
    under one secret is not bounded by AES-GCM's nonces (NIST SP 800-38D §8.3).

    Raises:
        ConfigurationError: `cryptography` can't be used here.
    """

    mark: ClassVar[bytes] = b"aw-E"

    def __init__(self, secret: Secret) -> None:
        self._secret = secret
        try:
            from cryptography.exceptions import InvalidTag
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        except ImportError as error:
            raise ConfigurationError(
                "memcache_security_strategy",
                "ENCRYPT",
                f"the package cryptography can't be loaded ({error}): install it; under mod_wsgi "
                "set WSGIApplicationGroup %{GLOBAL}; or write MAC, which does without",
            ) from error
        self._cipher = AESGCM
        self._invalid_tag = InvalidTag

    def seal(self, key: str, entry: bytes) -> bytes:
        """See `Sealing`."""
        random = os.urandom(_SALT_BYTES + _NONCE_BYTES)
        salt, nonce = random[:_SALT_BYTES], random[_SALT_BYTES:]
        cipher = self._cipher(self._derive(key, salt))
        return b"".join((self.mark, random, cipher.encrypt(nonce, entry, self.mark)))

    def open(self, key: str, sealed: bytes) -> bytes:
        """See `Sealing`."""
        salt_at = len(self.mark)
        nonce_at = salt_at + _SALT_BYTES
        text_at = nonce_at + _NONCE_BYTES
        if not sealed.startswith(self.mark) or len(sealed) < text_at + _GCM_TAG_BYTES:
            raise CacheError("an entry was sealed in another way, or is none of ours")
        cipher = self._cipher(self._derive(key, sealed[salt_at:nonce_at]))
        try:
            return cipher.decrypt(sealed[nonce_at:text_at], sealed[text_at:], self.mark)
        except self._invalid_tag:
            # `from None`: InvalidTag says nothing more.
            raise CacheError(
                "an entry has no seal of ours: it was changed, moved or made up"
            ) from None

    def _derive(self, key: str, salt: bytes) -> bytes:
        return self._secret.derive(self.mark + salt + key.encode())
