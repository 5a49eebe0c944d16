"""Names in the TUF repository of a centre: roles, targets, files.

The top-level role `targets` delegates only, and each delegation is terminating: `centre` signs
`centre/*`, and the role of a site signs what is under the site's own directory.
"""

from __future__ import annotations

import re
from typing import Final

from authmw.errors import BundleUnreadable

CENTRE: Final = "centre"
"""The delegated role of what concerns every site, and the directory of its targets."""
SITES: Final = "sites"
"""The directory that has one of each site."""
HEAD: Final = "head.json"
"""The last component of a head's target path."""
CENTRE_HEAD: Final = f"{CENTRE}/{HEAD}"
"""The target path of the centre's head."""

METADATA: Final = "metadata"
"""The directory of the repository with the metadata of all roles."""
TARGETS: Final = "targets"
"""The directory of the repository with the targets."""

# A label of the DNS in lower case: no file system and no URL changes it.
_SITE: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# What the centre writes into heads: one directory of its own, and a plain name in it.
_PATH: Final = re.compile(r"[a-z0-9][a-z0-9./-]{0,199}")


def is_site_name(name: str) -> bool:
    """Tell whether a site can have this name: lower-case letters, digits and inner hyphens."""
    return _SITE.fullmatch(name) is not None


def verify_site_name(name: str) -> str:
    """Return the name of a site. Raises BundleUnreadable: no site can have it."""
    if not is_site_name(name):
        raise BundleUnreadable(
            f"{name[:80]!r} is no name of a site: at most 63 lower-case letters, digits and hyphens"
        )
    return name


def site_role(site: str) -> str:
    """Return the delegated role of a site."""
    return f"site.{site}"


def site_directory(site: str) -> str:
    """Return the directory of a site's targets."""
    return f"{SITES}/{site}"


def site_head(site: str) -> str:
    """Return the target path of a site's head."""
    return f"{site_directory(site)}/{HEAD}"


def verify_target_path(path: object, directory: str) -> str:
    """Return a target path that lies in a directory, not below it.

    Raises:
        BundleUnreadable: it is no path, or another role's.
    """
    if not isinstance(path, str) or _PATH.fullmatch(path) is None:
        raise BundleUnreadable("a path of a target is not of our form")
    parent, _, name = path.rpartition("/")
    if parent != directory or not name or ".." in path:
        raise BundleUnreadable(f"the target {path!r} is not in {directory!r}")
    return path
