"""JSON Web Keys and JWK sets (RFC 7517, RFC 7518 §6, RFC 8037 §2)."""

from __future__ import annotations

from authmw.errors import KeyRefused, PrivateKeyFound
from authmw.jose.base64url import decode_base64url
from authmw.jose.public_key import (
    MAX_KEYS,
    ParsedKeys,
    PublicKey,
    SkippedKey,
    make_public_key,
)
from authmw.jose.strict_json import Defect, find_defect, parse_json_parts

# "d" is the private part of EC, OKP and RSA keys (RFC 7518 §6.2.2, §6.3.2, RFC 8037 §2); any of the
# others reveals an RSA key.
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth"})
# Some serializers write every member that a JWK may have.
_ABSENT: tuple[object, ...] = (None, "", [], {})


def parse_jwk_document(document: bytes, source: str) -> ParsedKeys:
    """Parse a JWK set (RFC 7517 §5) or a single JWK.

    A key of a set that can't be used is skipped and the others are used (§5). So is a private key,
    and with it its public key in the same set.

    Raises:
        PrivateKeyFound: it is one private or symmetric JWK.
        KeyRefused: it is no JSON object, neither a JWK nor a JWK set, or of over `MAX_KEYS` keys.
    """
    try:
        members = parse_json_parts(document)
    except ValueError as error:
        raise KeyRefused(f"neither PEM nor a JWK nor a JWK set: {error}") from error
    jwks = members.get("keys")
    if jwks is None and "kty" in members:
        return ParsedKeys((parse_jwk(members, source),))
    if not isinstance(jwks, list):
        raise KeyRefused("neither a JWK nor a JWK set")
    if len(jwks) > MAX_KEYS:
        raise KeyRefused(f"a JWK set of more than {MAX_KEYS} keys")
    keys: list[PublicKey] = []
    skipped: list[SkippedKey] = []
    leaked: set[str] = set()
    for jwk in jwks:
        try:
            keys.append(parse_jwk(jwk, source))
        except PrivateKeyFound as error:
            skipped.append(SkippedKey(source, str(error), is_private=True))
            leaked |= _find_public_half(jwk, source)
        except KeyRefused as error:
            skipped.append(SkippedKey(source, str(error)))
    skipped += [
        SkippedKey(source, "a JWK whose private key is in the same set", is_private=True)
        for key in keys
        if key.thumbprint in leaked
    ]
    return ParsedKeys(tuple(key for key in keys if key.thumbprint not in leaked), tuple(skipped))


def parse_jwk(jwk: object, source: str) -> PublicKey:
    """Parse one public JWK. Members that are null or empty count as absent.

    Raises:
        PrivateKeyFound: it holds a private or symmetric key.
        KeyRefused: it is no key for verifying signatures of an algorithm here.
    """
    if isinstance(jwk, Defect):
        raise KeyRefused(f"a JWK in which {jwk.reason}")
    if not isinstance(jwk, dict):
        raise KeyRefused("a JWK that is no JSON object")
    jwk = {name: value for name, value in jwk.items() if value not in _ABSENT}
    if not _PRIVATE_MEMBERS.isdisjoint(jwk) or jwk.get("kty") == "oct":
        raise PrivateKeyFound("a private or symmetric JWK; only public keys belong here")
    defect = find_defect(jwk)
    if defect is not None:
        raise KeyRefused(f"a JWK in which {defect.reason}")
    kid = jwk.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise KeyRefused("a JWK whose kid is no string")
    if jwk.get("use", "sig") != "sig":
        raise KeyRefused("a JWK that is not for signatures ('use')")
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise KeyRefused("a JWK that is not for verifying ('key_ops')")
    alg = jwk.get("alg")
    if alg is not None and not isinstance(alg, str):
        raise KeyRefused("a JWK whose 'alg' is no string")
    return make_public_key(_parse_key_material(jwk), kid=kid, source=source, alg=alg)


def _find_public_half(jwk: dict[str, object], source: str) -> set[str]:
    """Return the thumbprint of a private JWK's public key; empty if it has no usable one."""
    members = {name: jwk.get(name) for name in ("kty", "crv", "x", "y", "n", "e")}
    try:
        return {parse_jwk(members, source).thumbprint}
    except KeyRefused:
        return set()


def _parse_key_material(jwk: dict[str, object]) -> object:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    curves: dict[object, ec.EllipticCurve] = {
        "P-256": ec.SECP256R1(),
        "P-384": ec.SECP384R1(),
        "P-521": ec.SECP521R1(),
    }
    try:
        match jwk.get("kty"), jwk.get("crv"):
            case "EC", crv if isinstance(crv, str) and crv in curves:
                curve = curves[crv]
                size = (curve.key_size + 7) // 8
                x, y = _parse_octets(jwk, "x", size), _parse_octets(jwk, "y", size)
                # Checks that the point is on the curve (RFC 8725 §3.4).
                return ec.EllipticCurvePublicNumbers(
                    int.from_bytes(x, "big"), int.from_bytes(y, "big"), curve
                ).public_key()
            case "OKP", "Ed25519":
                return ed25519.Ed25519PublicKey.from_public_bytes(_parse_octets(jwk, "x", 32))
            case "RSA", _:
                n, e = _parse_octets(jwk, "n"), _parse_octets(jwk, "e")
                return rsa.RSAPublicNumbers(
                    int.from_bytes(e, "big"), int.from_bytes(n, "big")
                ).public_key()
            case _:
                raise KeyRefused("a JWK of a type or curve that no algorithm here uses")
    except KeyRefused:
        raise
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyRefused("a damaged or unsupported JWK") from error


def _parse_octets(jwk: dict[str, object], name: str, size: int | None = None) -> bytes:
    text = jwk.get(name)
    if not isinstance(text, str):
        raise KeyRefused(f"a JWK without {name!r}")
    octets = decode_base64url(text)
    if size is not None and len(octets) != size:  # RFC 7518 §6.2.1.2: leading zeros stay
        raise KeyRefused(f"a JWK whose {name!r} is not {size} octets long")
    return octets
