"""Public keys: which are taken, which are not, and how they are named."""

from __future__ import annotations

import base64
import json
import pathlib
import subprocess
import sys
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from authmw.jose.algorithms import KeyRefused
from authmw.jose.jwk import parse_jwk, parse_key_document
from authmw.jose.keys import PrivateKeyFound
from tests.certificates import Authority
from tests.jose.signing import MAKERS, private_key, private_pem, public_key, public_pem

JOSERFC: dict[str, Callable[[bytes], Key]] = {
    "ES256": ECKey.import_key,
    "ES384": ECKey.import_key,
    "ES512": ECKey.import_key,
    "EdDSA": OKPKey.import_key,
    "RS256": RSAKey.import_key,
}
PublicKeyObject = (
    ec.EllipticCurvePublicKey
    | ed25519.Ed25519PublicKey
    | ed448.Ed448PublicKey
    | x25519.X25519PublicKey
    | rsa.RSAPublicKey
    | dsa.DSAPublicKey
)


def jwk(algorithm: str, number: int = 0, /, **changes: object) -> dict[str, object]:
    """The JWK as joserfc writes it, with members changed, or removed where None."""
    members = JOSERFC[algorithm](public_pem(algorithm, number)).as_dict(private=False)
    members.pop("kid", None)
    return {name: value for name, value in {**members, **changes}.items() if value is not None}


def document(*jwks: object) -> bytes:
    return json.dumps({"keys": jwks}).encode()


def pem_of(key: PublicKeyObject) -> bytes:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def skipped_reasons(octets: bytes) -> list[str]:
    parsed = parse_key_document(octets, "a file")
    assert parsed.keys == ()
    return [skipped.reason for skipped in parsed.skipped]


@pytest.mark.parametrize("algorithm", MAKERS)
def test_key_is_the_same_from_pem_from_a_jwk_and_from_a_jwk_set(algorithm: str) -> None:
    expected = JOSERFC[algorithm](public_pem(algorithm)).thumbprint()
    for octets in (
        public_pem(algorithm),
        b"A comment\n" + public_pem(algorithm) + b"\n",
        json.dumps(jwk(algorithm)).encode(),
        document(jwk(algorithm)),
        b" \n" + document(jwk(algorithm, use="sig", key_ops=["verify"], alg=algorithm)),
    ):
        (key,) = parse_key_document(octets, "a file").keys
        assert (key.algorithm.name, key.kid, key.source) == (algorithm, None, "a file")
        assert key.thumbprint == expected


def test_kid_of_a_jwk_is_kept() -> None:
    (key,) = parse_key_document(document(jwk("ES256", kid="2026-01")), "a file").keys
    assert key.kid == "2026-01"


def test_pem_file_may_hold_several_keys() -> None:
    parsed = parse_key_document(public_pem("ES256") + public_pem("RS256"), "a file")
    assert [key.algorithm.name for key in parsed.keys] == ["ES256", "RS256"]


def test_thumbprint_is_that_of_the_rfc() -> None:
    """RFC 8037 appendix A.3."""
    members = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    assert parse_jwk(members, "").thumbprint == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


@pytest.mark.parametrize("algorithm", MAKERS)
def test_private_key_is_refused_with_everything_beside_it(algorithm: str) -> None:
    private_jwk = JOSERFC[algorithm](private_pem(algorithm)).as_dict(private=True)
    for octets in (
        private_pem(algorithm),
        public_pem(algorithm, 0) + private_pem(algorithm),
        private_pem(algorithm) + public_pem(algorithm, 0),
        json.dumps(private_jwk).encode(),
        document(jwk(algorithm), private_jwk),
    ):
        with pytest.raises(PrivateKeyFound, match="only public keys belong here") as refusal:
            parse_key_document(octets, "a file")
        assert str(private_jwk["d"]) not in str(refusal.value)


@pytest.mark.parametrize("left", ["p", "dp", "oth"])
def test_private_key_of_which_only_a_part_is_left_has_leaked_all_the_same(left: str) -> None:
    private_jwk = JOSERFC["RS256"](private_pem("RS256")).as_dict(private=True)
    part = {left: private_jwk.get(left, [])}
    with pytest.raises(PrivateKeyFound, match="only public keys belong here"):
        parse_key_document(document({**jwk("RS256"), **part}), "a file")


def test_encrypted_and_traditional_private_keys_are_refused_too() -> None:
    key = private_key("RS256")
    for octets in (
        key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")),
        b"-----BEGIN OPENSSH PRIVATE KEY-----\nAA==\n-----END OPENSSH PRIVATE KEY-----\n",
    ):
        with pytest.raises(PrivateKeyFound):
            parse_key_document(octets, "a file")


def test_symmetric_key_is_refused_like_a_private_one() -> None:
    with pytest.raises(PrivateKeyFound):
        parse_key_document(document({"kty": "oct", "k": "c2VjcmV0"}), "a file")


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (lambda: rsa.generate_private_key(65537, 1024), "an RSA key of 1024 bits"),
        (lambda: rsa.generate_private_key(3, 2048), "an exponent below 65537"),
        (lambda: ec.generate_private_key(ec.SECP256K1()), "on the curve secp256k1"),
        (lambda: ec.generate_private_key(ec.SECP224R1()), "on the curve secp224r1"),
        (ed448.Ed448PrivateKey.generate, "Ed448PublicKey"),
        (x25519.X25519PrivateKey.generate, "X25519PublicKey"),
        (lambda: dsa.generate_private_key(1024), "DSAPublicKey"),
    ],
)
def test_weak_or_foreign_key_is_skipped_and_the_others_are_used(
    key: Callable[[], ec.EllipticCurvePrivateKey], reason: str
) -> None:
    parsed = parse_key_document(pem_of(key().public_key()) + public_pem("ES256"), "a file")
    assert [used.algorithm.name for used in parsed.keys] == ["ES256"]
    (skipped,) = parsed.skipped
    assert reason in skipped.reason
    assert skipped.source == "a file"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"kid": 7}, "a JWK whose kid is no string"),
        ({"use": "enc"}, "a JWK that is not for signatures ('use')"),
        ({"key_ops": ["sign"]}, "a JWK that is not for verifying ('key_ops')"),
        ({"key_ops": "verify"}, "a JWK that is not for verifying ('key_ops')"),
        ({"alg": "ES384"}, "a JWK whose 'alg' is not ES256, the one for its type"),
        ({"alg": "HS256"}, "a JWK whose 'alg' is not ES256, the one for its type"),
        ({"crv": "P-384"}, "a JWK whose 'x' is not 48 octets long"),
        ({"crv": "secp256k1"}, "a JWK of a type or curve that no algorithm here uses"),
        ({"crv": ["P-256"]}, "a JWK of a type or curve that no algorithm here uses"),
        ({"kty": "XY"}, "a JWK of a type or curve that no algorithm here uses"),
        ({"kty": "OKP"}, "a JWK of a type or curve that no algorithm here uses"),
        ({"kty": "RSA"}, "a JWK without 'n'"),
        ({"x": None}, "a JWK without 'x'"),
        ({"x": 5}, "a JWK without 'x'"),
        ({"x": "AA"}, "a JWK whose 'x' is not 32 octets long"),
        ({"x": "!" * 43}, "a damaged or unsupported JWK"),
        ({"x": "A" * 43}, "a damaged or unsupported JWK"),  # not on the curve
    ],
    ids=str,
)
def test_jwk_that_is_of_no_use_is_skipped_and_the_others_are_used(
    change: dict[str, object], reason: str
) -> None:
    parsed = parse_key_document(document(jwk("ES256", **change), jwk("ES256", 1)), "a file")
    assert [key.thumbprint for key in parsed.keys] == [public_key("ES256", 1).thumbprint]
    assert [skipped.reason for skipped in parsed.skipped] == [reason]


def test_jwk_that_is_no_object_is_skipped() -> None:
    assert skipped_reasons(document(None, "key")) == ["a JWK that is no JSON object"] * 2


def test_certificate_is_not_taken_for_its_key(tmp_path: pathlib.Path) -> None:
    authority = Authority(tmp_path, "authority")
    (reason,) = skipped_reasons(authority.cafile.read_bytes())
    assert reason == "a certificate; extract its key with 'openssl x509 -noout -pubkey'"


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"", "neither PEM nor a JWK nor a JWK set: not one JSON object"),
        (b"\xff\xfe", "neither PEM nor a JWK nor a JWK set: a string is not Unicode text"),
        (b"ssh-ed25519 AAAA", "neither PEM nor a JWK nor a JWK set: not one JSON object"),
        (b"[]", "neither PEM nor a JWK nor a JWK set: not one JSON object"),
        (b"{}", "neither a JWK nor a JWK set"),
        (b'{"keys": {}}', "neither a JWK nor a JWK set"),
        (
            b'{"keys": [], "keys": []}',
            "neither PEM nor a JWK nor a JWK set: a member name is repeated",
        ),
    ],
)
def test_file_that_is_no_key_document_is_refused(octets: bytes, reason: str) -> None:
    with pytest.raises(KeyRefused) as refusal:
        parse_key_document(octets, "a file")
    assert str(refusal.value) == reason


def test_damaged_pem_is_skipped() -> None:
    body = base64.encodebytes(b"nonsense").decode()
    damaged = f"-----BEGIN PUBLIC KEY-----\n{body}-----END PUBLIC KEY-----\n".encode()
    half = public_pem("ES256")[:80]
    assert skipped_reasons(damaged) == ["a damaged or unsupported public key"]
    assert skipped_reasons(half) == ["a damaged or unsupported public key"]
    assert skipped_reasons(b"-----BEGIN DH PARAMETERS-----\n") == [
        "a PEM block that is no public key"
    ]


# Importing cryptography

SUB_INTERPRETER = """
import _xxsubinterpreters as interpreters
import cryptography.hazmat.primitives.serialization
interpreter = interpreters.create()
interpreters.run_string(interpreter, '''
import sys
sys.path[:] = {path!r}
import authmw.jose.verifier, authmw.keys.directory  # costs nothing, needs nothing
assert "cryptography" not in sys.modules
from authmw.errors import ConfigurationError
try:
    authmw.keys.directory.KeyDirectory("/etc/keys", max_age_seconds=1)
except ConfigurationError as error:
    print(error)
''')
"""


def test_sub_interpreter_without_cryptography_is_told_what_to_configure() -> None:
    pytest.importorskip("_xxsubinterpreters")
    script = SUB_INTERPRETER.format(path=["", *sys.path])
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(
        "[keystone_authtoken] jws_public_key_repository = '/etc/keys': this needs the "
        "cryptography library, which can't be imported here ("
    )
    assert "'WSGIApplicationGroup %{GLOBAL}'" in result.stdout
