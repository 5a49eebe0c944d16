"""A Keystone that builds worlds on demand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

from authmw.bundle.keystone_sql import Configuration
from tests.support.programs import ROOT

ADMIN_PASSWORD = "made up for tests of bundles"
PUBLIC_ENDPOINT = "https://id.example:5000"

_CONFIGURATION = """\
[DEFAULT]
public_endpoint = {public_endpoint}
log_file = {site}/keystone.log
[database]
connection = {database_url}
sqlite_synchronous = false
[cache]
enabled = true
backend = dogpile.cache.memory
[token]
provider = {provider}
# A token of a world is judged once, so that nothing that was remembered is compared.
cache_on_issue = false
[catalog]
driver = sql
[identity]
password_hash_rounds = 4
[resource]
admin_project_name = admin
admin_project_domain_name = Default
[security_compliance]
password_expires_days = 30
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
        database_url: of an empty database, as SQLAlchemy has it; one in SQLite unless given.

    Attributes:
        configuration_file: of Keystone.
    """

    def __init__(self, site: Path, database_url: str | None = None) -> None:
        self._site = site
        self.database_url = database_url or f"sqlite:///{site}/keystone.db"
        self._set_up()
        with (site / "builder.log").open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.keystone_world_builder", ADMIN_PASSWORD],
                cwd=ROOT,
                env={**os.environ, "OS_KEYSTONE_CONFIG_FILES": str(self._configure("jws"))},
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

    def _configure(self, provider: str) -> Path:
        path = self._site / f"{provider}.conf"
        path.write_text(
            _CONFIGURATION.format(
                site=self._site,
                database_url=self.database_url,
                provider=provider,
                public_endpoint=PUBLIC_ENDPOINT,
            )
        )
        self.configuration_file = path
        return path

    def _set_up(self) -> None:
        for name in ("fernet", "receipts", "credential", "jws-private", "jws-public", "pair"):
            (self._site / name).mkdir(mode=0o700)
        # The provider of signed tokens wants the keys that are still to be made.
        arguments = [str(self._configure("fernet")), str(self._site / "pair"), ADMIN_PASSWORD]
        finished = subprocess.run(
            [sys.executable, "-m", "tests.support.keystone_setup", *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert finished.returncode == 0, finished.stdout[-5000:]
        for name in ("private", "public"):
            (self._site / "pair" / f"{name}.pem").rename(self._site / f"jws-{name}" / f"{name}.pem")

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
