"""Who can write to a bundle's file: whoever can gives roles to anyone."""

from __future__ import annotations

import os

from authmw.errors import BundleUnreadable
from authmw.keys.mounts import Mounts
from authmw.keys.path_access import PathResolver
from authmw.keys.write_access import WriteAccess, printable


def judge_file(path: str) -> list[str]:
    """Judge a file and all that leads to it, by the rules for public keys (ADR 0022).

    Returns:
        warnings: accounts other than root and our own can change it.

    Raises:
        BundleUnreadable: every account can.
        OSError: it can't be looked at.
    """
    resolver = PathResolver(os.geteuid(), Mounts())
    resolved = resolver.resolve(path, "/" if path.startswith("/") else os.getcwd())
    access = resolver.find_access(resolved.path, resolved.status)
    if access.is_refused:
        raise BundleUnreadable(f"it is {access.value}: anyone could grant roles; chmod o-w")
    warnings = [f"it is {access.value}"] if access.is_doubtful else []
    for component in resolved.unsafe_components:
        if component.access.is_refused:
            is_writable = component.access is WriteAccess.WORLD_WRITABLE
            fix = "chmod o-w" if is_writable else "chown -h root"
            raise BundleUnreadable(
                f"{component.describe('it')}: anyone could put another file in its place; "
                f"{fix} {printable(component.path)}"
            )
        warnings.append(component.describe("it"))
    return warnings
