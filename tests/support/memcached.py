"""A real memcached."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Sequence
from pathlib import Path

from tests.support.processes import ServerProcess, find_free_port, is_listening


class Memcached(ServerProcess):
    """memcached on a free port; it forgets everything when stopped.

    Args:
        directory: for its log.
        name: of the log.
        arguments: more of its own.
    """

    def __init__(
        self, directory: Path, *, name: str = "memcached", arguments: Sequence[str] = ()
    ) -> None:
        self.port = find_free_port()
        command = ["memcached", "-l", "127.0.0.1", "-p", str(self.port), "-U", "0", "-t", "2"]
        command += arguments
        if os.geteuid() == 0:
            command += ["-u", "root"]
        super().__init__(
            command,
            is_ready=lambda: is_listening(self.port),
            log=directory / f"{name}.log",
            stop_signal=signal.SIGKILL,
        )

    @property
    def address(self) -> str:
        """As `memcached_servers` wants it: host:port."""
        return f"127.0.0.1:{self.port}"

    def flush(self) -> None:
        """Forget every entry."""
        answer = self._ask(b"flush_all\r\n")
        assert answer == b"OK\r\n", answer

    def count_items(self) -> int:
        """Return how many entries it holds now."""
        return self._read_statistic("curr_items")

    def _read_statistic(self, name: str) -> int:
        for line in self._ask(b"stats\r\n").splitlines():
            if line.startswith(f"STAT {name} ".encode()):
                return int(line.split()[2])
        raise AssertionError(f"memcached reports no {name}")

    def _ask(self, command: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(command)
            answer = b""
            while not answer.endswith((b"OK\r\n", b"END\r\n", b"ERROR\r\n")):
                received = connection.recv(65536)
                assert received, f"memcached hung up after {answer!r}"
                answer += received
            return answer
