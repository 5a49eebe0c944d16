"""A WSGI application served by Apache with mod_wsgi, both from the system's packages."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.support.processes import find_free_port
from tests.support.programs import ROOT
from tests.support.wsgi_server import WsgiServer

_PROGRAM = shutil.which("apache2") or "/usr/sbin/apache2"
_MODULES = Path("/usr/lib/apache2/modules")
_PACKAGES = Path(sysconfig.get_path("purelib"))
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

_CONFIGURATION = """\
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
PidFile {directory}/apache.pid
ErrorLog /dev/stderr
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule wsgi_module {modules}/mod_wsgi.so
{account}
WSGISocketPrefix {directory}/socket
WSGIDaemonProcess hosted processes={processes} threads=4 python-path={path}
WSGIProcessGroup hosted
WSGIApplicationGroup {group}
WSGIChunkedRequest On
WSGIScriptAlias /second {directory}/application.wsgi
WSGIScriptAlias / {directory}/application.wsgi
<Directory {directory}>
  Require all granted
</Directory>
"""


def why_not() -> str | None:
    """Say why Apache can't serve here; None: it can."""
    module = _MODULES / "mod_wsgi.so"
    if not (Path(_PROGRAM).exists() and module.exists()):
        return "apache2-bin and libapache2-mod-wsgi-py3 are not installed"
    if f"libpython{_PYTHON}.so".encode() not in module.read_bytes():
        return f"the system's mod_wsgi is for another Python than {_PYTHON}"
    if _needs_mounts() and shutil.which("mount") is None:
        return "the user that Apache changes to can't read what it is to serve"
    return None


def _needs_mounts() -> bool:
    """Whether the repository is in a directory that the user Apache changes to can't enter."""
    return os.geteuid() == 0 and not all(map(_is_open_to_all, (ROOT, _PACKAGES)))


def _is_open_to_all(directory: Path) -> bool:
    return all(path.stat().st_mode & 0o001 for path in (directory, *directory.parents))


@contextlib.contextmanager
def _mounted(directory: Path) -> Iterator[list[Path]]:
    """Offer what Python is to import from; mounted below `directory` where that is needed."""
    sources = [ROOT, _PACKAGES]
    if not _needs_mounts():
        yield sources
        return
    places: list[Path] = []
    try:
        for source in sources:
            place = directory / f"mount-{len(places)}"
            place.mkdir()
            subprocess.run(["mount", "--bind", source, place], check=True, timeout=10)
            places.append(place)
        yield places
    finally:
        for place in places:
            # Lazily: a process of Apache's may be about to end.
            subprocess.run(["umount", "--lazy", place], check=True, timeout=10)
            place.rmdir()


@contextlib.contextmanager
def open_directory() -> Iterator[Path]:
    """Offer a directory that the user Apache runs as can read, and write to in `tmp`."""
    # Not where temporary directories of tests are: those are ours alone.
    directory = Path(tempfile.mkdtemp(prefix="authmw-apache-", dir="/tmp"))
    try:
        directory.chmod(0o755)
        (directory / "tmp").mkdir()
        (directory / "tmp").chmod(0o1777)
        with _mounted(directory) as sources:
            (directory / "path").write_text(":".join(map(str, sources)))
            yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


class Apache(WsgiServer):
    """Apache on a free port, with mod_wsgi in daemon mode; ready once a process answers.

    As root it changes to the user of the system's Apache; mod_wsgi serves nothing as root.

    Args:
        script: Python source that defines `application`. It is served at `/`, and once more,
            as an application of its own, at `/second`.
        directory: from `open_directory`; gets Apache's files, and its log.
        processes: of the daemon, with four threads each.
        in_main_interpreter: whether the application runs there; mod_wsgi's own choice is a
            sub-interpreter for each application.
        environ: set on top of our own environment.
    """

    def __init__(
        self,
        script: str,
        *,
        directory: Path,
        processes: int = 1,
        in_main_interpreter: bool = False,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        port = find_free_port()
        (directory / "application.wsgi").write_text(script)
        configuration = directory / "apache.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                port=port,
                directory=directory,
                modules=_MODULES,
                account="User www-data\nGroup www-data" if os.geteuid() == 0 else "",
                processes=processes,
                path=(directory / "path").read_text(),
                group="%{GLOBAL}" if in_main_interpreter else "%{RESOURCE}",
            )
        )
        environ = {"TMPDIR": str(directory / "tmp"), **(environ or {})}
        command = [_PROGRAM, "-D", "FOREGROUND", "-f", str(configuration)]
        super().__init__(command, port=port, log=directory / "apache.log", environ=environ)
