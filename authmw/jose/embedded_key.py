"""A JWS whose header brings the key that verifies it (`jwk`, RFC 7515 §4.1.3).

It proves that whoever made it holds that key, and nothing else: the caller has to know which key
that must be. Tokens are never verified this way (RFC 8725 §3.10).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from authmw.errors import InvalidToken, KeyRefused, Reason
from authmw.jose.algorithms import canonical_algorithm
from authmw.jose.jwk import parse_jwk
from authmw.jose.jws import (
    ProtectedHeader,
    find_verifying_key,
    parse_claims,
    parse_compact,
    parse_header_members,
    read_protected_header,
)
from authmw.jose.public_key import PublicKey


@dataclass(frozen=True, slots=True)
class _HeaderWithKey(ProtectedHeader):
    key: PublicKey


@functools.lru_cache(maxsize=256)
def _parse_header(segment: str) -> _HeaderWithKey:
    """Parse a protected header and its key.

    Cached by the segment, which a client repeats as long as it uses one key.
    """
    members = parse_header_members(segment)
    header = read_protected_header(members)
    jwk = members.get("jwk")
    if not isinstance(jwk, dict):
        raise InvalidToken(Reason.MALFORMED, "header parameter 'jwk' is missing or no object")
    alg = jwk.get("alg")
    if alg is not None and (
        type(alg) is not str or canonical_algorithm(alg) != header.algorithm.name
    ):
        raise InvalidToken(Reason.MALFORMED, "header parameters 'jwk' and 'alg' disagree")
    try:
        # Some types of key go with several algorithms; this one is used with that of the header.
        key = parse_jwk({**jwk, "alg": header.algorithm.name}, "a JWS header")
    except KeyRefused as refusal:
        raise InvalidToken(Reason.MALFORMED, f"header parameter 'jwk': {refusal}") from None
    return _HeaderWithKey(header.algorithm, header.kid, header.typ, key)


def verify_with_embedded_key(
    text: str, *, max_size: int, typ: str
) -> tuple[PublicKey, dict[str, object]]:
    """Verify a compact JWS by the key in its own header; return the key and the claims.

    Args:
        text: not trusted in any way.
        max_size: longest text to look at, in characters.
        typ: the required `ProtectedHeader.typ`.

    Raises:
        InvalidToken: (malformed) it is no such JWS, or its key is private, weak or not of the
            header's algorithm; (bad_signature) the key does not verify it.
    """
    jws = parse_compact(text, max_size=max_size, types=frozenset({typ}), parse_header=_parse_header)
    assert isinstance(jws.header, _HeaderWithKey)  # noqa: S101 - of `_parse_header`
    key = jws.header.key
    if find_verifying_key(jws, (key,)) is None:
        raise InvalidToken(Reason.BAD_SIGNATURE, "the key in its header does not verify it")
    return key, parse_claims(jws)
