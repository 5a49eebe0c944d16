"""Requires the library `cryptography`, with an error that says what to do if it is missing."""

from __future__ import annotations

import importlib

from authmw.errors import ConfigurationError


def require_cryptography(
    option: str, value: object, *, section: str = "keystone_authtoken"
) -> None:
    """Import `cryptography`, so that a failure shows when the filter is built.

    Its compiled part works in one interpreter of a process only, and mod_wsgi runs an application
    in a sub-interpreter unless it is configured not to.

    Args:
        option: the option that needs it, as written in the configuration file.
        value: what the option was set to; None for a secret.
        section: where the option stands.

    Raises:
        ConfigurationError: it can't be imported; the message says how to change that.
    """
    try:
        importlib.import_module("cryptography.hazmat.primitives.serialization")
    except ImportError as error:
        raise ConfigurationError(
            option,
            value,
            f"this needs the cryptography library, which can't be imported here ({error}). "
            "Install it; under mod_wsgi, run the application in the main interpreter with "
            "'WSGIApplicationGroup %{GLOBAL}'.",
            section=section,
        ) from error
