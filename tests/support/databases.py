"""Real PostgreSQL and MariaDB servers, each with its data in a directory of its own.

They listen on a socket in that directory alone, and run as the users of their Debian packages,
since PostgreSQL refuses to run as root. `.ci/need databases` installs them.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from sqlalchemy import create_engine, text

from tests.support.processes import ServerProcess, find_free_port

# Debian does not put them on the path.
_POSTGRESQL_PROGRAMS = "/usr/lib/postgresql/*/bin"


def _as_user(name: str) -> list[str]:
    """Return what to put before a command, so that it runs as an unprivileged user."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", f"--reuid={name}", f"--regid={name}", "--clear-groups", "--"]


def _make_directory(parent: Path, name: str, owner: str) -> Path:
    """Make a directory that the server's user owns and can reach."""
    directory = parent / name
    directory.mkdir()
    if os.geteuid() == 0:
        user = pwd.getpwnam(owner)
        os.chown(directory, user.pw_uid, user.pw_gid)
        # A temporary directory is for its owner alone.
        parent.chmod(0o711)
    return directory


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


class PostgreSQL(ServerProcess):
    """PostgreSQL without passwords.

    Args:
        directory: for its data; its path is short, as that of a socket has to be.
    """

    def __init__(self, directory: Path) -> None:
        self._sockets = _make_directory(directory, "postgresql", "postgres")
        self._port = find_free_port()
        data = self._sockets / "data"
        initialize = [
            *_as_user("postgres"),
            str(find_postgresql("initdb")),
            f"--pgdata={data}",
            "--username=keystone",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]
        subprocess.run(initialize, check=True, capture_output=True, timeout=120)
        super().__init__(
            [
                *_as_user("postgres"),
                str(find_postgresql("postgres")),
                f"-D{data}",
                f"-k{self._sockets}",
                f"-p{self._port}",
                "-clisten_addresses=",
                "-cfsync=off",
            ],
            is_ready=self._is_ready_for_queries,
            log=directory / "postgresql.log",
            # A fast shutdown: it waits for nobody.
            stop_signal=signal.SIGINT,
        )

    def _is_ready_for_queries(self) -> bool:
        if not _answers(self._sockets / f".s.PGSQL.{self._port}"):
            return False
        command = [str(find_postgresql("pg_isready")), f"-h{self._sockets}", f"-p{self._port}"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def create_database(self, name: str) -> str:
        """Make an empty database; returns its URL."""
        engine = create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return self._url(name)

    def _url(self, name: str) -> str:
        return f"postgresql+psycopg://keystone@/{name}?host={self._sockets}&port={self._port}"


class MariaDB(ServerProcess):
    """MariaDB without passwords."""

    def __init__(self, directory: Path) -> None:
        data = _make_directory(directory, "mariadb", "mysql")
        self._socket = data / "s"
        install = ["mariadb-install-db", "--no-defaults", f"--datadir={data / 'data'}"]
        options = ["--auth-root-authentication-method=normal", "--skip-test-db"]
        subprocess.run(
            [*_as_user("mysql"), *install, *options],
            check=True,
            capture_output=True,
            env={**os.environ, "TMPDIR": str(data)},
            timeout=120,
        )
        super().__init__(
            [
                *_as_user("mysql"),
                str(find_mariadb()),
                "--no-defaults",
                f"--datadir={data / 'data'}",
                f"--socket={self._socket}",
                f"--pid-file={data / 'pid'}",
                "--skip-networking",
                "--innodb-flush-log-at-trx-commit=0",
            ],
            is_ready=lambda: _answers(self._socket),
            log=directory / "mariadb.log",
            environ={"TMPDIR": str(data)},
            stop_signal=signal.SIGKILL,
        )

    def create_database(self, name: str) -> str:
        """Make an empty database; returns its URL."""
        engine = create_engine(self._url(""))
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} CHARACTER SET utf8mb4"))
        engine.dispose()
        return self._url(name)

    def _url(self, name: str) -> str:
        return f"mysql+pymysql://root@localhost/{name}?unix_socket={self._socket}&charset=utf8mb4"


def find_postgresql(program: str) -> Path | None:
    """Return the path of one of PostgreSQL's programs; None: it is not installed."""
    found = sorted(Path("/").glob(f"{_POSTGRESQL_PROGRAMS[1:]}/{program}"))
    if found:
        return found[-1]
    path = shutil.which(program)
    return None if path is None else Path(path)


def find_mariadb() -> Path | None:
    """Return the path of MariaDB's server; None: it is not installed."""
    path = shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin")
    return None if path is None else Path(path)
