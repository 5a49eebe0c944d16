"""What is in the directory of a Keystone site: its database on SQLite, its keys, an administrator.

Migrating an empty database takes many seconds of processor time, and the result is always the
same. So a run of the tests makes one site, and each Keystone begins with a copy of it.
"""

from __future__ import annotations

import fcntl
import shutil
from pathlib import Path

from tests.support.programs import run_python

ADMIN_PASSWORD = "made up for tests"

# Of each configuration file of a site; what is in it does not depend on the other options.
CONFIGURATION = """\
[database]
connection = {database_url}
sqlite_synchronous = false
[identity]
password_hash_rounds = 4
[fernet_tokens]
key_repository = {site}/fernet
[fernet_receipts]
key_repository = {site}/receipts
[credential]
key_repository = {site}/credential
[jwt_tokens]
jws_public_key_repository = {site}/jws-public
jws_private_key_repository = {site}/jws-private
"""


def default_database_url(site: Path) -> str:
    """Return the address of the SQLite database in a site's directory."""
    return f"sqlite:///{site}/keystone.db"


def configure(site: Path, database_url: str | None = None) -> str:
    """Return the part of a configuration file that says where the parts of a site are.

    Args:
        site: its directory.
        database_url: as SQLAlchemy has it; the SQLite database in the directory unless given.
    """
    return CONFIGURATION.format(site=site, database_url=database_url or default_database_url(site))


def make_site(site: Path, database_url: str | None = None) -> None:
    """Make a site in an empty directory, and tables in an empty database; see `configure`."""
    for name in ("fernet", "receipts", "credential", "jws-private", "jws-public"):
        (site / name).mkdir(mode=0o700)
    # The commands load the token provider, and that of signed tokens, which is not the default,
    # wants the keys that are to be made.
    configuration_file = site / "setup.conf"
    configuration_file.write_text(configure(site, database_url))
    setup = ["-m", "tests.support.keystone_setup", configuration_file, site, ADMIN_PASSWORD]
    run_python(*setup, timeout=120)
    for name in ("private", "public"):
        (site / f"{name}.pem").rename(site / f"jws-{name}" / f"{name}.pem")


def make_once(site: Path) -> Path:
    """Make a site unless another process has made it or is about to; returns its directory."""
    with site.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not site.exists():
            unfinished = site.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(mode=0o700)
            make_site(unfinished)
            unfinished.rename(site)
    return site


def copy_site(new_site: Path, site: Path) -> None:
    """Begin a site, in a directory that may be there, with a copy of one."""
    shutil.copytree(new_site, site, dirs_exist_ok=True)
