"""The servers that tests ask, and what each of their filters is there for.

server.ask("strict", token)       a filter with default options
server.ask("delayed", ...)        delay_auth_decision
server.ask("jws", token)          validates at the Keystone process that issues JWS
server.ask("compute", ...)        service_type = compute
server.ask("uncached", ...)       asks Keystone about every request
server.ask("impatient", ...)      gives Keystone two seconds
server.ask("undecided", ...)      impatient, with delay_auth_decision
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from authmw.token.headers import RESERVED_KEYS
from tests.support.identity_types import IssuedToken
from tests.support.keystone import Keystone
from tests.support.wsgi_server import Gunicorn, WsgiServer, serve_paste_file
from tests.system.servers.contract import sort_roles
from tests.system.servers.paste_files import OURS, OURS_BY_ENTRY_POINT, THE_PEER_S, write_paste_file
from tests.system.servers.people import People
from tests.system.servers.wire import Answer, send

IMPATIENT_SECONDS = 2


class Server:
    """A server of one or more processes, each with all filters.

    Args:
        process: running.
    """

    def __init__(self, process: WsgiServer) -> None:
        self.process = process

    def ask(
        self,
        filter_name: str,
        token: IssuedToken | None = None,
        lines: Iterable[str | bytes] = (),
        *,
        service: IssuedToken | None = None,
        method: str | bytes = "GET",
        target: str | bytes = "/",
        body: bytes = b"",
    ) -> Answer:
        """Send one request on a connection of its own; `lines` are further header lines."""
        tokens = [] if token is None else [f"X-Auth-Token: {token.id}"]
        if service is not None:
            tokens.append(f"X-Service-Token: {service.id}")
        return send(
            self.process.port,
            filter_name,
            [*tokens, *lines],
            method=method,
            target=target,
            body=body,
        )

    def ask_every_worker(self, filter_name: str, token: IssuedToken, workers: int = 2) -> set[int]:
        """Let each worker get to know a token; returns their process ids."""
        pids: set[int] = set()
        for _ in range(500):
            pids.add(self.ask(filter_name, token).seen.pid)
            if len(pids) == workers:
                return pids
        raise AssertionError(f"of {workers} workers only {pids} answered in 500 requests")


@dataclass(frozen=True, slots=True)
class Kind:
    """How a server is started.

    Attributes:
        factory: the line that makes its filters.
        gunicorn_options: what else gunicorn is told.
    """

    factory: str
    workers: int
    preload: bool = False
    gunicorn_options: str = ""


KINDS = {
    "threads": Kind(OURS, workers=2),
    "preload": Kind(OURS_BY_ENTRY_POINT, workers=2, preload=True),
    # Takes every spelling of a header that it can be talked into.
    "lenient": Kind(
        OURS,
        workers=1,
        gunicorn_options="--header-map=dangerous --permit-obsolete-folding --strip-header-spaces",
    ),
    "peer": Kind(THE_PEER_S, workers=1),
}


class Servers:
    """Starts each server when it is first asked for.

    Args:
        directory: for paste files and logs.
        keystone: what the filters ask.
        people: one of them is the service user.
    """

    def __init__(self, directory: Path, keystone: Keystone, people: People) -> None:
        self._directory = directory
        self._keystone = keystone
        self._people = people
        self._running: dict[str, Gunicorn] = {}

    def get(self, name: str) -> Server:
        """Return the running server of this kind, one of KINDS."""
        if name not in self._running:
            kind = KINDS[name]
            paste_file = write_paste_file(
                self._directory / f"{name}.ini", self._filters(name), factory=kind.factory
            )
            self._running[name] = serve_paste_file(
                paste_file,
                workers=kind.workers,
                threads=4,
                preload=kind.preload,
                environ={"GUNICORN_CMD_ARGS": kind.gunicorn_options},
            )
            self._running[name].start()
        return Server(self._running[name])

    def read_logs(self) -> str:
        """Return all that all servers said so far."""
        return "\n".join(
            server.log.read_text(errors="replace") for server in self._running.values()
        )

    def stop(self) -> None:
        """Stop those that were started."""
        for server in self._running.values():
            server.stop()

    def _filters(self, server: str) -> dict[str, dict[str, object]]:
        credentials = self._people.credentials(self._keystone.fernet.auth_url)
        if server == "peer":
            return {"strict": dict(credentials)}
        # The machine may be slow.
        usual: dict[str, object] = {**credentials, "identity_deadline": 60}
        impatient = {"identity_deadline": IMPATIENT_SECONDS}
        return {
            "strict": usual,
            "delayed": usual | {"delay_auth_decision": "true"},
            "jws": usual | {"auth_url": self._keystone.jws.auth_url},
            "compute": usual | {"service_type": "compute"},
            "uncached": usual | {"token_cache_time": -1},
            "impatient": usual | impatient,
            "undecided": usual | impatient | {"delay_auth_decision": "true"},
        }


def identity_of(answer: Answer) -> dict[str, str]:
    """Return what the service was told under a name of the contract, but for the catalog."""
    reserved = RESERVED_KEYS - {"HTTP_X_SERVICE_CATALOG"}
    return sort_roles({key: value for key, value in answer.seen.headers.items() if key in reserved})
