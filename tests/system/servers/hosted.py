"""A client of one hosted service."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.support.wsgi_server import WsgiServer

TIMEOUT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Told:
    """One answer.

    Attributes:
        status: of HTTP; on 200 the service answered, and the rest is what it said.
        pid: of the process that answered.
        loaded_by: the process id of whoever loaded the application.
        user: the caller's name; None for nobody.
    """

    status: int
    pid: int = 0
    loaded_by: int = 0
    user: str | None = None


class Hosted:
    """A running server with the service of `tests.system.servers.hosted_service`.

    Args:
        server: running.
    """

    def __init__(self, server: WsgiServer) -> None:
        self.server = server

    def ask(self, token: str | None = None, *, path: str = "/") -> Told:
        """Send one request, on a connection of its own."""
        answer = requests.get(
            self.server.url + path,
            headers={} if token is None else {"X-Auth-Token": token},
            timeout=TIMEOUT_SECONDS,
            proxies={"http": ""},
        )
        if answer.status_code != 200:
            return Told(answer.status_code)
        told = json.loads(answer.text)
        return Told(200, told["pid"], told["loaded_by"], told["user"])

    def ask_every_process(self, token: str, *, processes: int) -> set[int]:
        """Have a good token remembered by every process; return their ids."""
        seen: set[int] = set()
        for _ in range(500):
            told = self.ask(token)
            assert told.status == 200, (told, self.server.read_log_tail())
            seen.add(told.pid)
            if len(seen) == processes:
                return seen
        raise AssertionError(f"of {processes} processes only {seen} answered in 500 requests")


def write_conf(path: Path, options: Mapping[str, object]) -> Path:
    """Write [keystone_authtoken] into a service's configuration file."""
    lines = [f"{name} = {value}" for name, value in options.items()]
    # Whole at once: somebody may be reading it.
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text("\n".join(["[keystone_authtoken]", *lines, ""]))
    unfinished.replace(path)
    return path
