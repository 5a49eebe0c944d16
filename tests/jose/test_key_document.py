"""Public keys in PEM, JWK and JWK sets: which are used, which are refused, their names."""

from __future__ import annotations

import base64
import contextlib
import json
import math
import pathlib
import random
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
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from authmw.errors import KeyRefused, PrivateKeyFound
from authmw.jose.algorithms import Rsa
from authmw.jose.jwk import parse_jwk
from authmw.jose.key_document import parse_key_document
from authmw.jose.roca import has_roca_fingerprint
from tests.support.certificates import Authority
from tests.support.programs import run_python
from tests.support.signing import MAKERS, b64, private_key, private_pem, public_key, public_pem

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
    ):
        with pytest.raises(PrivateKeyFound, match="only public keys belong here") as refusal:
            parse_key_document(octets, "a file")
        assert str(private_jwk["d"]) not in str(refusal.value)


@pytest.mark.parametrize("left", ["p", "dp", "oth"])
def test_private_key_of_which_only_a_part_is_left_has_leaked_all_the_same(left: str) -> None:
    private_jwk = JOSERFC["RS256"](private_pem("RS256")).as_dict(private=True)
    part = {left: private_jwk.get(left, [{"r": "AQAB", "d": "AQAB", "t": "AQAB"}])}
    with pytest.raises(PrivateKeyFound, match="only public keys belong here"):
        parse_key_document(json.dumps({**jwk("RS256"), **part}).encode(), "a file")


@pytest.mark.parametrize("algorithm", MAKERS)
def test_private_key_in_a_jwk_set_costs_itself_alone(algorithm: str) -> None:
    """Its public half, found beside it, is anybody's to sign with as well."""
    leaked = JOSERFC[algorithm](private_pem(algorithm, 0)).as_dict(private=True)
    parsed = parse_key_document(
        document(jwk(algorithm, 0), leaked, jwk(algorithm, 1), {"kty": "oct", "k": "c2VjcmV0"}),
        "a file",
    )
    assert [key.thumbprint for key in parsed.keys] == [public_key(algorithm, 1).thumbprint]
    assert [(skipped.reason, skipped.is_private) for skipped in parsed.skipped] == [
        ("a private or symmetric JWK; only public keys belong here", True),
        ("a private or symmetric JWK; only public keys belong here", True),
        ("a JWK whose private key is in the same set", True),
    ]
    assert str(leaked["d"]) not in repr(parsed.skipped)


NULLS = dict.fromkeys(("d", "dp", "dq", "p", "q", "qi", "k", "oth", "alg", "use", "key_ops", "kid"))
EMPTY: dict[str, object] = {
    "d": "",
    "k": "",
    "oth": [],
    "use": "",
    "alg": "",
    "key_ops": [],
    "kid": "",
    "x5c": [],
    "x5t": "",
}


@pytest.mark.parametrize("algorithm", MAKERS)
@pytest.mark.parametrize("blank", [NULLS, EMPTY], ids=["null", "empty"])
def test_null_and_empty_members_of_a_jwk_are_absent_ones(
    algorithm: str, blank: dict[str, object]
) -> None:
    """.NET's serializers write every member there is."""
    odd = {**blank, **jwk(algorithm)}
    for octets in (document(odd), json.dumps(odd).encode()):
        (key,) = parse_key_document(octets, "a file").keys
        assert (key.algorithm.name, key.kid) == (algorithm, None)
        assert key.thumbprint == public_key(algorithm).thumbprint


def test_null_or_empty_set_beside_a_key_is_no_set() -> None:
    (key,) = parse_key_document(json.dumps({"keys": None, **jwk("ES256")}).encode(), "a file").keys
    assert key.thumbprint == public_key("ES256").thumbprint
    assert parse_key_document(b'{"keys": []}', "a file").keys == ()


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        (b'{"kty": "EC", "kty": "RSA"}', "a JWK in which a member name is repeated"),
        (b'{"kty": "EC", "nbf": NaN}', "a JWK in which NaN and Infinity are not JSON"),
        (b'{"kty": "EC", "nbf": 1e999}', "a JWK in which a number is out of range"),
        (
            b'{"kty": "EC", "nbf": ' + b"9" * 5000 + b"}",
            "a JWK in which a number is out of range",
        ),
        (rb'{"kty": "EC", "kid": "\ud800"}', "a JWK in which a string is not Unicode text"),
        (b'{"kty": "EC", "kid": "\xe9"}', "a JWK in which a string is not Unicode text"),
        (
            b'{"kty": "EC", "x": ' + b"[" * 20 + b"]" * 20 + b"}",
            "a JWK in which values are nested deeper than 16 levels",
        ),
        (b"[" * 20 + b"]" * 20, "a JWK that is no JSON object"),
    ],
    ids=range(8),
)
def test_jwk_that_is_no_strict_json_costs_itself_alone(odd: bytes, reason: str) -> None:
    good = json.dumps(jwk("ES256")).encode()
    for octets in (b'{"keys": [%b, %b]}' % (odd, good), b'{"keys": [%b, %b]}' % (good, odd)):
        parsed = parse_key_document(octets, "a file")
        assert [key.thumbprint for key in parsed.keys] == [public_key("ES256").thumbprint]
        assert [skipped.reason for skipped in parsed.skipped] == [reason]


def test_members_of_a_set_beside_its_keys_do_not_matter() -> None:
    octets = b'{"note": {"a": 1, "a": 2}, "keys": [%b]}' % json.dumps(jwk("ES256")).encode()
    assert len(parse_key_document(octets, "a file").keys) == 1


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
def test_byte_order_mark_is_ignored(algorithm: str) -> None:
    """RFC 8259 §8.1."""
    bom = b"\xef\xbb\xbf"
    for octets in (
        bom + document(jwk(algorithm, x5c=["-----BEGIN CERTIFICATE-----"])),
        bom + json.dumps(jwk(algorithm)).encode(),
        bom + public_pem(algorithm),
    ):
        (key,) = parse_key_document(octets, "a file").keys
        assert key.thumbprint == public_key(algorithm).thumbprint


def test_alg_ed25519_is_eddsa_on_that_curve() -> None:
    """RFC 9864 §2.2: a name for EdDSA on the one curve; of other keys it is the wrong one."""
    (key,) = parse_key_document(document(jwk("EdDSA", alg="Ed25519")), "a file").keys
    assert key.algorithm.name == "EdDSA"
    (reason,) = skipped_reasons(document(jwk("ES256", alg="Ed25519")))
    assert reason == "a JWK whose 'alg' is not ES256, the one for its type"
    (reason,) = skipped_reasons(document(jwk("RS256", alg="Ed25519")))
    assert reason.startswith("a JWK whose 'alg' is not RS256 or RS384 or ")
    (reason,) = skipped_reasons(document(jwk("EdDSA", alg="Ed448")))
    assert reason == "a JWK whose 'alg' is not EdDSA, the one for its type"


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
        parse_key_document(b'{"kty": "oct", "k": "c2VjcmV0"}', "a file")


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
        (b"\xff\xfe", "neither PEM nor a JWK nor a JWK set: not one JSON object"),
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


def test_more_keys_than_any_issuer_has_are_refused_before_one_is_parsed() -> None:
    for octets in (document(*[{}] * 1001), public_pem("ES256") * 1001):
        with pytest.raises(KeyRefused, match="more than 1000"):
            parse_key_document(octets, "a file")
    assert len(parse_key_document(document(*[{}] * 1000), "a file").skipped) == 1000


MEMBERS = ["kty", "crv", "x", "y", "n", "e", "alg", "use", "key_ops", "kid", "d", "oth", "more"]
ODD: list[object] = [
    *(None, True, 0, -1, 10**50, "", "AQAB", "AA", "x" * 300, "\ud800", [], ["verify"]),
    *({}, {"a": {}}, "P-256", "P-521", "Ed25519", "EC", "RSA", "OKP", "sig", "EdDSA"),
]


@given(
    st.sampled_from(sorted(MAKERS)),
    st.dictionaries(st.sampled_from(MEMBERS), st.sampled_from(ODD)),
)
def test_no_jwk_gets_past_the_rules_or_breaks_them(
    algorithm: str, changes: dict[str, object]
) -> None:
    odd = {**jwk(algorithm), **changes}
    parsed = parse_key_document(document(odd, jwk("ES256", 1)), "a file")
    assert public_key("ES256", 1).thumbprint in {key.thumbprint for key in parsed.keys}
    assert len(parsed.keys) + len(parsed.skipped) == 2
    with contextlib.suppress(KeyRefused):
        parse_key_document(json.dumps(odd).encode(), "a file")


@given(st.sampled_from(["json", "pem"]), st.integers(0, 2000), st.binary(max_size=8))
def test_no_damage_to_a_key_document_gets_past_the_rules(
    form: str, place: int, damage: bytes
) -> None:
    whole = document(jwk("ES256"), jwk("RS256")) if form == "json" else public_pem("ES256")
    with contextlib.suppress(KeyRefused):
        parse_key_document(whole[:place] + damage + whole[place + len(damage) :], "a file")


# RSA


@pytest.mark.parametrize(
    ("bits", "exponent", "reason"),
    [
        (8193, 65537, "an RSA key of 8193 bits; at most 8192 are used"),
        (5_000_001, 65537, "an RSA key of 5000001 bits; at most 8192 are used"),
        (2048, 2**64 + 1, "an RSA key with an exponent of more than 64 bits"),
    ],
)
def test_rsa_key_that_makes_verifying_slow_is_skipped(
    bits: int, exponent: int, reason: str
) -> None:
    def encode(number: int) -> str:
        return b64(number.to_bytes((number.bit_length() + 7) // 8, "big"))

    slow = {"kty": "RSA", "n": encode((1 << bits - 1) + 1), "e": encode(exponent)}
    assert skipped_reasons(document(slow)) == [reason]


@pytest.mark.parametrize("name", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"])
def test_every_rsa_algorithm_is_one_row(name: str) -> None:
    """RFC 7518 §3.3, §3.5; those that no option accepts are not in the table."""
    row = Rsa(name, "PSS" if name.startswith("PS") else "PKCS1v15", f"SHA{name[2:]}")
    signer = RSAKey.import_key(private_pem("RS256"))
    verify = row.bind(private_key("RS256", 0).public_key())
    assert verify is not None
    token = jws.serialize_compact({"alg": name}, b"signed", signer, [name])
    signing_input, _, signature = token.rpartition(".")
    octets = row.parse_signature(base64.urlsafe_b64decode(signature + "=="))
    assert verify(octets, signing_input.encode())
    assert not verify(octets, b"another")
    for length in (255, 1025):
        with pytest.raises(ValueError, match="has this length"):
            row.parse_signature(b"x" * length)


# ROCA


def is_probably_prime(number: int) -> bool:
    return all(pow(base, number - 1, number) == 1 for base in (2, 3, 5))


def make_roca_key(bits: int, *, exponent: int = 65537) -> rsa.RSAPublicKey:
    """A key as the library makes it: both primes are k * M + (65537 ** a mod M), where M is the
    product of the first 126 primes (Nemec et al., The Return of Coppersmith's Attack, 2017).
    """
    rng = random.Random(bits)
    primes = [n for n in range(2, 702) if all(n % divisor for divisor in range(2, n))]
    assert len(primes) == 126
    product = math.prod(primes)
    factors: list[int] = []
    while len(factors) < 2:
        multiple = rng.randrange(2 ** (bits // 2 - 1) // product, 2 ** (bits // 2) // product)
        factor = multiple * product + pow(65537, rng.getrandbits(80), product)
        if is_probably_prime(factor):
            factors.append(factor)
    return rsa.RSAPublicNumbers(exponent, factors[0] * factors[1]).public_key()


@pytest.mark.heavy
@pytest.mark.parametrize("bits", [2048, 3072])
def test_rsa_key_of_the_roca_kind_is_refused_and_the_others_are_used(bits: int) -> None:
    """CVE-2017-15361: its private key follows from the public one."""
    weak = make_roca_key(bits)
    reason = "an RSA key that can be factored (ROCA, CVE-2017-15361); replace it"
    parsed = parse_key_document(pem_of(weak) + public_pem("RS256"), "a file")
    assert [key.thumbprint for key in parsed.keys] == [public_key("RS256").thumbprint]
    assert [skipped.reason for skipped in parsed.skipped] == [reason]
    as_jwk = RSAKey.import_key(pem_of(weak)).as_dict(private=False)
    parsed = parse_key_document(document(as_jwk, jwk("RS256")), "a set")
    assert [key.thumbprint for key in parsed.keys] == [public_key("RS256").thumbprint]
    assert [skipped.reason for skipped in parsed.skipped] == [reason]


def test_no_other_modulus_is_taken_for_one_of_the_roca_kind() -> None:
    rng = random.Random(7)
    assert not any(has_roca_fingerprint(rng.getrandbits(2048) | 1) for _ in range(20_000))


# Importing cryptography

SUB_INTERPRETER = """
import _xxsubinterpreters as interpreters
import cryptography.hazmat.primitives.serialization
interpreter = interpreters.create()
interpreters.run_string(interpreter, '''
import sys
sys.path[:] = {path!r}
# Costs nothing, needs nothing.
import authmw.jose.verifier, authmw.keys.directory, authmw.keys.refreshed
assert "cryptography" not in sys.modules
from authmw.errors import ConfigurationError
try:
    reader = authmw.keys.directory.KeyDirectory("/etc/keys")
    authmw.keys.refreshed.RefreshedKeys(reader, max_age_seconds=1)
except ConfigurationError as error:
    print(error)
''')
"""


@pytest.mark.heavy
def test_sub_interpreter_without_cryptography_is_told_what_to_configure() -> None:
    pytest.importorskip("_xxsubinterpreters", reason="this module is gone from Python 3.13")
    script = SUB_INTERPRETER.format(path=["", *sys.path])
    result = run_python("-c", script)
    assert result.stdout.startswith(
        "[keystone_authtoken] jws_public_key_repository = '/etc/keys': this needs the "
        "cryptography library, which can't be imported here ("
    )
    assert "'WSGIApplicationGroup %{GLOBAL}'" in result.stdout
