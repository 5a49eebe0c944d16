"""The rules for the files of a key directory, without I/O: their names, access and keys."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from authmw.errors import KeyRefused, PrivateKeyFound
from authmw.jose.key_document import parse_key_document
from authmw.jose.public_key import PublicKey, SkippedKey
from authmw.keys.source import FoundKeys
from authmw.keys.write_access import UnsafeComponent, WriteAccess, printable

KEY_FILE_ENDINGS = (".pem", ".pub", ".key", ".crt", ".cer", ".jwk", ".jwks", ".json")
"""Endings of the names of key files, in any case; a name without an ending will do too."""
OTHER_ENDING = f"its name has an ending other than {', '.join(KEY_FILE_ENDINGS)} or none"


def is_key_file_name(name: str) -> bool:
    """Tell whether a file of this name is read: its ending is one of keys, or it has none.

    Operators add another ending to take a file out of use (`.bak`, `.disabled`, `~`).
    """
    ending = os.path.splitext(name)[1]
    return ending.lower() in KEY_FILE_ENDINGS if ending else not name.endswith("~")


@dataclass(frozen=True, slots=True)
class KeyFile:
    """One file of a key directory."""

    name: str
    document: bytes = b""
    modified_ns: int = 0
    """Epoch nanoseconds."""
    access: WriteAccess = WriteAccess.PROTECTED
    """To the file, or to the target if it is a symbolic link."""
    unsafe_components: tuple[UnsafeComponent, ...] = ()
    """Of the path to a symbolic link's target, outside the key directory."""
    error: str | None = None
    """Why it could not be read."""


def parse_key_files(files: Iterable[KeyFile], *, fresh_seconds: float) -> FoundKeys:
    """Parse the files of a key directory; a faulty file is skipped, nothing is raised.

    The keys of the newest file come first, since the key that signs today is likely there.
    """
    keys: list[PublicKey] = []
    skipped: list[SkippedKey] = []
    warnings: list[str] = []
    for file in sorted(files, key=lambda file: (-file.modified_ns, file.name)):
        name = printable(file.name)
        reason = _find_reason_to_skip(file)
        if reason is not None:
            skipped.append(SkippedKey(name, reason))
            continue
        try:
            parsed = parse_key_document(file.document, name)
        except KeyRefused as error:
            skipped.append(SkippedKey(name, str(error), isinstance(error, PrivateKeyFound)))
            continue
        if file.access.is_doubtful:
            warnings.append(f"{name} is {file.access.value}")
        warnings += [component.describe(name) for component in file.unsafe_components]
        keys += parsed.keys
        skipped += parsed.skipped
    return FoundKeys(tuple(keys), tuple(skipped), tuple(warnings), fresh_seconds)


def _find_reason_to_skip(file: KeyFile) -> str | None:
    if file.error is not None:
        return file.error
    if file.access.is_refused:
        return file.access.value
    for component in file.unsafe_components:
        if component.access.is_refused:
            return component.describe("it")
    return None
