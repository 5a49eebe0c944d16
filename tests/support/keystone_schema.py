"""Makes empty databases with the schemas of releases of Keystone: a program.

Run with, for each, an SQLite URL and the revisions (alembic) to upgrade to, joined by commas.
"""

from __future__ import annotations

import sys


def make_schema(url: str, revisions: list[str]) -> None:
    """Upgrade an empty database to each of these revisions."""
    import keystone.conf
    from alembic import command
    from keystone.common.sql import upgrades
    from oslo_db import options

    keystone.conf.configure()
    options.set_defaults(keystone.conf.CONF, connection=url)
    configuration = upgrades.get_alembic_config()
    configuration.set_main_option("sqlalchemy.url", url)
    for revision in revisions:
        command.upgrade(configuration, revision)


if __name__ == "__main__":
    for place, heads in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
        make_schema(place, heads.split(","))
