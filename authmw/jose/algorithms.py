"""The signature algorithms that exist here, each bound to one key type and curve.

One table, `ALGORITHMS`. `none` and the HMAC family are not in it and can't be configured
into it (RFC 8725 §3.1, §3.2). A key has exactly one algorithm, chosen when the key is
parsed: what a token's header says selects among keys, never what is done with one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from authmw.errors import KeyRefused
from authmw.jose.roca import has_roca_fingerprint

Verify = Callable[[bytes, bytes], bool]
"""(signature as `Algorithm.parse_signature` returns it, signing input) -> is it genuine."""

MIN_RSA_BITS = 2048  # RFC 7518 §3.3
MIN_RSA_EXPONENT = 65537  # below, forging has been easy too often (NIST SP 800-56B §6.2)


class Algorithm(Protocol):
    """One value of the `alg` header parameter (RFC 7518 §3.1)."""

    @property
    def name(self) -> str:
        """The value of `alg`."""

    def parse_signature(self, signature: bytes) -> bytes:
        """Return the signature in the form `cryptography` takes.

        Raises:
            ValueError: no key can have made it: wrong length, r or s out of range.
        """

    def bind(self, key: object) -> Verify | None:
        """Return the function that verifies signatures of this algorithm with this key.

        Args:
            key: a public key of `cryptography`; None comes back unless it is of this
                algorithm's type and curve.

        Raises:
            KeyRefused: the key is too weak.
        """


@dataclass(frozen=True, slots=True)
class Ecdsa:
    """ECDSA (RFC 7518 §3.4): the signature is r and s, each as long as the curve's order."""

    name: str
    curve: str
    """As `cryptography` calls it."""
    hash_name: str
    order: bytes
    """Number of points of the curve, in as many octets as r and s have each."""

    def parse_signature(self, signature: bytes) -> bytes:
        order = self.order
        size = len(order)
        r, s = signature[:size], signature[size:]
        # FIPS 186-5 §6.4.2: from 1 to order - 1. Octet strings of one length compare like
        # the numbers they stand for.
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
    """EdDSA (RFC 8037 §3.1) on the one curve that Keystone's EdDSA keys use."""

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
class RsaPkcs1:
    """RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 §3.3), for issuers with a JWK set."""

    name: str

    def parse_signature(self, signature: bytes) -> bytes:
        if len(signature) < MIN_RSA_BITS // 8:
            raise ValueError("too short for any RSA key that we accept")
        return signature

    def bind(self, key: object) -> Verify | None:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding, rsa

        if not isinstance(key, rsa.RSAPublicKey):
            return None
        if key.key_size < MIN_RSA_BITS:
            raise KeyRefused(f"an RSA key of {key.key_size} bits; at least {MIN_RSA_BITS} needed")
        if key.public_numbers().e < MIN_RSA_EXPONENT:
            raise KeyRefused(f"an RSA key with an exponent below {MIN_RSA_EXPONENT}")
        if has_roca_fingerprint(key.public_numbers().n):
            raise KeyRefused("an RSA key that can be factored (ROCA, CVE-2017-15361); replace it")
        verify_rsa = key.verify
        pkcs1 = padding.PKCS1v15()
        sha256 = hashes.SHA256()

        def verify(signature: bytes, signing_input: bytes) -> bool:
            try:
                verify_rsa(signature, signing_input, pkcs1, sha256)
            except InvalidSignature:
                return False
            return True

        return verify


# SEC 2 v2 §2.4.2, §2.5.1, §2.6.1.
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
        RsaPkcs1("RS256"),
    )
}
"""Every algorithm, by the value of `alg`."""


_OTHER_NAMES = {"Ed25519": "EdDSA"}
"""RFC 9864 §2.2 names the curve; EdDSA here has only that one, so both mean the same."""


def canonical_algorithm(alg: str) -> str:
    """Return the name in `ALGORITHMS` of a value of `alg`; what has no other name as it is."""
    return _OTHER_NAMES.get(alg, alg)
