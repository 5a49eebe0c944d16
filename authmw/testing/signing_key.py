"""A private key that signs JWTs, for tests: of any of the usual algorithms."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

_PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
_COORDINATE_BYTES = 32
_SHA256 = hashes.SHA256()


def _generate_ec() -> _PrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _generate_rsa() -> _PrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


_GENERATORS: Mapping[str, Callable[[], _PrivateKey]] = {
    "ES256": _generate_ec,
    "RS256": _generate_rsa,
    "PS256": _generate_rsa,
}


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One private key with its `kid` and its only algorithm."""

    kid: str
    algorithm: str
    private_key: _PrivateKey

    @classmethod
    def generate(cls, kid: str, algorithm: str = "ES256") -> SigningKey:
        """Make a key for ES256, RS256 or PS256."""
        return cls(kid, algorithm, _GENERATORS[algorithm]())

    def sign(self, claims: Mapping[str, object], **header: object) -> str:
        """Return a compact JWS (RFC 7515 §7.1).

        Args:
            claims: taken as they are: what is wrong in them stays wrong.
            header: parameters beside `alg` and `kid`, or in place of them; None leaves one out.
        """
        members = {"alg": self.algorithm, "kid": self.kid, **header}
        protected = {name: value for name, value in members.items() if value is not None}
        signing_input = f"{_encode_json(protected)}.{_encode_json(claims)}"
        signature = self._sign(signing_input.encode("ascii"))
        return f"{signing_input}.{_base64url(signature)}"

    def _sign(self, octets: bytes) -> bytes:
        key = self.private_key
        if isinstance(key, rsa.RSAPrivateKey):
            if self.algorithm == "RS256":
                return key.sign(octets, padding.PKCS1v15(), _SHA256)
            # RFC 7518 §3.5: the salt is as long as the hash.
            return key.sign(
                octets, padding.PSS(padding.MGF1(_SHA256), _SHA256.digest_size), _SHA256
            )
        r, s = utils.decode_dss_signature(key.sign(octets, ec.ECDSA(_SHA256)))
        return r.to_bytes(_COORDINATE_BYTES, "big") + s.to_bytes(_COORDINATE_BYTES, "big")

    def jwk(self) -> dict[str, str]:
        """Return the public key as a JWK (RFC 7517)."""
        public = self.private_key.public_key()
        shared = {"kid": self.kid, "use": "sig", "alg": self.algorithm}
        if isinstance(public, rsa.RSAPublicKey):
            numbers = public.public_numbers()
            return {"kty": "RSA", **shared, "n": _uint(numbers.n), "e": _uint(numbers.e)}
        point = public.public_numbers()
        x, y = (_base64url(n.to_bytes(_COORDINATE_BYTES, "big")) for n in (point.x, point.y))
        return {"kty": "EC", **shared, "crv": "P-256", "x": x, "y": y}


def _encode_json(value: Mapping[str, object]) -> str:
    return _base64url(json.dumps(value, separators=(",", ":")).encode("utf-8"))


def _uint(value: int) -> str:
    return _base64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")
