"""Reads the facts of a bundle from Keystone's SQL database.

Needs SQLAlchemy (the extra `bundle`) and the database's driver.
"""

from authmw.bundle.keystone_configuration import Configuration
from authmw.bundle.keystone_sql.snapshot import KeystoneDatabase, Snapshot

__all__ = ["Configuration", "KeystoneDatabase", "Snapshot"]
