"""How a service authenticates itself to an issuer that it asks about tokens (RFC 7662 §2.1).

The five methods of an OAuth2 client (RFC 6749 §2.3.1, OpenID Connect Core §9, RFC 8705 §2). What
comes out is form fields and headers; for tls_client_auth the connection's certificate does it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from urllib.parse import quote_plus

from authmw.jose.base64url import encode_base64url

# RFC 7523 §2.2.
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

_HASHES: Final = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}
# RFC 7518 §3.2: a key is at least as long as the hash.
_SECRET_BYTES: Final = {"HS256": 32, "HS384": 48, "HS512": 64}

Sign = Callable[[bytes], bytes]
"""Returns the signature of a JWS signing input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthClient:
    """What an issuer knows this service by.

    Attributes:
        method: a name out of `METHODS`.
        secret: for the methods that have client_secret in their names.
        sign: for private_key_jwt; see `make_signer`.
        algorithm: `alg` of assertions.
        kid: of the key that signs, where the issuer wants to be told.
        audience: of assertions: the issuer identifier (RFC 7523 §3), unless the issuer wants its
            endpoint's URL there.
        assertion_seconds: how long an assertion is good.
        encodes_basic: whether id and secret are form-encoded in client_secret_basic, as RFC 6749
            §2.3.1 says; False where a server is known to take them as they are.
    """

    client_id: str
    method: str
    secret: str | None = field(default=None, repr=False)
    sign: Sign | None = field(default=None, repr=False)
    algorithm: str | None = None
    kid: str | None = None
    audience: str | None = None
    assertion_seconds: int = 60
    encodes_basic: bool = True


class ClientAuthentication(NamedTuple):
    """What a request needs beside the token that it asks about."""

    form: Mapping[str, str]
    headers: Mapping[str, str]


def authenticate_client(client: OAuthClient, now: float, unique_id: str) -> ClientAuthentication:
    """Return the form fields and headers that authenticate a client.

    Args:
        client: whose configuration was verified (`find_client_fault`).
        now: epoch seconds.
        unique_id: for the `jti` of an assertion; never the same again.
    """
    return METHODS[client.method](client, now, unique_id)


def find_client_fault(client: OAuthClient) -> tuple[str, str] | None:
    """Return which option of a client is wrong and what to write, None if none is."""
    if client.method not in METHODS:
        return "auth_method", f"write one of {', '.join(METHODS)}"
    if not client.client_id:
        return "client_id", "write the id that the issuer knows this service by"
    if "secret" in client.method and not client.secret:
        return "client_secret", f"{client.method} needs it"
    if client.method == "client_secret_jwt":
        length = _SECRET_BYTES.get(client.algorithm or "")
        if length is None:
            return "jwt_algorithm", f"write one of {', '.join(_SECRET_BYTES)}"
        if len((client.secret or "").encode("utf-8")) < length:
            return "client_secret", f"{client.algorithm} needs one of {length} bytes or more"
    if client.method == "private_key_jwt" and (client.sign is None or not client.algorithm):
        return "jwt_key_file", "write the file with the private key that signs assertions"
    if "jwt" in client.method and not client.audience:
        return "audience", "write the issuer identifier, which assertions are for"
    return None


def _authenticate_basic(client: OAuthClient, _: float, __: str) -> ClientAuthentication:
    # RFC 6749 §2.3.1: form-encoded before they are joined, so that a colon does no harm.
    names = (client.client_id, client.secret or "")
    pair = ":".join(map(quote_plus, names) if client.encodes_basic else names)
    encoded = base64.b64encode(pair.encode("utf-8")).decode("ascii")
    return ClientAuthentication({}, {"Authorization": f"Basic {encoded}"})


def _authenticate_post(client: OAuthClient, _: float, __: str) -> ClientAuthentication:
    form = {"client_id": client.client_id, "client_secret": client.secret or ""}
    return ClientAuthentication(form, {})


def _authenticate_by_certificate(client: OAuthClient, _: float, __: str) -> ClientAuthentication:
    return ClientAuthentication({"client_id": client.client_id}, {})  # RFC 8705 §2


def _authenticate_by_secret_jwt(
    client: OAuthClient, now: float, unique_id: str
) -> ClientAuthentication:
    secret = (client.secret or "").encode("utf-8")
    digest = _HASHES[(client.algorithm or "")[2:]]
    return _assert(client, now, unique_id, lambda octets: hmac.digest(secret, octets, digest))


def _authenticate_by_private_key(
    client: OAuthClient, now: float, unique_id: str
) -> ClientAuthentication:
    assert client.sign is not None  # noqa: S101 - `find_client_fault` refused it
    return _assert(client, now, unique_id, client.sign)


def _assert(client: OAuthClient, now: float, unique_id: str, sign: Sign) -> ClientAuthentication:
    """RFC 7523 §3: an assertion by the client about itself."""
    header = {"alg": client.algorithm, "typ": "JWT"}
    if client.kid is not None:
        header["kid"] = client.kid
    claims = {
        "iss": client.client_id,
        "sub": client.client_id,
        "aud": client.audience,
        "iat": int(now),
        "exp": int(now) + client.assertion_seconds,
        "jti": unique_id,
    }
    signing_input = ".".join(
        encode_base64url(json.dumps(part, separators=(",", ":")).encode("utf-8"))
        for part in (header, claims)
    )
    signature = encode_base64url(sign(signing_input.encode("ascii")))
    form = {
        "client_id": client.client_id,
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": f"{signing_input}.{signature}",
    }
    return ClientAuthentication(form, {})


METHODS: Final[Mapping[str, Callable[[OAuthClient, float, str], ClientAuthentication]]] = {
    "client_secret_basic": _authenticate_basic,
    "client_secret_post": _authenticate_post,
    "client_secret_jwt": _authenticate_by_secret_jwt,
    "private_key_jwt": _authenticate_by_private_key,
    "tls_client_auth": _authenticate_by_certificate,
}
"""By the names of the IANA registry "OAuth Token Endpoint Authentication Methods"."""

# By the key size of the curve (RFC 7518 §3.4).
_EC_ALGORITHMS: Final = {"ES256": 256, "ES384": 384, "ES512": 521}


def make_signer(private_key_pem: bytes, algorithm: str) -> Sign:
    """Return what signs assertions with a private key.

    Args:
        private_key_pem: PEM, not encrypted.
        algorithm: ES256, ES384, ES512, RS256 to RS512 or PS256 to PS512.

    Raises:
        ValueError: it is no private key, or none for this algorithm.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key: Any = load_pem_private_key(private_key_pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("it holds no private key in PEM without a password") from None
    hash_name = f"SHA{algorithm[2:]}"
    if algorithm[2:] not in _HASHES:
        raise ValueError(f"{algorithm} is no algorithm that a private key signs with")
    hashed = getattr(hashes, hash_name)()
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.key_size == _EC_ALGORITHMS.get(
        algorithm
    ):
        size = (key.key_size + 7) // 8

        def sign_ecdsa(octets: bytes) -> bytes:
            r, s = utils.decode_dss_signature(key.sign(octets, ec.ECDSA(hashed)))
            return r.to_bytes(size, "big") + s.to_bytes(size, "big")

        return sign_ecdsa
    schemes = {
        "RS": padding.PKCS1v15(),
        "PS": padding.PSS(padding.MGF1(hashed), hashed.digest_size),
    }
    scheme = schemes.get(algorithm[:2])
    if not isinstance(key, rsa.RSAPrivateKey) or scheme is None:
        raise ValueError(f"its key does not sign {algorithm}")
    return lambda octets: bytes(key.sign(octets, scheme, hashed))
