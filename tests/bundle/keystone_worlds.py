"""A Keystone that builds worlds on demand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

from authmw.bundle.keystone_sql import Configuration
from tests.support.keystone_site import (
    ADMIN_PASSWORD,
    configure,
    copy_site,
    default_database_url,
    make_site,
)
from tests.support.programs import ROOT

PUBLIC_ENDPOINT = "https://id.example:5000"

_CONFIGURATION = """\
[DEFAULT]
public_endpoint = {public_endpoint}
log_file = {site}/keystone.log
[cache]
enabled = true
backend = dogpile.cache.memory
[token]
provider = jws
# A token of a world is judged once, so that nothing that was remembered is compared.
cache_on_issue = false
[catalog]
driver = sql
[resource]
admin_project_name = admin
admin_project_domain_name = Default
[security_compliance]
password_expires_days = 30
"""

# What that configuration means for a bundle.
CONFIGURATION = Configuration(
    {
        "admin_project": {"name": "admin", "domain_name": "Default"},
        "url_substitutions": {"public_endpoint": PUBLIC_ENDPOINT},
    }
)


class KeystoneOfWorlds:
    """A Keystone site and the process that builds worlds in it; see `keystone_world_builder`.

    Args:
        site: its directory.
        new_site: what it begins as, with its database in SQLite.
        database_url: of an empty database instead, as SQLAlchemy has it.

    Attributes:
        configuration_file: of Keystone.
    """

    def __init__(
        self, site: Path, *, new_site: Path | None = None, database_url: str | None = None
    ) -> None:
        self._site = site
        if new_site is not None:
            copy_site(new_site, site)
        else:
            make_site(site, database_url)
        self.database_url = database_url or default_database_url(site)
        self.configuration_file = self._configure()
        with (site / "builder.log").open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.keystone_world_builder", ADMIN_PASSWORD],
                cwd=ROOT,
                env={**os.environ, "OS_KEYSTONE_CONFIG_FILES": str(self.configuration_file)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._read() == "ready"

    @property
    def public_keys(self) -> Path:
        """The directory with the public key of what it signs."""
        return self._site / "jws-public"

    @property
    def private_key(self) -> Path:
        """The key of what it signs."""
        return self._site / "jws-private" / "private.pem"

    def _configure(self) -> Path:
        path = self._site / "keystone.conf"
        path.write_text(
            _CONFIGURATION.format(site=self._site, public_endpoint=PUBLIC_ENDPOINT)
            + configure(self._site, self.database_url)
        )
        return path

    def build(self, world: dict[str, Any]) -> dict[str, Any]:
        """Build a world; returns what `WorldBuilder.build` does."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{json.dumps(world)}\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise AssertionError(self._log_tail()) from error
        return cast(dict[str, Any], self._read())

    def _read(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, self._log_tail()
        return json.loads(line)

    def _log_tail(self) -> str:
        # An exception that nobody catches is logged.
        return (self._site / "keystone.log").read_text()[-5000:]

    def stop(self) -> None:
        """Stop the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()
