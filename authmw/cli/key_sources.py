"""Reads the keys for a command: those of a directory, or those of a service's configuration."""

from __future__ import annotations

import argparse
import logging
import time
from typing import Any

from oslo_config import cfg

from authmw.build.offline import make_key_readers
from authmw.config.loading import load_settings
from authmw.config.settings import KEY_SOURCES, Settings
from authmw.errors import ConfigurationError, KeysUnavailable, KeysUnreadable
from authmw.keys.source import FoundKeys, KeyReader


def add_key_source_arguments(
    parser: argparse.ArgumentParser, directory: str, **options: Any
) -> None:
    """Declare the arguments that name keys: a directory, or a service's configuration file.

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


def read_settings(directory: str | None, config_file: str | None) -> Settings:
    """Read the settings of a service.

    Args:
        directory: of public keys; the settings are then the defaults.
        config_file: of a service; used if no directory is given.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    # Log messages are for operators of a service; they would mix with the command's output.
    logging.getLogger("authmw").addHandler(logging.NullHandler())
    if directory is not None:
        return load_settings(
            {"oslo_config_config": cfg.ConfigOpts(), "jws_public_key_repository": directory}
        )
    return load_settings({"oslo_config_project": "authmw", "oslo_config_file": config_file})


def read_keys(settings: Settings) -> FoundKeys:
    """Read the keys of Keystone's tokens.

    Raises:
        ConfigurationError: no keys are named.
        KeysUnavailable: the directory or URI cannot be read.
    """
    if not settings.has_key_source:
        raise ConfigurationError(
            KEY_SOURCES[0],
            None,
            f"set {' or '.join(KEY_SOURCES)}: there are no keys to look at",
        )
    return _join([read_source(reader) for reader in make_key_readers(settings)])


def read_source(reader: KeyReader) -> FoundKeys:
    """Read one source; raises KeysUnavailable."""
    try:
        return reader.read(time.time())
    except KeysUnreadable as error:
        raise KeysUnavailable(f"{reader.location}: {error}") from error


def _join(found: list[FoundKeys]) -> FoundKeys:
    return FoundKeys(
        tuple(key for one in found for key in one.keys),
        tuple(skipped for one in found for skipped in one.skipped),
        tuple(warning for one in found for warning in one.warnings),
    )
