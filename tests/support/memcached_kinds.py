"""Real memcached servers with TLS, SASL and Unix sockets, and the options that reach them."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

from authmw.config.loading import load_settings
from authmw.config.settings import Settings
from tests.support.certificates import Authority
from tests.support.processes import ServerProcess, find_free_port, is_listening

USERNAME = "ada"
PASSWORD = "correct horse"

CAN_MAKE_SASL_USERS = shutil.which("saslpasswd2", path=f"{os.environ['PATH']}:/usr/sbin")


def make_settings(**options: Any) -> Settings:
    """Return settings as a paste file would make them."""
    return load_settings({"memcache_pool_socket_timeout": "1", **options})


class SpecialMemcached(ServerProcess):
    """memcached with arguments of its own.

    Attributes:
        options: what a filter needs to be told to use it.
    """

    def __init__(
        self,
        directory: Path,
        arguments: list[str],
        *,
        options: dict[str, str],
        port: int,
        environ: dict[str, str] | None = None,
    ) -> None:
        self.options = options
        user = ["-u", "root"] if os.geteuid() == 0 else []
        super().__init__(
            ["memcached", "-U", "0", "-t", "2", *user, *arguments],
            is_ready=lambda: is_listening(port),
            log=directory / "memcached.log",
            environ=environ,
            stop_signal=signal.SIGKILL,
        )


def make_tls_memcached(directory: Path, authority: Authority) -> SpecialMemcached:
    """Return a memcached that speaks TLS and calls itself localhost."""
    authority.server_context("localhost")
    certificate = next(directory.glob("*-localhost.pem"))
    port = find_free_port()
    files = f"ssl_chain_cert={certificate},ssl_key={certificate}"
    return SpecialMemcached(
        directory,
        ["-l", "127.0.0.1", "-p", str(port), "-Z", "-o", files],
        options={
            "memcached_servers": f"localhost:{port}",
            "memcache_tls_enabled": "true",
            "memcache_tls_cafile": str(authority.cafile),
        },
        port=port,
    )


def make_sasl_memcached(directory: Path) -> SpecialMemcached:
    """Return a memcached that lets `USERNAME` in with `PASSWORD`, and nobody else."""
    assert CAN_MAKE_SASL_USERS is not None
    users = directory / "users"
    subprocess.run(
        [CAN_MAKE_SASL_USERS, "-p", "-c", "-f", users, "-a", "memcached", USERNAME],
        input=PASSWORD.encode(),
        check=True,
        timeout=30,
    )
    (directory / "memcached.conf").write_text(
        f"mech_list: plain\npwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: {users}\n"
    )
    port = find_free_port()
    return SpecialMemcached(
        directory,
        ["-l", "127.0.0.1", "-p", str(port), "-S"],
        options={
            "memcached_servers": f"127.0.0.1:{port}",
            "memcache_sasl_enabled": "true",
            "memcache_username": USERNAME,
            "memcache_password": PASSWORD,
        },
        port=port,
        environ={"SASL_CONF_PATH": str(directory)},
    )


class UnixMemcached(ServerProcess):
    """memcached behind a unix socket."""

    def __init__(self, directory: Path) -> None:
        path = directory / "memcached.sock"
        self.options = {"memcached_servers": f"unix:{path}"}
        user = ["-u", "root"] if os.geteuid() == 0 else []
        super().__init__(
            ["memcached", "-s", str(path), "-t", "2", *user],
            is_ready=lambda: _accepts(path),
            log=directory / "memcached.log",
            stop_signal=signal.SIGKILL,
        )


def _accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0
