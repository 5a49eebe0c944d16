"""Real NATS servers: a centre's with JetStream, and leaf nodes of sites."""

from __future__ import annotations

import base64
import json
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import nkeys

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
        host, port, leaf_port: where it listens; None: on a free port.
        prefix: goes before the command.
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
        port: int | None = None,
        leaf_port: int | None = None,
        prefix: Sequence[str] = (),
        domain: str | None = "centre",
        leaf_of: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.host, self.port = host, port or find_free_port()
        self.leaf_port = leaf_port or find_free_port()
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
            [*prefix, program, "-c", str(file)],
            is_ready=self._is_serving,
            log=directory / f"{name}.log",
        )

    @property
    def leaf_url(self) -> str:
        """Where leaf nodes connect to."""
        return f"nats-leaf://{self.host}:{self.leaf_port}"

    def start(self, *, deadline_seconds: float = 30) -> None:
        """See `ServerProcess`."""
        if not self.is_running():
            self.log.unlink(missing_ok=True)
        super().start(deadline_seconds=deadline_seconds)

    def _is_serving(self) -> bool:
        # It may listen in another network than ours.
        return b"Server is ready" in self.log.read_bytes()


class NatsAccounts(NamedTuple):
    """An operator of NATS with one account, which has JetStream, and a user of it.

    Attributes:
        server_options: for `NatsServer`.
        credentials_file: of the user.
    """

    server_options: dict[str, Any]
    credentials_file: Path


def make_nats_accounts(directory: Path) -> NatsAccounts:
    """Make keys and JWTs as NATS's own tool does, for "decentralized JWT authentication"."""
    kinds = (nkeys.PREFIX_BYTE_OPERATOR, *[nkeys.PREFIX_BYTE_ACCOUNT] * 2, nkeys.PREFIX_BYTE_USER)
    operator, system, account, user = (
        nkeys.from_seed(nkeys.encode_seed(os.urandom(32), kind)) for kind in kinds
    )
    no_limit = dict.fromkeys(("subs", "data", "payload", "conn", "leaf", "imports", "exports"), -1)
    streams = dict.fromkeys(("mem_storage", "disk_storage", "streams", "consumer"), -1)
    of_operator = _sign_nats_jwt(operator, operator, "operator", {})
    limits = {**no_limit, "wildcards": True}
    of_system = _sign_nats_jwt(operator, system, "account", {"limits": limits})
    of_account = _sign_nats_jwt(operator, account, "account", {"limits": {**limits, **streams}})
    of_user = _sign_nats_jwt(
        account, user, "user", {"subs": -1, "data": -1, "payload": -1, "pub": {}, "sub": {}}
    )
    file = directory / "site.creds"
    file.write_text(
        f"-----BEGIN NATS USER JWT-----\n{of_user}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed.decode()}\n------END USER NKEY SEED------\n"
    )
    options = {
        "operator": of_operator,
        "resolver": "MEMORY",
        "system_account": system.public_key.decode(),
        "resolver_preload": {
            system.public_key.decode(): of_system,
            account.public_key.decode(): of_account,
        },
    }
    return NatsAccounts(options, file)


def _sign_nats_jwt(issuer: Any, subject: Any, kind: str, claims: dict[str, Any]) -> str:
    members = {
        "jti": base64.b32encode(os.urandom(20)).decode(),
        "iat": int(time.time()),
        "iss": issuer.public_key.decode(),
        "sub": subject.public_key.decode(),
        "name": kind,
        "nats": {**claims, "type": kind, "version": 2},
    }
    parts = [{"typ": "JWT", "alg": "ed25519-nkey"}, members]
    signed = ".".join(_encode(json.dumps(part).encode()) for part in parts)
    return f"{signed}.{_encode(issuer.sign(signed.encode()))}"


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
