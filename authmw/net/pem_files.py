"""Loads the PEM files that TLS options name; a file at fault is named together with its option."""

from __future__ import annotations

import os
import re
import ssl
from pathlib import Path
from typing import NoReturn

from authmw.errors import ConfigurationError

# How OpenSSL finds an authority in a directory: a hash of its name (`openssl rehash`).
_HASHED_NAME = re.compile(r"[0-9a-f]{8}\.[0-9]+", re.ASCII)
_ENCRYPTED = (
    "its private key is encrypted, and a service can't ask for the passphrase: write the key "
    "without one (openssl pkey -in FILE -out FILE), readable for the service alone"
)


def load_authorities(context: ssl.SSLContext, option: str, path: str) -> None:
    """Make a context trust the authorities in a PEM file, or in a directory of hashed names.

    Raises ConfigurationError that names the option if no authority can be read there.
    """
    try:
        if os.path.isdir(path):
            if not any(_HASHED_NAME.fullmatch(name) for name in os.listdir(path)):
                raise ConfigurationError(
                    option, path, "name a PEM file, or run `openssl rehash` on this directory"
                )
            context.load_verify_locations(capath=path)
            return
        # Read here, as the errors of OpenSSL don't say whether there is a file.
        text = Path(path).read_bytes()
        if b"-----BEGIN" not in text:
            raise ConfigurationError(
                option, path, "name a PEM file of authorities: there is no certificate in this one"
            )
        context.load_verify_locations(cafile=path)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            option, path, f"name a readable PEM file of authorities ({error})"
        ) from error


def load_certificate(
    context: ssl.SSLContext,
    *,
    certificate_option: str,
    certfile: str,
    key_option: str,
    keyfile: str | None,
) -> None:
    """Make a context present a certificate; its key is in `keyfile`, else in `certfile`.

    OpenSSL never asks for a passphrase. Raises ConfigurationError that names the option whose
    file can't be used.
    """
    for option, path in ((certificate_option, certfile), (key_option, keyfile)):
        try:
            if path is not None:
                Path(path).read_bytes()
        except (OSError, ValueError) as error:
            raise ConfigurationError(option, path, f"name a readable PEM file ({error})") from error
    try:
        load_unencrypted(context, certfile, keyfile)
    except EncryptedKeyError:
        option, path = (certificate_option, certfile) if keyfile is None else (key_option, keyfile)
        raise ConfigurationError(option, path, _ENCRYPTED) from None
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            certificate_option,
            certfile,
            f"name a PEM file with the certificate, and its unencrypted key in it or in "
            f"{key_option} ({error})",
        ) from error


class EncryptedKeyError(ssl.SSLError):
    """A private key is encrypted, and a service can't ask for the passphrase.

    It is here and not in `authmw.errors`, which does not load OpenSSL. The libraries between
    socket and client treat it as a failure of TLS.
    """

    def __init__(self) -> None:
        super().__init__(_ENCRYPTED)

    def __str__(self) -> str:
        return _ENCRYPTED


def load_unencrypted(context: ssl.SSLContext, certfile: str, keyfile: str | None) -> None:
    """Load a certificate as `SSLContext.load_cert_chain` does, without asking at the terminal.

    Raises EncryptedKeyError where it would ask.
    """
    ssl.SSLContext.load_cert_chain(context, certfile, keyfile, _refuse_passphrase)


def _refuse_passphrase() -> NoReturn:
    """Stand in for OpenSSL's own question, which waits at the terminal."""
    raise EncryptedKeyError


def has_system_authorities() -> bool:
    """Tell whether OpenSSL's default store, which SSL_CERT_FILE can replace, has any authority."""
    paths = ssl.get_default_verify_paths()
    try:
        if paths.cafile is not None and os.path.getsize(paths.cafile) > 0:
            return True
        return paths.capath is not None and any(
            _HASHED_NAME.fullmatch(name) for name in os.listdir(paths.capath)
        )
    except OSError:
        return False
