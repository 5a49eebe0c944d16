"""Real NATS servers: a centre's with JetStream, and leaf nodes of sites."""

from __future__ import annotations

import json
import shutil
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.processes import ServerProcess, find_free_port


def find_nats_server() -> str | None:
    """Return the path of nats-server; None: it is not installed."""
    beside = Path(sys.executable).with_name("nats-server")
    return str(beside) if beside.exists() else shutil.which("nats-server")


class NatsServer(ServerProcess):
    """nats-server on 127.0.0.1; what its streams keep survives a restart.

    Args:
        directory: for its configuration, log and streams.
        name: of the server.
        host: where it listens.
        domain: of JetStream; None: the server has no JetStream.
        leaf_of: port at which a centre takes leaf nodes; None: this is no leaf node.
        options: more of its configuration.

    Attributes:
        url: for clients.
        leaf_port: for leaf nodes.
    """

    def __init__(
        self,
        directory: Path,
        name: str = "centre",
        *,
        host: str = "127.0.0.1",
        domain: str | None = "centre",
        leaf_of: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.host, self.port, self.leaf_port = host, find_free_port(), find_free_port()
        self.url = f"nats://{host}:{self.port}"
        configuration: dict[str, Any] = {
            "server_name": name,
            "listen": f"{host}:{self.port}",
            "write_deadline": "2s",
            "ping_interval": "2s",
            **(options or {}),
        }
        if domain is not None:
            configuration["jetstream"] = {
                "store_dir": str(directory / f"{name}.streams"),
                "domain": domain,
                "max_mem": 1 << 26,
                "max_file": 1 << 28,
            }
        leaf_nodes: dict[str, Any] = {}
        if leaf_of is None:
            leaf_nodes["listen"] = f"{host}:{self.leaf_port}"
        else:
            leaf_nodes |= {"remotes": [{"url": leaf_of}], "reconnect": 1}
        configuration["leafnodes"] = leaf_nodes
        file = directory / f"{name}.conf"
        # A superset of JSON.
        file.write_text(json.dumps(configuration))
        program = find_nats_server()
        assert program is not None, "nats-server is not installed"
        super().__init__(
            [program, "-c", str(file)],
            is_ready=self._is_listening,
            log=directory / f"{name}.log",
        )

    @property
    def leaf_url(self) -> str:
        """Where leaf nodes connect to."""
        return f"nats-leaf://{self.host}:{self.leaf_port}"

    def _is_listening(self) -> bool:
        try:
            socket.create_connection((self.host, self.port), timeout=1).close()
        except OSError:
            return False
        return True
