"""The signature algorithms (RFC 7518 §3, RFC 8037 §3.1), each bound to one type of key.

One table, `ALGORITHMS`; a new algorithm is a row, and a choice of `jws_accepted_algorithms`. `none`
and the HMAC family are not in it, and no option adds them (RFC 8725 §3.1, §3.2). A key has exactly
one algorithm, chosen when the key is parsed: a token's header selects among keys, never what is
done with one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from authmw.errors import KeyRefused
from authmw.jose.roca import has_roca_fingerprint

Verify = Callable[[bytes, bytes], bool]
"""Tells whether a signature (from `Algorithm.parse_signature`) is valid for a signing input."""

MIN_RSA_BITS = 2048  # RFC 7518 §3.3
MIN_RSA_EXPONENT = 65537  # FIPS 186-5 §A.1.1; implementations have failed with smaller ones
# Verifying takes time that grows with the modulus (squared) and the exponent, and an issuer
# chooses both. OpenSSL has the second bound for long moduli only (OPENSSL_RSA_MAX_PUBEXP_BITS).
MAX_RSA_BITS = 8192
MAX_RSA_EXPONENT_BITS = 64


class Algorithm(Protocol):
    """One value of the `alg` header parameter (RFC 7518 §3.1)."""

    @property
    def name(self) -> str:
        """The value of `alg`."""

    def parse_signature(self, signature: bytes) -> bytes:
        """Convert a JWS signature to the form that `cryptography` takes.

        Raises:
            ValueError: no key can have made it (length, or range of r and s).
        """

    def bind(self, key: object) -> Verify | None:
        """Return the function that verifies signatures of this algorithm with this key.

        Args:
            key: a public key of `cryptography`.

        Returns:
            None if the key is not of this algorithm's type and curve.

        Raises:
            KeyRefused: the key is too weak.
        """


@dataclass(frozen=True, slots=True)
class Ecdsa:
    """ECDSA (RFC 7518 §3.4): a signature is r and s, each as long as the order of the curve."""

    name: str
    curve: str
    """Its name in `cryptography`."""
    hash_name: str
    """Its name in `cryptography`."""
    order: bytes
    """Of the base point, in as many octets as r and s have each."""

    def parse_signature(self, signature: bytes) -> bytes:
        order = self.order
        size = len(order)
        r, s = signature[:size], signature[size:]
        # FIPS 186-5 §6.4.2: both are from 1 to order - 1. Octet strings of one length compare
        # as the numbers they encode.
        if not (len(s) == size and r < order and s < order):
            raise ValueError("not an ECDSA signature of this curve")
        r, s = r.lstrip(b"\0"), s.lstrip(b"\0")
        if not (r and s):
            raise ValueError("not an ECDSA signature of this curve")
        # The DER structure Ecdsa-Sig-Value (RFC 3279 §2.2.3). Its INTEGERs are signed, and these
        # are positive.
        if r[0] & 0x80:
            r = b"\0" + r
        if s[0] & 0x80:
            s = b"\0" + s
        length = len(r) + len(s) + 4
        header = b"\x30%c" if length < 0x80 else b"\x30\x81%c"
        return (header + b"\x02%c%b\x02%c%b") % (length, len(r), r, len(s), s)

    def bind(self, key: object) -> Verify | None:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec

        if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != self.curve:
            return None
        verify_ecdsa = key.verify
        ecdsa = ec.ECDSA(getattr(hashes, self.hash_name)())

        def verify(signature: bytes, signing_input: bytes) -> bool:
            try:
                verify_ecdsa(signature, signing_input, ecdsa)
            except InvalidSignature:
                return False
            return True

        return verify


@dataclass(frozen=True, slots=True)
class Ed25519:
    """EdDSA (RFC 8037 §3.1) with Ed25519, the curve of Keystone's EdDSA keys."""

    name: str

    def parse_signature(self, signature: bytes) -> bytes:
        if len(signature) != 64:
            raise ValueError("not an Ed25519 signature")
        return signature

    def bind(self, key: object) -> Verify | None:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric import ed25519

        if not isinstance(key, ed25519.Ed25519PublicKey):
            return None
        verify_eddsa = key.verify

        def verify(signature: bytes, signing_input: bytes) -> bool:
            try:
                verify_eddsa(signature, signing_input)
            except InvalidSignature:
                return False
            return True

        return verify


@dataclass(frozen=True, slots=True)
class Rsa:
    """RSASSA-PKCS1-v1_5 (RFC 7518 §3.3) or RSASSA-PSS (RFC 7518 §3.5), for JWK sets."""

    name: str
    padding_name: Literal["PKCS1v15", "PSS"]
    hash_name: str
    """As `cryptography` calls it."""

    def parse_signature(self, signature: bytes) -> bytes:
        if not MIN_RSA_BITS <= 8 * len(signature) <= MAX_RSA_BITS:
            raise ValueError("no signature of any RSA key that we accept has this length")
        return signature

    def bind(self, key: object) -> Verify | None:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding, rsa

        if not isinstance(key, rsa.RSAPublicKey):
            return None
        _refuse_weak_rsa(key.key_size, key.public_numbers().n, key.public_numbers().e)
        hashed: hashes.HashAlgorithm = getattr(hashes, self.hash_name)()
        scheme: padding.AsymmetricPadding = padding.PKCS1v15()
        if self.padding_name == "PSS":
            # The salt is as long as the hash, which also makes the mask.
            scheme = padding.PSS(padding.MGF1(hashed), salt_length=hashed.digest_size)
        verify_rsa = key.verify

        def verify(signature: bytes, signing_input: bytes) -> bool:
            try:
                verify_rsa(signature, signing_input, scheme, hashed)
            except InvalidSignature:
                return False
            return True

        return verify


def _refuse_weak_rsa(bits: int, modulus: int, exponent: int) -> None:
    if bits < MIN_RSA_BITS:
        raise KeyRefused(f"an RSA key of {bits} bits; at least {MIN_RSA_BITS} needed")
    if bits > MAX_RSA_BITS:
        raise KeyRefused(f"an RSA key of {bits} bits; at most {MAX_RSA_BITS} are used")
    if exponent < MIN_RSA_EXPONENT:
        raise KeyRefused(f"an RSA key with an exponent below {MIN_RSA_EXPONENT}")
    if exponent.bit_length() > MAX_RSA_EXPONENT_BITS:
        raise KeyRefused(f"an RSA key with an exponent of more than {MAX_RSA_EXPONENT_BITS} bits")
    if has_roca_fingerprint(modulus):
        raise KeyRefused("an RSA key that can be factored (ROCA, CVE-2017-15361); replace it")


# The orders n of SEC 2 version 2, §2.4.2, §2.5.1 and §2.6.1.
_ORDER_P256 = bytes.fromhex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551")
_ORDER_P384 = bytes.fromhex(
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf"
    "581a0db248b0a77aecec196accc52973"
)
_ORDER_P521 = bytes.fromhex(
    "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa"
    "51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409"
)

ALGORITHMS: dict[str, Algorithm] = {
    algorithm.name: algorithm
    for algorithm in (
        Ecdsa("ES256", "secp256r1", "SHA256", _ORDER_P256),
        Ecdsa("ES384", "secp384r1", "SHA384", _ORDER_P384),
        Ecdsa("ES512", "secp521r1", "SHA512", _ORDER_P521),
        Ed25519("EdDSA"),
        Rsa("RS256", "PKCS1v15", "SHA256"),
        Rsa("RS384", "PKCS1v15", "SHA384"),
        Rsa("RS512", "PKCS1v15", "SHA512"),
        Rsa("PS256", "PSS", "SHA256"),
        Rsa("PS384", "PSS", "SHA384"),
        Rsa("PS512", "PSS", "SHA512"),
    )
}
"""Every algorithm, by the value of `alg`. A key without `alg` gets the first that fits its type."""

_OTHER_NAMES = {"Ed25519": "EdDSA"}
"""Names the curve (RFC 9864 §2.2); EdDSA has no other curve here, so both mean the same."""


def canonical_algorithm(alg: str) -> str:
    """Return the name that `ALGORITHMS` has for a value of `alg`; an unknown value unchanged."""
    return _OTHER_NAMES.get(alg, alg)
