"""A directory served by Apache, as a site's web server or a CDN would."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.support.processes import ServerProcess, find_free_port, is_listening

_PROGRAM = shutil.which("apache2") or "/usr/sbin/apache2"
_MODULES = Path("/usr/lib/apache2/modules")

_CONFIGURATION = """\
ServerName 127.0.0.1
Listen {host}:{port}
PidFile {directory}/apache.pid
ErrorLog /dev/stderr
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
{account}
StartServers 2
ThreadsPerChild 64
MaxRequestWorkers 512
ServerLimit 8
AsyncRequestWorkerFactor 16
KeepAlive On
KeepAliveTimeout 300
MaxKeepAliveRequests 0
DocumentRoot {served}
<Directory {served}>
  Require all granted
</Directory>
"""


class StaticFiles(ServerProcess):
    """Apache on a free port; a file has an ETag.

    Args:
        directory: for its configuration and log.
        served: with the files. As root it is served by the user of the system's Apache, who has
            to be able to read it.
        host: where it listens.

    Attributes:
        url: of the directory.
    """

    def __init__(self, directory: Path, served: Path, *, host: str = "127.0.0.1") -> None:
        port = find_free_port()
        self.url = f"http://{host}:{port}"
        configuration = directory / "apache.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                host=host,
                port=port,
                directory=directory,
                modules=_MODULES,
                account="User www-data\nGroup www-data" if os.geteuid() == 0 else "",
                served=served,
            )
        )
        super().__init__(
            [_PROGRAM, "-D", "FOREGROUND", "-f", str(configuration)],
            is_ready=lambda: is_listening(port),
            log=directory / "apache.log",
        )

    @staticmethod
    def why_not() -> str | None:
        """Say why Apache can't serve here; None: it can."""
        return None if Path(_PROGRAM).exists() else "apache2-bin is not installed"
