"""The compact serialization of JWS (RFC 7515 §7.1): parsing and verifying.

Nothing in a token is trusted before a key has verified it: the protected header only selects
among our keys, and the payload is not parsed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from authmw.errors import InvalidToken, Reason
from authmw.jose.algorithms import ALGORITHMS, Algorithm, canonical_algorithm
from authmw.jose.base64url import decode_base64url
from authmw.jose.public_key import PublicKey
from authmw.jose.strict_json import parse_json_object

# Header parameters that change the meaning of the other two parts. A recipient must refuse an
# extension in `crit` that it does not understand (RFC 7515 §4.1.11), and we understand none. `b64`
# (RFC 7797) without `crit` is a signer's mistake; `zip` and `enc` belong to JWE, `cty` to nested
# tokens.
_REFUSED_PARAMETERS = ("crit", "b64", "zip", "enc", "cty")

JWT_TYPES: frozenset[str | None] = frozenset({None, "jwt"})
"""Values of `typ` that say JWT, or nothing (RFC 7519 §5.1); see `ProtectedHeader.typ`."""


@dataclass(frozen=True, slots=True)
class ProtectedHeader:
    """The parameters of a JWS protected header that are used (RFC 7515 §4.1).

    `jku`, `jwk`, `x5u` and `x5c` are never read: a token does not bring its own key (RFC 8725
    §3.10).
    """

    algorithm: Algorithm
    kid: str | None
    typ: str | None
    """In lower case, and without the prefix "application/", which may be left out (RFC 7515
    §4.1.9); None where there is none."""


class CompactJws(NamedTuple):  # a frozen dataclass takes three times as long to make
    """The parts of a compact JWS, decoded and not verified."""

    header: ProtectedHeader
    payload: bytes
    """Parse it only after a key has verified the signature."""
    signature: bytes
    """In the form `PublicKey.verify` takes."""
    signing_input: bytes
    """What was signed (RFC 7515 §5.2, step 8)."""


@functools.lru_cache(maxsize=64)
def parse_protected_header(segment: str) -> ProtectedHeader:
    """Parse the first segment of a compact JWS.

    Cached by the segment, which an issuer repeats in every token; refusals are not cached. A
    stranger's segments can evict entries, never change one.

    Raises:
        InvalidToken: it is malformed, or its algorithm does not exist here.
    """
    return read_protected_header(parse_header_members(segment))


def parse_header_members(segment: str) -> dict[str, object]:
    """Parse the first segment of a compact JWS as JSON.

    Raises:
        InvalidToken: (malformed) it is no JSON object in base64url.
    """
    try:
        return parse_json_object(decode_base64url(segment))
    except ValueError as error:
        raise InvalidToken(Reason.MALFORMED, f"protected header: {error}") from None


def read_protected_header(members: Mapping[str, object]) -> ProtectedHeader:
    """Read the parameters of a protected header; raises as `parse_protected_header`."""
    for name in _REFUSED_PARAMETERS:
        if name in members:
            raise InvalidToken(Reason.MALFORMED, f"header parameter {name!r} is not accepted")
    typ = _parse_type(members["typ"]) if "typ" in members else None
    kid = members.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise InvalidToken(Reason.MALFORMED, "header parameter 'kid' is no string")
    alg = members.get("alg")
    if not isinstance(alg, str):
        raise InvalidToken(Reason.MALFORMED, "header parameter 'alg' is missing or no string")
    algorithm = ALGORITHMS.get(canonical_algorithm(alg))
    if algorithm is None:
        raise InvalidToken(Reason.BAD_SIGNATURE, "signed with an unknown algorithm, or not at all")
    return ProtectedHeader(algorithm, kid, typ)


def _parse_type(typ: object) -> str:
    if not isinstance(typ, str):
        raise InvalidToken(Reason.MALFORMED, "header parameter 'typ' is no string")
    return canonical_type(typ)


def canonical_type(typ: str) -> str:
    """Return a value of `typ` as `ProtectedHeader.typ` has it."""
    name = typ.lower().removeprefix("application/")
    return typ.lower() if "/" in name else name


def parse_compact(
    token: str,
    *,
    max_size: int,
    types: frozenset[str | None] = JWT_TYPES,
    parse_header: Callable[[str], ProtectedHeader] = parse_protected_header,
) -> CompactJws:
    """Split and decode a compact JWS; the signature is not checked here.

    Args:
        token: the whole token.
        max_size: longest token to look at, in characters.
        types: accepted values of `ProtectedHeader.typ`.
        parse_header: parses the first segment.

    Raises:
        InvalidToken: it is too long or not three base64url segments, its header is not accepted,
            its payload is empty (as if detached, RFC 7515 Appendix F), or no key of the header's
            algorithm can have made its signature.
    """
    if len(token) > max_size:
        raise InvalidToken(Reason.MALFORMED, f"longer than {max_size} characters")
    signing_input, _, signature = token.rpartition(".")
    header_segment, _, payload = signing_input.partition(".")
    if not payload:
        raise InvalidToken(Reason.MALFORMED, "not three segments, or no payload")
    header = parse_header(header_segment)
    if header.typ not in types:
        names = " or ".join(sorted(name.upper() for name in types if name is not None))
        raise InvalidToken(Reason.MALFORMED, f"header parameter 'typ' is not {names}")
    try:
        return CompactJws(
            header,
            decode_base64url(payload),
            header.algorithm.parse_signature(decode_base64url(signature)),
            signing_input.encode("ascii"),
        )
    except ValueError as error:
        raise InvalidToken(Reason.MALFORMED, str(error)) from None


def find_verifying_key(jws: CompactJws, candidates: Iterable[PublicKey]) -> PublicKey | None:
    """Return the first of the keys that verifies the signature (RFC 7515 §5.2), or None.

    Each key costs one verification, so the caller bounds their number; all must be keys of the
    header's algorithm.
    """
    _, _, signature, signing_input = jws
    for key in candidates:
        if key.verify(signature, signing_input):
            return key
    return None


def parse_claims(jws: CompactJws) -> dict[str, object]:
    """Parse the payload as a JWT claims set (RFC 7519 §4); call after the signature is verified.

    Raises:
        InvalidToken: it is not one JSON object, or repeats a name.
    """
    try:
        return parse_json_object(jws.payload)
    except ValueError as error:
        raise InvalidToken(Reason.MALFORMED, f"payload: {error}") from None
