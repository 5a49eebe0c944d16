from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from authmw.issuers.client_authentication import (
    METHODS,
    OAuthClient,
    authenticate_client,
    find_client_fault,
    make_signer,
)
from tests.support.issuers.shapes import NOW

SECRET = "of a test, and long enough for any of the algorithms that there are: 0123456789"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
EC_KEYS = {alg: ec.generate_private_key(curve) for alg, curve in CURVES.items()}


def client(method: str, **changes: Any) -> OAuthClient:
    options: dict[str, Any] = {
        "client_id": "inventory",
        "method": method,
        "secret": SECRET,
        "audience": "https://as.example",
    }
    return OAuthClient(**{**options, **changes})


def pem(key: Any) -> bytes:
    octets: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return octets


def test_basic_encodes_what_would_break_the_header() -> None:
    said = authenticate_client(
        client("client_secret_basic", client_id="a:b", secret="p w:é%"), NOW, "1"
    )
    assert said.form == {}
    encoded = said.headers["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(encoded) == b"a%3Ab:p+w%3A%C3%A9%25"


def test_post_and_certificate_name_the_client_in_the_form() -> None:
    post = authenticate_client(client("client_secret_post"), NOW, "1")
    assert post == ({"client_id": "inventory", "client_secret": SECRET}, {})
    tls = authenticate_client(client("tls_client_auth"), NOW, "1")
    assert tls == ({"client_id": "inventory"}, {})


def check_assertion(said: Any, key: Any, algorithm: str, kid: str | None = None) -> None:
    assert said.form["client_id"] == "inventory"
    assert said.form["client_assertion_type"].endswith(":jwt-bearer")
    token = jwt.decode(said.form["client_assertion"], key, algorithms=[algorithm])
    assert token.header == {"alg": algorithm, "typ": "JWT", **({} if kid is None else {"kid": kid})}
    assert token.claims == {
        "iss": "inventory",
        "sub": "inventory",
        "aud": "https://as.example",
        "iat": NOW,
        "exp": NOW + 60,
        "jti": "unique",
    }
    assert SECRET not in str(said)


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_secret_signs_an_assertion(algorithm: str) -> None:
    by = client("client_secret_jwt", algorithm=algorithm)
    assert find_client_fault(by) is None
    said = authenticate_client(by, NOW + 0.9, "unique")
    check_assertion(said, OctKey.import_key(SECRET), algorithm)


@pytest.mark.parametrize(
    "algorithm", [*EC_KEYS, "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
)
def test_private_key_signs_an_assertion(algorithm: str) -> None:
    key: Any = EC_KEYS.get(algorithm, RSA_KEY)
    by = client(
        "private_key_jwt", sign=make_signer(pem(key), algorithm), algorithm=algorithm, kid="k1"
    )
    assert find_client_fault(by) is None
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    imported = (ECKey if algorithm in EC_KEYS else RSAKey).import_key(public)
    check_assertion(authenticate_client(by, NOW, "unique"), imported, algorithm, "k1")


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        *((pem(EC_KEYS["ES256"]), alg) for alg in ("ES384", "RS256", "HS256", "none", "EdDSA", "")),
        *((pem(RSA_KEY), alg) for alg in ("ES256", "XS256", "RS1")),
        *((octets, "ES256") for octets in (b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAA==\n")),
        (
            RSA_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")),
            "RS256",
        ),
    ],
)
def test_key_that_does_not_sign_this_is_refused(key: bytes, algorithm: str) -> None:
    with pytest.raises(ValueError, match="key"):
        make_signer(key, algorithm)


@pytest.mark.parametrize(
    ("method", "changes", "option"),
    [
        ("basic", {}, "auth_method"),
        ("client_secret_basic", {"client_id": ""}, "client_id"),
        ("client_secret_basic", {"secret": None}, "client_secret"),
        ("client_secret_post", {"secret": ""}, "client_secret"),
        ("client_secret_jwt", {"algorithm": "ES256"}, "jwt_algorithm"),
        ("client_secret_jwt", {"algorithm": None}, "jwt_algorithm"),
        ("client_secret_jwt", {"algorithm": "HS256", "secret": "short"}, "client_secret"),
        ("client_secret_jwt", {"algorithm": "HS256", "audience": None}, "audience"),
        ("private_key_jwt", {}, "jwt_key_file"),
        ("private_key_jwt", {"sign": bytes}, "jwt_key_file"),
    ],
)
def test_client_that_can_not_authenticate_itself_is_a_fault(
    method: str, changes: dict[str, Any], option: str
) -> None:
    fault = find_client_fault(client(method, **changes))
    assert fault is not None
    assert fault[0] == option
    assert SECRET not in fault[1]


def test_secrets_are_not_shown() -> None:
    for method in METHODS:
        assert SECRET not in repr(client(method))
