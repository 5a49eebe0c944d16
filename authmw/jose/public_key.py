"""Public keys, each bound to one algorithm and named by its JWK thumbprint (RFC 7638)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field

from authmw.errors import KeyRefused
from authmw.jose.algorithms import ALGORITHMS, Algorithm, Verify, canonical_algorithm
from authmw.jose.base64url import encode_base64url

MAX_KEYS = 1000
"""Keys of one document. Issuers publish a handful; without a bound, the publisher of a document
could make this process parse any number."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key, bound to the one algorithm it is used with."""

    algorithm: Algorithm
    kid: str | None
    """Key ID (RFC 7517 §4.5); None for PEM, as Keystone's tokens carry none."""
    thumbprint: str
    """JWK thumbprint with SHA-256 (RFC 7638), base64url: names the key in logs."""
    source: str
    """Where it comes from, for logs: a file name or a URI."""
    verify: Verify = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SkippedKey:
    """A file or key that is not used."""

    source: str
    reason: str
    is_private: bool = False


@dataclass(frozen=True, slots=True)
class ParsedKeys:
    """The keys of one document: PEM, a JWK or a JWK set."""

    keys: tuple[PublicKey, ...] = ()
    skipped: tuple[SkippedKey, ...] = ()


def make_public_key(
    key: object, *, kid: str | None, source: str, alg: str | None = None
) -> PublicKey:
    """Make a PublicKey out of a public key object of `cryptography`.

    Args:
        key: the object.
        kid: see `PublicKey`.
        source: see `PublicKey`.
        alg: the algorithm the key is meant for (RFC 7517 §4.4); None: the usual one of its type.

    Raises:
        KeyRefused: its type or curve has no algorithm here, `alg` is none of them, or it is weak.
    """
    bound = {
        algorithm.name: (algorithm, verify)
        for algorithm in ALGORITHMS.values()
        if (verify := algorithm.bind(key)) is not None
    }
    if not bound:
        curve = getattr(getattr(key, "curve", None), "name", None)
        kind = f"on the curve {curve}" if curve else f"like {type(key).__name__}"
        raise KeyRefused(f"no algorithm here uses keys {kind}")
    name = next(iter(bound)) if alg is None else canonical_algorithm(alg)
    if name not in bound:
        names = " or ".join(bound)
        share = "the one" if len(bound) == 1 else "one"
        raise KeyRefused(f"a JWK whose 'alg' is not {names}, {share} for its type")
    algorithm, verify = bound[name]
    return PublicKey(algorithm, kid, _compute_thumbprint(key), source, verify)


# RFC 7518 §6.2.1.1, by the names of `cryptography`.
_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


def _compute_thumbprint(key: object) -> str:
    """RFC 7638 §3: SHA-256 of the required members in lexical order, without white space."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    match key:
        case ec.EllipticCurvePublicKey():
            point, bits = key.public_numbers(), key.curve.key_size
            size = (bits + 7) // 8
            curve = _CURVES[key.curve.name]
            x, y = (encode_base64url(n.to_bytes(size, "big")) for n in (point.x, point.y))
            members = {"crv": curve, "kty": "EC", "x": x, "y": y}
        case ed25519.Ed25519PublicKey():
            x = encode_base64url(key.public_bytes_raw())
            members = {"crv": "Ed25519", "kty": "OKP", "x": x}
        case rsa.RSAPublicKey():
            numbers = key.public_numbers()
            members = {"e": _encode_uint(numbers.e), "kty": "RSA", "n": _encode_uint(numbers.n)}
        case _:
            # Equal thumbprints would take two keys for one.
            raise TypeError(f"the thumbprint of {type(key).__name__} is not defined here")
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return encode_base64url(hashlib.sha256(canonical.encode("ascii")).digest())


def _encode_uint(value: int) -> str:
    """Base64urlUInt (RFC 7518 §2)."""
    return encode_base64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))
