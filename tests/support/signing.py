"""Signs JWS, well-formed and malformed ones, with `cryptography` alone."""

from __future__ import annotations

import base64
import dataclasses
import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from authmw.jose.jws import JWT_TYPES
from authmw.jose.key_set import KeySet
from authmw.jose.public_key import PublicKey, make_public_key
from authmw.jose.registered_claims import ClaimRules
from authmw.jose.verifier import JwsVerifier, VerificationKeys

NOW = 1_800_000_000.5
CLAIMS: dict[str, object] = {
    "sub": "6b8d5e4f",
    "iat": int(NOW) - 60,
    "exp": int(NOW) + 3600,
    "openstack_methods": ["password"],
    "openstack_audit_ids": ["3JvVJhKDQ8yBl0c8kCkGTg"],
    "openstack_project_id": "9f1c2d",
}

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey

MAKERS: dict[str, Callable[[], PrivateKey]] = {
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ES512": lambda: ec.generate_private_key(ec.SECP521R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
    "RS256": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
}
HASHES: dict[str, hashes.HashAlgorithm] = {
    "ES256": hashes.SHA256(),
    "ES384": hashes.SHA384(),
    "ES512": hashes.SHA512(),
}
SIZES = {"ES256": 32, "ES384": 48, "ES512": 66}


@functools.cache
def private_key(algorithm: str, number: int = 0) -> PrivateKey:
    """The key of that algorithm and number, the same in all tests: making one is slow."""
    assert number >= 0
    return MAKERS[algorithm]()


def public_key(algorithm: str, number: int = 0, kid: str | None = None) -> PublicKey:
    key = private_key(algorithm, number).public_key()
    return make_public_key(key, kid=kid, source=f"{algorithm}-{number}")


def public_pem(algorithm: str, number: int = 0) -> bytes:
    key = private_key(algorithm, number).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def private_pem(algorithm: str, number: int = 0) -> bytes:
    key = private_key(algorithm, number)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def b64(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def segment(members: Mapping[str, object] | bytes) -> str:
    return b64(members if isinstance(members, bytes) else json.dumps(members).encode())


def sign_octets(signing_input: bytes, algorithm: str, number: int = 0) -> bytes:
    key = private_key(algorithm, number)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(signing_input)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(signing_input, padding.PKCS1v15(), hashes.SHA256())
    der = key.sign(signing_input, ec.ECDSA(HASHES[algorithm]))
    return b"".join(n.to_bytes(SIZES[algorithm], "big") for n in decode_dss_signature(der))


def sign(
    claims: Mapping[str, object] | bytes = CLAIMS,
    header: Mapping[str, object] | bytes | None = None,
    *,
    algorithm: str = "ES256",
    number: int = 0,
) -> str:
    """A compact JWS; claims and header as members, or as the very bytes to be signed."""
    if header is None:
        header = {"alg": algorithm, "typ": "JWT"}
    signing_input = f"{segment(header)}.{segment(claims)}"
    return f"{signing_input}.{b64(sign_octets(signing_input.encode(), algorithm, number))}"


@dataclass
class HeldKeys:
    """A key source that holds what it was given; a reload gives it what is next."""

    keys: KeySet
    next_keys: KeySet | None = None

    def current(self, now: float) -> KeySet:
        return self.keys

    def reload(self, now: float) -> None:
        if self.next_keys is not None:
            self.keys = self.next_keys

    def reload_early(self, now: float) -> KeySet | None:
        if self.next_keys is None:
            return None
        self.reload(now)
        return self.keys


@dataclass
class Counter:
    """Counts the verifications that keys do."""

    tried: list[str] = field(default_factory=list)

    def watch(self, key: PublicKey) -> PublicKey:
        def verify(signature: bytes, signing_input: bytes) -> bool:
            self.tried.append(key.source)
            return key.verify(signature, signing_input)

        return dataclasses.replace(key, verify=verify)


def verifier(
    *keys: PublicKey,
    source: VerificationKeys | None = None,
    accepted: frozenset[str] = frozenset(MAKERS),
    max_keys: int = 8,
    rules: ClaimRules | None = None,
    types: frozenset[str | None] = JWT_TYPES,
) -> JwsVerifier:
    return JwsVerifier(
        source or HeldKeys(KeySet(keys)),
        accepted_algorithms=accepted,
        max_keys=max_keys,
        max_size=8000,
        rules=rules or ClaimRules(),
        types=types,
    )
