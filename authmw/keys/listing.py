"""What the content of a key directory means: the rules, without files."""

from __future__ import annotations

import enum
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass

from authmw.errors import KeyRefused, PrivateKeyFound
from authmw.jose.jwk import parse_key_document
from authmw.jose.keys import PublicKey, SkippedKey

ROOT = 0
KEY_FILE_ENDINGS = (".pem", ".pub", ".key", ".crt", ".cer", ".jwk", ".jwks", ".json")
"""Endings of names, in any case, that files with keys in them have, if they have any."""
OTHER_ENDING = f"its name has an ending other than {', '.join(KEY_FILE_ENDINGS)} or none"


class Access(enum.Enum):
    """Who besides root and the service's own user can change a file or directory."""

    PROTECTED = "protected"
    GROUP_WRITABLE = "writable by its group"
    OWNED_BY_ANOTHER = "owned by neither root nor the user that reads it"
    WORLD_WRITABLE = "writable by everyone"
    ANYONES = (
        "owned by neither root nor the user that reads it, in a directory that everyone can write "
        "to"
    )

    @property
    def is_refused(self) -> bool:
        """Whether any account at all can change it, or might have made it."""
        return self in (Access.WORLD_WRITABLE, Access.ANYONES)

    @property
    def is_doubtful(self) -> bool:
        """Whether some other accounts, though not all, can make themselves issuers of tokens.

        That may be meant, as where Keystone's user owns the keys on Keystone's own host: it
        deserves a warning, and is no reason to refuse every token.
        """
        return self in (Access.GROUP_WRITABLE, Access.OWNED_BY_ANOTHER)


def judge_access(mode: int, owner_id: int, *, our_id: int) -> Access:
    """Say who can write, by the mode and owner of a file or directory; the worst counts.

    The sticky bit does not help: it keeps others from removing a key, not from adding one.
    An access control list shows as a group that can write.

    Args:
        mode: `st_mode`.
        owner_id: `st_uid`; an owner may write whatever the mode says, as he can change it.
        our_id: effective user id of the process that reads.
    """
    if mode & stat.S_IWOTH:
        return Access.WORLD_WRITABLE
    if owner_id not in (ROOT, our_id):
        return Access.OWNED_BY_ANOTHER
    return Access.GROUP_WRITABLE if mode & stat.S_IWGRP else Access.PROTECTED


@dataclass(frozen=True, slots=True)
class Flaw:
    """A place on the way to a file or directory where others can lead the way elsewhere."""

    path: str
    access: Access


def is_key_file_name(name: str) -> bool:
    """Tell whether a file of this name is read: its ending is one of keys, or it has none.

    A name is changed by an ending to keep a file out of use (`.bak`, `.disabled`, `~`).
    """
    ending = os.path.splitext(name)[1]
    return ending.lower() in KEY_FILE_ENDINGS if ending else not name.endswith("~")


@dataclass(frozen=True, slots=True)
class KeyFile:
    """One file of the directory, as it was found."""

    name: str
    document: bytes = b""
    modified_ns: int = 0
    """Epoch nanoseconds."""
    access: Access = Access.PROTECTED
    """Of the file, or of the target where it is a symbolic link."""
    flaws: tuple[Flaw, ...] = ()
    """Of the way to the target of a link, beyond the key directory."""
    trouble: str | None = None
    """Why it could not be read, if so."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a directory's files amount to."""

    keys: tuple[PublicKey, ...]
    """The newest file's first: the key that signs today is likely there."""
    skipped: tuple[SkippedKey, ...]
    """What is not used, and why."""
    warnings: tuple[str, ...]
    """What is used and should not stay as it is."""


def judge_files(files: Iterable[KeyFile]) -> Listing:
    """Turn the files of a directory into keys. Nothing is raised: a bad file is skipped."""
    keys: list[PublicKey] = []
    skipped: list[SkippedKey] = []
    warnings: list[str] = []
    for file in sorted(files, key=lambda file: (-file.modified_ns, file.name)):
        if file.trouble is not None:
            skipped.append(SkippedKey(file.name, file.trouble))
            continue
        if file.access.is_refused:
            skipped.append(SkippedKey(file.name, file.access.value))
            continue
        refused = [flaw for flaw in file.flaws if flaw.access.is_refused]
        if refused:
            reason = f"{refused[0].path}, on the way to it, is {refused[0].access.value}"
            skipped.append(SkippedKey(file.name, reason))
            continue
        try:
            parsed = parse_key_document(file.document, file.name)
        except KeyRefused as error:
            is_private = isinstance(error, PrivateKeyFound)
            skipped.append(SkippedKey(file.name, str(error), is_private))
            continue
        if file.access.is_doubtful:
            warnings.append(f"{file.name} is {file.access.value}")
        warnings += [
            f"{flaw.path}, on the way to {file.name}, is {flaw.access.value}" for flaw in file.flaws
        ]
        keys.extend(parsed.keys)
        skipped.extend(parsed.skipped)
    return Listing(tuple(keys), tuple(skipped), tuple(warnings))
