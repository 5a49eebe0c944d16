"""The bytes of one answer about a token, as a shared cache stores them.

One line of JSON, then the catalog's JSON, compressed where that makes it smaller:

    {"version":2,"answered_at":…,"catalog":"zlib","body":{…}}
    …

What an issuer said of an opaque token beyond the body stands in another member, "oauth".

A catalog is by far the largest part and the same for thousands of tokens. Since it is separate, one
that this process already uses is neither decompressed nor parsed again, and no data of one user is
compressed with it.
"""

from __future__ import annotations

import enum
import json
import weakref
import zlib
from typing import NamedTuple

from authmw.errors import CacheError
from authmw.identity.token_response import TokenResponse
from authmw.token.catalog import ServiceCatalog
from authmw.token.oauth import OAuthAccess

ENTRY_VERSION = 2

# Of a decompressed catalog. 8 MiB is some 40,000 endpoints.
MAX_CATALOG_BYTES = 8 * 1024 * 1024

_COMPRESS_FROM_BYTES = 1024
_COMPRESSION_LEVEL = 1  # level 6 takes four times as long to save another seventh


class CatalogForm(enum.Enum):
    """How an entry stores the catalog."""

    NONE = "none"  # the token has none
    NOT_ASKED = "not asked"  # it may have one
    JSON = "json"
    ZLIB = "zlib"


class TokenEntry(NamedTuple):
    """One cached answer.

    Attributes:
        answer: of the identity endpoint.
        catalog_requested: whether the endpoint was asked for the catalog.
    """

    answer: TokenResponse
    catalog_requested: bool

    def to_bytes(self) -> bytes:
        """Return the entry as bytes.

        Raises CacheError if the body has values that JSON does not have.
        """
        form, segment = self._pack_catalog()
        try:
            members = {
                "version": ENTRY_VERSION,
                "answered_at": self.answer.answered_at,
                "catalog": form.value,
                "body": dict(self.answer.body),
            }
            if self.answer.oauth is not None:
                members["oauth"] = self.answer.oauth.to_members()
            line = json.dumps(members, separators=(",", ":"))
        except (TypeError, ValueError, RecursionError) as error:
            raise CacheError(f"a token body is not JSON: {type(error).__name__}") from None
        return b"\n".join((line.encode(), segment))

    def _pack_catalog(self) -> tuple[CatalogForm, bytes]:
        catalog = self.answer.catalog
        if not self.catalog_requested:
            return CatalogForm.NOT_ASKED, b""
        if catalog is None:
            return CatalogForm.NONE, b""
        packed = _packed.get(catalog)
        if packed is None:
            packed = _packed[catalog] = _pack(catalog.text)
            _catalog_by_segment[packed[1]] = catalog
        return packed


def _pack(text: bytes) -> tuple[CatalogForm, bytes]:
    if len(text) >= _COMPRESS_FROM_BYTES:
        compressed = zlib.compress(text, _COMPRESSION_LEVEL)
        if len(compressed) < len(text):
            return CatalogForm.ZLIB, compressed
    return CatalogForm.JSON, text


def parse_entry(entry: bytes) -> TokenEntry:
    """Read what `TokenEntry.to_bytes` wrote.

    Raises CacheError for anything else; the members of the body are not checked.
    """
    line, _, segment = entry.partition(b"\n")
    try:
        members = json.loads(line.decode())
        if type(members) is not dict or members.get("version") != ENTRY_VERSION:
            raise CacheError("an entry is of another format")
        answered_at, body = members["answered_at"], members["body"]
        if type(answered_at) is not int or type(body) is not dict:
            raise CacheError("an entry has members of odd types")
        form = CatalogForm(members["catalog"])
        catalog = _unpack_catalog(form, segment)
        said = members.get("oauth")
        oauth = None if said is None else OAuthAccess.from_members(said)
    except CacheError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever bytes the cache held
        # `from None`: the error may hold the whole document.
        raise CacheError(f"an entry can't be read: {type(error).__name__}") from None
    return TokenEntry(
        TokenResponse(body, catalog, answered_at, oauth),
        catalog_requested=form is not CatalogForm.NOT_ASKED,
    )


# Catalogs of the tokens in memory, by their bytes in an entry.
_catalog_by_segment: weakref.WeakValueDictionary[bytes, ServiceCatalog] = (
    weakref.WeakValueDictionary()
)
# The form and bytes of each: a catalog is compressed once, not for each token.
_packed: weakref.WeakKeyDictionary[ServiceCatalog, tuple[CatalogForm, bytes]] = (
    weakref.WeakKeyDictionary()
)


def _unpack_catalog(form: CatalogForm, segment: bytes) -> ServiceCatalog | None:
    if form is CatalogForm.NONE or form is CatalogForm.NOT_ASKED:
        return None
    known = _catalog_by_segment.get(segment)
    if known is None:
        text = _decompress(segment) if form is CatalogForm.ZLIB else segment
        known = _catalog_by_segment[segment] = ServiceCatalog.from_json(text)
    return known


def _decompress(segment: bytes) -> bytes:
    decompressor = zlib.decompressobj()
    text = decompressor.decompress(segment, MAX_CATALOG_BYTES)
    if not decompressor.eof:
        raise CacheError("a catalog is cut off, or too large to be one")
    return text
