"""What is doubtful around a filter when it is built: the server, and its key directories."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from authmw.config.findings import Finding
from authmw.config.settings import Settings, Validation

# From this version on threads always run.
_UWSGI_WITH_THREADS: Final = (2, 0, 27)


class CountedKeys(NamedTuple):
    """What is in one key directory.

    Attributes:
        number: of public keys.
        error: why none can be used; None: some can.
    """

    number: int
    error: str | None


def count_keys(settings: Settings) -> dict[str, CountedKeys]:
    """Read the key directories of a filter; returns what is in each, by its path.

    Raises:
        ConfigurationError: signatures can't be verified here.
    """
    return {
        directory: _count_keys(section, option, directory)
        for section, option, directory in list_key_directories(settings)
    }


def find_in_surroundings(settings: Settings, keys: Mapping[str, CountedKeys]) -> Iterator[Finding]:
    """Yield what is doubtful about the server, the key directories and the bundle.

    Nothing is sent.

    Args:
        settings: of the filter.
        keys: of `count_keys`.
    """
    yield from _find_stopped_threads()
    yield from _find_unusable_bundle(settings)
    for section, option, directory in list_key_directories(settings):
        error = keys[directory].error
        if error is not None:
            yield Finding(
                "warn",
                option,
                f"{option} = {directory!r} {error}: until it can be used, signed tokens get 503",
                "name a directory with public keys that this service may read, and that others "
                "may not write to",
                section,
            )


def _find_stopped_threads() -> Iterator[Finding]:
    # uWSGI makes this module for the applications that it runs.
    uwsgi = sys.modules.get("uwsgi")
    if getattr(uwsgi, "has_threads", True) or _version_of(uwsgi) >= _UWSGI_WITH_THREADS:
        return
    yield Finding(
        "warn",
        None,
        "uWSGI runs no threads: keys, revocation events and outages are looked at by requests, "
        "which wait meanwhile",
        "start uWSGI with enable-threads = true",
    )


def _find_unusable_bundle(settings: Settings) -> Iterator[Finding]:
    path = settings.bundle_path
    if path is None or not settings.uses_bundle:
        return
    # Imported here: without a bundle nothing of it is loaded.
    from authmw.build.bundle import find_fault

    fault = find_fault(path)
    if fault is not None:
        yield Finding(
            "warn",
            "bundle_path",
            f"bundle_path = {path!r} can't be used: {fault}: until it can, what only the bundle "
            "could say is a 503",
            "put a bundle there that this service may read, and others may not write to",
        )


def _version_of(uwsgi: object) -> tuple[int, ...]:
    text = getattr(uwsgi, "version", b"")
    parts = (text.decode(errors="replace") if isinstance(text, bytes) else str(text)).split(".")
    return tuple(int(part) if part.isascii() and part.isdigit() else 0 for part in parts)


def list_key_directories(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Yield section, option and path of each."""
    directory = settings.jws_public_key_repository
    if directory is not None and settings.token_validation is not Validation.REMOTE:
        yield "keystone_authtoken", "jws_public_key_repository", directory
    for issuer in settings.issuers:
        if issuer.public_key_repository is not None:
            yield issuer.section, "public_key_repository", issuer.public_key_repository


def _count_keys(section: str, option: str, directory: str) -> CountedKeys:
    # Imported here: it loads what verifies signatures, which fails in a sub-interpreter.
    from authmw.errors import KeysUnreadable
    from authmw.keys.cryptography_needed import require_cryptography

    require_cryptography(option, directory, section=section)
    from authmw.keys.directory import KeyDirectory
    from authmw.runtime.clock import wall_clock

    try:
        count = len(KeyDirectory(directory).read(wall_clock()).keys)
    except KeysUnreadable as error:
        return CountedKeys(0, str(error))
    return CountedKeys(count, None if count else "holds no public key")
