"""Public keys in PEM (RFC 7468)."""

from __future__ import annotations

from authmw.errors import KeyRefused, PrivateKeyFound
from authmw.jose.public_key import (
    MAX_KEYS,
    ParsedKeys,
    PublicKey,
    SkippedKey,
    make_public_key,
)


def parse_pem(pem: bytes, source: str) -> ParsedKeys:
    """Parse every public key of a PEM document (RFC 7468 §13).

    A certificate (RFC 7468 §5) is not used for its key: an operator who installs one expects its
    dates and issuer to be verified, and they would not be.

    Raises:
        PrivateKeyFound: it has a private key; none of its keys is used then.
        KeyRefused: it has no PEM block, or more than `MAX_KEYS`.
    """
    # Each part begins with its label; text before the first is explanatory (RFC 7468 §2).
    blocks = [b"-----BEGIN " + part for part in pem.split(b"-----BEGIN ")[1:]]
    labels = [block[len(b"-----BEGIN ") :].split(b"-----", 1)[0] for block in blocks]
    if any(label.endswith(b"PRIVATE KEY") for label in labels):
        raise PrivateKeyFound("a private key; only public keys belong here")
    if not blocks:
        raise KeyRefused("no PEM block")
    if len(blocks) > MAX_KEYS:
        raise KeyRefused(f"more than {MAX_KEYS} PEM blocks")
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
