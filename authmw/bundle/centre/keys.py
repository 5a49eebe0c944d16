"""Keys of roles: files, encrypted or not, and PKCS#11."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from securesystemslib.exceptions import UnsupportedLibraryError
from securesystemslib.signer import CryptoSigner, HSMSigner, Signer, SSlibKey
from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import Metadata

from authmw.bundle.centre.settings import CentreSettings
from authmw.errors import KeysUnavailable

_LARGEST: Final = 1 << 20
HSM: Final = "hsm:"
NEXT: Final = ".next"
"""Ends the name of a file with the key that a rotation puts in the place of the file."""
PREVIOUS: Final = ".previous"
"""Ends the name of a file with the key that a rotation has replaced."""
RECORDED: Final = "keys.json"
"""The file of the state with the public keys by their names."""

Secrets = Callable[[str], str]
"""Returns the secret of that name (a passphrase, a PIN); raises KeysUnavailable."""


@dataclass(frozen=True, slots=True)
class LoadedKey:
    """One key as it was found.

    Attributes:
        name: as CENTRE.toml has it.
        key: the public key.
        signer: signs with the private one; None: only the public one is here.
    """

    name: str
    key: SSlibKey
    signer: Signer | None


def load_key(name: str, secrets: Secrets) -> LoadedKey | None:
    """Load a key.

    Args:
        name: the path of a PEM file (PKCS #8, or a public key), or `hsm:ID?label=TOKEN`.
        secrets: asked for the passphrase of an encrypted file, or a PIN.

    Returns:
        None: there is no such file.

    Raises:
        KeysUnavailable: it is there, and can't be used; says why.
    """
    try:
        return _load_hsm(name, secrets) if name.startswith(HSM) else _load_file(name, secrets)
    except (ValueError, TypeError, OSError, UnsupportedAlgorithm, UnsupportedLibraryError) as error:
        raise KeysUnavailable(f"the key {name} can't be used: {error}") from error


def _load_file(name: str, secrets: Secrets) -> LoadedKey | None:
    try:
        with open(name, "rb") as file:
            status = os.fstat(file.fileno())
            pem = file.read(_LARGEST)
    except FileNotFoundError:
        return None
    if b"PRIVATE KEY" not in pem:
        return LoadedKey(name, SSlibKey.from_crypto(load_pem_public_key(pem)), None)
    _verify_private(status, f"the key {name}")
    try:
        private = load_pem_private_key(pem, None)
    except TypeError:
        # It is encrypted.
        private = load_pem_private_key(pem, secrets(f"passphrase of {name}").encode())
    signer = CryptoSigner(private)
    return LoadedKey(name, signer.public_key, signer)


def _verify_private(status: os.stat_result, what: str) -> None:
    """Refuse a file, given its status, that others than its owner may read or write."""
    if stat.S_ISREG(status.st_mode) and stat.S_IMODE(status.st_mode) & 0o077:
        raise KeysUnavailable(f"{what} can be read by others than its owner: chmod 600")


def _load_hsm(name: str, secrets: Secrets) -> LoadedKey:
    parts = urlsplit(name)
    number = int(parts.path) if parts.path else None
    label = dict(parse_qsl(parts.query)).get("label")
    uri, key = HSMSigner.import_(number, label, lambda _: secrets("PIN"))
    return LoadedKey(name, key, Signer.from_priv_key_uri(uri, key, lambda _: secrets("PIN")))


def sign_with(metadata: Metadata[Any], signer: Signer) -> None:
    """Add a signature to metadata.

    Raises:
        KeysUnavailable: the key can't sign; says why.
    """
    try:
        metadata.sign(signer, append=True)
    except UnsignedMetadataError as error:
        # The library has one error for whatever a module, or the reading of a PIN, raises.
        why = error.__cause__
        if isinstance(why, KeysUnavailable):
            raise why from None
        raise KeysUnavailable(f"the key {signer.public_key.keyid} can't sign: {why}") from error


def generate_key(path: Path) -> None:
    """Write a new Ed25519 key to a file, mode 0600.

    Raises:
        FileExistsError: there is one.
        OSError: it can't be written.
    """
    pem = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Never readable by others, and never half there.
    new = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(pem)
            os.fsync(file.fileno())
        os.link(new, path)
    finally:
        new.unlink()


def secrets_of(passphrase_file: Path | None, pin_file: Path | None) -> Secrets:
    """Return what reads secrets from files."""

    def read(what: str) -> str:
        is_pin = what == "PIN"
        path = pin_file if is_pin else passphrase_file
        if path is None:
            option = "[pkcs11] pin_file" if is_pin else "[centre] passphrase_file"
            raise KeysUnavailable(f"the {what} is needed: name a file that has it, by {option}")
        try:
            with open(path) as file:
                _verify_private(os.fstat(file.fileno()), f"the {what} in {path}")
                return file.read(_LARGEST).splitlines()[0]
        except (OSError, IndexError, UnicodeDecodeError) as error:
            raise KeysUnavailable(f"the {what} can't be read from {path}") from error

    return read


class KeyRing:
    """Finds the keys of roles by their names in CENTRE.toml.

    Args:
        settings: of the centre.
        secrets: see `load_key`.
    """

    def __init__(self, settings: CentreSettings, secrets: Secrets | None = None) -> None:
        self._settings = settings
        self._secrets = secrets or secrets_of(settings.passphrase_file, settings.pin_file)
        if settings.pkcs11_module is not None:
            # The only way to tell the library.
            os.environ["PYKCS11LIB"] = str(settings.pkcs11_module)
        self.recorded = self._read_recorded()
        self._names = {key.keyid: name for name, key in self.recorded.items()}

    def _read_recorded(self) -> dict[str, SSlibKey]:
        try:
            encoded = (self._settings.state / RECORDED).read_bytes()
        except FileNotFoundError:
            return {}
        found: dict[str, dict[str, Any]] = json.loads(encoded)
        return {name: SSlibKey.from_dict(key.pop("keyid"), key) for name, key in found.items()}

    def dump_recorded(self) -> bytes:
        """Return the JSON of `recorded`."""
        members = {name: {"keyid": k.keyid, **k.to_dict()} for name, k in self.recorded.items()}
        return json.dumps(members, sort_keys=True, indent=1).encode()

    def load(self, name: str) -> LoadedKey | None:
        """Load a key; see `load_key`."""
        return load_key(name, self._secrets)

    def signers(self, role: str, keyids: Iterable[str]) -> list[Signer]:
        """Return the signers that are at hand of a role's keys in force.

        Raises:
            KeysUnavailable: a key is there, and can't be used.
        """
        wanted, found = set(keyids), dict[str, Signer]()
        for name in self._candidates(role, wanted):
            loaded = self.load(name)
            if loaded is not None and loaded.signer is not None and loaded.key.keyid in wanted:
                found[loaded.key.keyid] = loaded.signer
        return list(found.values())

    def _candidates(self, role: str, keyids: set[str]) -> list[str]:
        try:
            names = list(self._settings.role(role).keys)
        except KeyError:
            # A site that was removed.
            names = []
        names += [self._names[each] for each in sorted(keyids) if each in self._names]
        # A rotation renames files after it was sent.
        files = [name for name in names if not name.startswith(HSM)]
        names += [f"{name}{suffix}" for suffix in (NEXT, PREVIOUS) for name in files]
        return list(dict.fromkeys(names))
