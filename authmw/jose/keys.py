"""Public keys, each bound to one algorithm, and their PEM form (RFC 7468)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field

from authmw.errors import KeyRefused, PrivateKeyFound
from authmw.jose.algorithms import ALGORITHMS, Algorithm, Verify
from authmw.jose.base64url import encode_base64url


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One public key, bound to the one algorithm it is used with."""

    algorithm: Algorithm
    kid: str | None
    """Key ID (RFC 7517 §4.5); None for PEM, as Keystone's tokens carry none."""
    thumbprint: str
    """JWK thumbprint with SHA-256 (RFC 7638), base64url: names the key in logs."""
    source: str
    """Where it was found, for logs: a file name or a URI."""
    verify: Verify = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SkippedKey:
    """Something in a key source that is not used."""

    source: str
    reason: str
    is_private: bool = False


@dataclass(frozen=True, slots=True)
class ParsedKeys:
    """What one document (a PEM file, a JWK, a JWK set) holds."""

    keys: tuple[PublicKey, ...] = ()
    skipped: tuple[SkippedKey, ...] = ()


def make_public_key(key: object, *, kid: str | None, source: str) -> PublicKey:
    """Make a PublicKey out of a public key object of `cryptography`.

    Raises:
        KeyRefused: its type or curve has no algorithm here, or it is too weak.
    """
    for algorithm in ALGORITHMS.values():
        verify = algorithm.bind(key)
        if verify is not None:
            return PublicKey(algorithm, kid, _compute_thumbprint(key), source, verify)
    curve = getattr(getattr(key, "curve", None), "name", None)
    kind = f"on the curve {curve}" if curve else f"like {type(key).__name__}"
    raise KeyRefused(f"no algorithm here uses keys {kind}")


def parse_pem(pem: bytes, source: str) -> ParsedKeys:
    """Parse every public key of a PEM document (RFC 7468 §13).

    A certificate (RFC 7468 §5) is not taken for its key: whoever puts one here expects its
    dates and its issuer to count, and they would not.

    Raises:
        PrivateKeyFound: there is a private key in it; none of its keys is used then.
        KeyRefused: there is no public key in it.
    """
    # Each part begins with its label; what precedes the first is explanatory text.
    blocks = [b"-----BEGIN " + part for part in pem.split(b"-----BEGIN ")[1:]]
    labels = [block[len(b"-----BEGIN ") :].split(b"-----", 1)[0] for block in blocks]
    if any(label.endswith(b"PRIVATE KEY") for label in labels):
        raise PrivateKeyFound("a private key; only public keys belong here")
    if not blocks:
        raise KeyRefused("no PEM block")
    keys: list[PublicKey] = []
    skipped: list[SkippedKey] = []
    for block, label in zip(blocks, labels, strict=True):
        try:
            keys.append(_parse_pem_block(block, label, source))
        except KeyRefused as error:
            skipped.append(SkippedKey(source, str(error)))
    return ParsedKeys(tuple(keys), tuple(skipped))


def _parse_pem_block(block: bytes, label: bytes, source: str) -> PublicKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if label == b"CERTIFICATE":
        raise KeyRefused("a certificate; extract its key with 'openssl x509 -noout -pubkey'")
    if label not in (b"PUBLIC KEY", b"RSA PUBLIC KEY"):
        raise KeyRefused("a PEM block that is no public key")
    try:
        key = load_pem_public_key(block)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyRefused("a damaged or unsupported public key") from error
    return make_public_key(key, kid=None, source=source)


def _compute_thumbprint(key: object) -> str:
    """RFC 7638 §3: SHA-256 of the required members in lexical order, without white space."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    members: dict[str, str] = {}
    match key:
        case ec.EllipticCurvePublicKey():
            point, bits = key.public_numbers(), key.curve.key_size
            size = (bits + 7) // 8
            x, y = (encode_base64url(n.to_bytes(size, "big")) for n in (point.x, point.y))
            members = {"crv": f"P-{bits}", "kty": "EC", "x": x, "y": y}
        case ed25519.Ed25519PublicKey():
            x = encode_base64url(key.public_bytes_raw())
            members = {"crv": "Ed25519", "kty": "OKP", "x": x}
        case rsa.RSAPublicKey():
            numbers = key.public_numbers()
            members = {"e": _encode_uint(numbers.e), "kty": "RSA", "n": _encode_uint(numbers.n)}
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return encode_base64url(hashlib.sha256(canonical.encode("ascii")).digest())


def _encode_uint(value: int) -> str:
    """Base64urlUInt (RFC 7518 §2)."""
    return encode_base64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))
