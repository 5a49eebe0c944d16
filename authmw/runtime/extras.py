"""Packages that come with an extra of authmw, not with authmw itself."""

from __future__ import annotations

import importlib.util


def is_installed(module: str) -> bool:
    """Return whether a module can be imported; of what is above it, `__init__` runs."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of its package
        return False


def how_to_install(extra: str) -> str:
    """Return what to do where the packages of an extra are missing, for an error message.

    authmw is installed from a clone or from a wheel, so the command names a place.
    """
    return f"install authmw with its extra: pip install 'path/to/authmw[{extra}]'"
