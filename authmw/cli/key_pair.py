"""Writes a key pair as `keystone-manage create_jws_keypair` does."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def write_key_pair(directory: str) -> tuple[Path, Path]:
    """Make an ES256 key pair and write `private.pem` (mode 0600) and `public.pem` (0644).

    Args:
        directory: created with mode 0700 if it is missing.

    Returns the paths of the private and the public key.

    Raises:
        FileExistsError: one of the files exists; nothing was changed.
        OSError: a file cannot be written; neither is left behind.
    """
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    place = Path(directory)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    private, public = place / "private.pem", place / "public.pem"
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _write_new(private, pem, 0o600)
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    try:
        _write_new(public, pem, 0o644)
    except OSError:
        private.unlink()
        raise
    return private, public


def _write_new(path: Path, content: bytes, mode: int) -> None:
    # Never readable by others, not even for a moment.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            # The umask limits the mode of os.open(), so the mode is set here.
            os.fchmod(file.fileno(), mode)
    except OSError:
        with contextlib.suppress(OSError):
            path.unlink()
        raise
