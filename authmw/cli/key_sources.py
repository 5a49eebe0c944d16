"""Which keys a command looks at: those of a directory, or those a service would use."""

from __future__ import annotations

import argparse
import logging
from typing import Any

from oslo_config import cfg

from authmw.config.loading import load_settings
from authmw.config.settings import Settings
from authmw.errors import (
    ConfigurationError,
    DirectoryRefused,
    IdentityUnavailable,
    KeyRefused,
    KeysUnavailable,
)
from authmw.identity.documents import DocumentFetcher
from authmw.keys.directory import read_directory
from authmw.keys.jwks_uri import ACCEPT, parse_answer
from authmw.keys.listing import Listing


def add_key_source_arguments(
    parser: argparse.ArgumentParser, directory: str, **options: Any
) -> None:
    """Declare how keys are named: a directory, or a service's configuration file.

    Args:
        parser: gets the arguments.
        directory: name of the argument for the directory.
        options: for that argument.
    """
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument(
        directory, help="of public keys, as jws_public_key_repository names one", **options
    )
    group.add_argument(
        "--config-file",
        metavar="FILE",
        help="a service's configuration file, whose [keystone_authtoken] names keys and rules",
    )


def read_keys(directory: str | None, config_file: str | None) -> tuple[Listing, Settings]:
    """Read the keys, and the rules that go with them.

    Args:
        directory: of public keys; the rules are then the defaults.
        config_file: of a service, where no directory is given.

    Raises:
        ConfigurationError: the file can't be read, or names no keys.
        KeysUnavailable: the directory or URI can't be read.
    """
    # What the log says to whoever runs a service is no answer to this question.
    logging.getLogger("authmw").addHandler(logging.NullHandler())
    if directory is not None:
        settings = load_settings(
            {"oslo_config_config": cfg.ConfigOpts(), "jws_public_key_repository": directory}
        )
    else:
        settings = load_settings({"oslo_config_project": "authmw", "oslo_config_file": config_file})
    if not settings.has_key_source:
        raise ConfigurationError(
            "jws_public_key_repository",
            None,
            "set it or jws_jwks_uri: there are no keys to look at",
        )
    listings = []
    if settings.jws_public_key_repository is not None:
        listings.append(_read_repository(settings.jws_public_key_repository))
    if settings.jws_jwks_uri is not None:
        listings.append(_fetch(settings, settings.jws_jwks_uri))
    return _join(listings), settings


def _read_repository(path: str) -> Listing:
    try:
        return read_directory(path)
    except DirectoryRefused as error:
        raise KeysUnavailable(f"{path} can't be used: {error}") from error
    except OSError as error:
        raise KeysUnavailable(f"{path} can't be read: {error.strerror}") from error


def _fetch(settings: Settings, uri: str) -> Listing:
    try:
        parsed = parse_answer(DocumentFetcher(settings)(uri, ACCEPT), uri)
    except (OSError, IdentityUnavailable) as error:
        raise KeysUnavailable(f"{uri} gives no answer ({error})") from error
    except KeyRefused as error:
        raise KeysUnavailable(f"{uri} can't be used: {error}") from error
    return Listing(parsed.keys, parsed.skipped, ())


def _join(listings: list[Listing]) -> Listing:
    return Listing(
        tuple(key for listing in listings for key in listing.keys),
        tuple(skipped for listing in listings for skipped in listing.skipped),
        tuple(warning for listing in listings for warning in listing.warnings),
    )
