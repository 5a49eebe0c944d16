"""The Identity API of a Keystone of worlds, served by gunicorn."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.bundle.keystone_worlds import PUBLIC_ENDPOINT, KeystoneOfWorlds
from tests.support.keystone_site import ADMIN_PASSWORD
from tests.support.wsgi_server import Gunicorn


class ServedWorlds(Gunicorn):
    """Serves what is in the database of a Keystone of worlds.

    Args:
        worlds: whose database and keys it has.
        directory: for its configuration and log.
        options: added to the configuration.
        environ: set for it.

    Attributes:
        configuration_file: of this Keystone; its public endpoint is this server.
    """

    def __init__(
        self,
        worlds: KeystoneOfWorlds,
        directory: Path,
        *,
        options: str = "",
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.configuration_file = directory / "keystone.conf"
        super().__init__(
            ["tests.support.keystone_wsgi:make_application()"],
            log=directory / "keystone.log",
            threads=4,
            ready_path="/v3",
            environ={
                "OS_KEYSTONE_CONFIG_FILES": str(self.configuration_file),
                **(environ or {}),
            },
        )
        text = worlds.configuration_file.read_text()
        self.configuration_file.write_text(text.replace(PUBLIC_ENDPOINT, self.url) + options)

    def write_service_configuration(self, path: Path) -> Path:
        """Write the configuration file of a service that logs in as the administrator."""
        path.write_text(
            f"""\
[keystone_authtoken]
auth_type = password
auth_url = {self.url}/v3
www_authenticate_uri = {self.url}/v3
username = admin
password = {ADMIN_PASSWORD}
user_domain_id = default
project_name = admin
project_domain_id = default
interface = public
"""
        )
        path.chmod(0o600)
        return path
