"""Key documents: PEM (RFC 7468), one JWK or a JWK set (RFC 7517), told apart by their beginning."""

from __future__ import annotations

import codecs

from authmw.jose.jwk import parse_jwk_document
from authmw.jose.pem import parse_pem
from authmw.jose.public_key import ParsedKeys


def parse_key_document(document: bytes, source: str) -> ParsedKeys:
    """Parse a key file: PEM, a JWK or a JWK set.

    Raises:
        PrivateKeyFound: it is PEM or one JWK with a private or symmetric key; none of its keys is
            used.
        KeyRefused: it is none of the three, or has too many keys.
    """
    beginning = document.removeprefix(codecs.BOM_UTF8).lstrip()
    if b"-----BEGIN " in document and not beginning.startswith(b"{"):
        return parse_pem(document, source)
    return parse_jwk_document(document, source)
