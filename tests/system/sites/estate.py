"""A centre and sites, each in a network namespace of its own."""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from authmw.bundle.file import hot_path, open_bundle, read_hot
from tests.bundle.keystone_worlds import KeystoneOfWorlds
from tests.support.nats import NatsServer
from tests.support.processes import ServerProcess
from tests.support.programs import ROOT
from tests.support.waiting import wait_for
from tests.system.servers.paste_files import write_paste_file
from tests.system.sites.namespaces import Namespace, NetworkLink

SITES = 5
BUCKET = "bundles"
_S3_PORT, _NATS_PORT, _LEAF_PORT = 9000, 4222, 7422
_PUBLISH_SECONDS = 2
_POLL_SECONDS = 10
MAX_AGE_SECONDS = 36 * 3600
_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
}
# Whoever reaches the storage may read; TUF is what sites trust.
_MAKE_BUCKET = f"""
import json, boto3
storage = boto3.client("s3", endpoint_url="http://127.0.0.1:{_S3_PORT}")
storage.create_bucket(Bucket="{BUCKET}")
statement = {{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}}
statement["Resource"] = "arn:aws:s3:::{BUCKET}/*"
policy = {{"Version": "2012-10-17", "Statement": [statement]}}
storage.put_bucket_policy(Bucket="{BUCKET}", Policy=json.dumps(policy))
"""


def _python(module: str, *arguments: str, ahead_seconds: int = 0) -> list[str]:
    """Return the command that runs a module, by a clock that is ahead."""
    clock = ["tests.system.sites.ahead", str(ahead_seconds)] if ahead_seconds else []
    return [sys.executable, "-m", *clock, module, *arguments]


def _process(
    namespace: Namespace,
    command: list[str],
    log: Path,
    environ: Mapping[str, str] | None = None,
    is_ready: Any = None,
) -> ServerProcess:
    return ServerProcess(
        [*namespace.prefix, *command],
        is_ready=is_ready or (lambda: True),
        log=log,
        environ={"PYTHONPATH": str(ROOT), "NO_PROXY": "*", **(environ or {})},
        working_directory=ROOT,
    )


class Answer(NamedTuple):
    """What a service answers.

    Attributes:
        status: of HTTP.
        token: the token body that the service was given; None: it was not called.
        revision: that decided.
    """

    status: int
    token: dict[str, Any] | None
    revision: str | None


class Centre:
    """Keystone with PostgreSQL, its publisher, storage and NATS.

    Args:
        directory: of its files.
        keystone: whose database is published.
        namespace: where the processes run.

    Attributes:
        processes: running; by their names.
    """

    def __init__(self, directory: Path, keystone: KeystoneOfWorlds, namespace: Namespace) -> None:
        self._directory = directory
        self._namespace = namespace
        self.keystone = keystone
        self.nats = NatsServer(
            directory,
            host="0.0.0.0",
            port=_NATS_PORT,
            leaf_port=_LEAF_PORT,
            prefix=namespace.prefix,
        )
        s3 = ["-m", "moto.server", "-H", "0.0.0.0", "-p", str(_S3_PORT)]
        self._storage = _process(
            namespace,
            [sys.executable, *s3],
            directory / "storage.log",
            is_ready=lambda: "Running on" in (directory / "storage.log").read_text(),
        )
        self._file = directory / "centre.toml"
        self._publisher = _process(
            namespace, self._command("publish"), directory / "publish.log", _CREDENTIALS
        )

    def _command(self, name: str) -> list[str]:
        return [sys.executable, "-m", "authmw", "bundle", name, str(self._file)]

    @property
    def trusted_root(self) -> Path:
        return self._directory / "state" / "metadata" / "1.root.json"

    def start(self, sites: list[str]) -> None:
        """Start everything, and publish every other second."""
        self._file.write_text(
            f"""\
[centre]
state = "state"
repository = "s3://{BUCKET}/edge"
keystone_config = ["{self.keystone.configuration_file}"]
every = {_PUBLISH_SECONDS}
hot_every = {_PUBLISH_SECONDS}
[s3]
endpoint = "http://127.0.0.1:{_S3_PORT}"
[push]
servers = ["nats://127.0.0.1:{_NATS_PORT}"]
"""
            + "".join(f"[sites.{name}]\n" for name in sites)
        )
        self._storage.start()
        self.nats.start()
        self._run(sys.executable, "-c", _MAKE_BUCKET)
        self._run(*self._command("init"))
        self._publisher.start()

    def _run(self, *command: str) -> None:
        done = subprocess.run(
            [*self._namespace.prefix, *command],
            cwd=ROOT,
            env={**os.environ, **_CREDENTIALS},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def read_log(self) -> str:
        return self._publisher.read_log_tail()

    def stop(self) -> None:
        for each in (self._publisher, self.nats, self._storage):
            each.stop()


class EdgeSite:
    """A site: a leaf node, the sync, and a service under gunicorn.

    Args:
        directory: of its files.
        name: of the site.
        namespace: where its processes run.
        link: to the centre.
        centre: running.
    """

    def __init__(
        self, directory: Path, name: str, namespace: Namespace, link: NetworkLink, centre: Centre
    ) -> None:
        self.name, self.link = name, link
        self._directory, self._namespace = directory, namespace
        self.bundle = directory / "cloud.bundle"
        self._socket = directory / "service.sock"
        self._leaf = NatsServer(
            directory,
            f"leaf-{name}",
            port=_NATS_PORT,
            domain=None,
            leaf_of=f"nats-leaf://{link.centre_address}:{_LEAF_PORT}",
            prefix=namespace.prefix,
        )
        self._file = directory / "sync.toml"
        shutil.copy(centre.trusted_root, directory / "root.json")
        self._file.write_text(
            f"""\
site = "{name}"
url = "http://{link.centre_address}:{_S3_PORT}/{BUCKET}/edge"
trusted_root = "root.json"
bundle = "cloud.bundle"
poll_seconds = {_POLL_SECONDS}
[http]
allow_http = true
connect_seconds = 2
read_seconds = 5
[push]
servers = ["nats://127.0.0.1:{_NATS_PORT}"]
domain = "centre"
spread_seconds = 0.2
check_seconds = 5
"""
        )
        self._sync: ServerProcess | None = None
        self._service: ServerProcess | None = None
        self.options: dict[str, object] = {
            "jws_public_key_repository": centre.keystone.public_keys,
            "token_validation": "offline",
            "jws_authority": "bundle",
            "bundle_path": self.bundle,
            "bundle_max_age": MAX_AGE_SECONDS,
            "revocation_max_staleness": MAX_AGE_SECONDS,
            "www_authenticate_uri": "https://id.example",
            "service_type": "compute",
        }
        self.start()

    def start(self, ahead_seconds: int = 0) -> None:
        """Start all its processes, cold; their clocks may be ahead."""
        directory = self._directory
        arguments = ("bundle", "sync", str(self._file))
        command = _python("authmw", *arguments, ahead_seconds=ahead_seconds)
        self._sync = _process(self._namespace, command, directory / "sync.log")
        paste = write_paste_file(directory / "service.ini", {"site": self.options})
        # A socket in the file system is reached from every network.
        bind = f"--bind=unix:{self._socket}"
        gunicorn = _python("gunicorn", bind, ahead_seconds=ahead_seconds)
        gunicorn += ["--threads=2", "--timeout=300", "--graceful-timeout=1", "--no-control-socket"]
        self._service = _process(
            self._namespace,
            [*gunicorn, f"--paste={paste}"],
            directory / "service.log",
            is_ready=self._is_answering,
        )
        self._leaf.start()
        self._sync.start()
        self._service.start(deadline_seconds=90)

    def stop(self) -> None:
        for each in (self._service, self._sync, self._leaf):
            if each is not None:
                each.stop()
        self._socket.unlink(missing_ok=True)

    def stop_nats(self) -> None:
        """Leave the site without its leaf node."""
        self._leaf.stop()

    def start_nats(self) -> None:
        self._leaf.start()

    def _is_answering(self) -> bool:
        try:
            self.ask("")
        except OSError:
            return False
        return True

    def ask(self, token: str) -> Answer:
        """Send the service a request with a token."""
        connection = http.client.HTTPConnection("site", timeout=60)
        with contextlib.closing(connection):
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.settimeout(60)
            connection.sock.connect(str(self._socket))
            connection.request("GET", "/v1/items", headers={"X-Auth-Token": token} if token else {})
            response = connection.getresponse()
            body = response.read()
        if response.status != 200:
            return Answer(response.status, None, None)
        told = json.loads(body)
        return Answer(200, told["token_info"]["token"], told["revision"])

    def digest(self) -> bytes | None:
        """Return the digest of the facts in force; None: there are none."""
        with contextlib.suppress(Exception), open_bundle(self.bundle, cache_kib=64) as bundle:
            return bundle.header.digest
        return None

    def read_at(self) -> int:
        """Return the time that its facts are of, as the centre confirmed it last; epoch seconds."""
        with open_bundle(self.bundle, cache_kib=64) as bundle:
            header = bundle.header
        confirmation = read_hot(hot_path(self.bundle)).confirmation
        if confirmation is None or confirmation.digest != header.digest:
            return header.origin.read_at
        return max(header.origin.read_at, confirmation.read_at)

    def read_log(self) -> str:
        return "\n".join(
            (self._directory / f"{name}.log").read_text(errors="replace")[-3000:]
            for name in ("sync", "service")
        )


def _has(site: EdgeSite, digest: bytes) -> bool:
    return site.digest() == digest


class Estate:
    """A centre with its sites.

    Args:
        directory: of all files; its path is short.
        keystone: of the centre.
    """

    def __init__(self, directory: Path, keystone: KeystoneOfWorlds) -> None:
        prefix = f"authmw-{os.getpid()}"
        self._namespaces = [Namespace(f"{prefix}-centre")]
        place = directory / "centre"
        place.mkdir()
        self.centre = Centre(place, keystone, self._namespaces[0])
        self.sites: list[EdgeSite] = []
        self._directory, self._prefix = directory, prefix

    def start(self) -> None:
        """Start the centre, then the sites."""
        names = [f"edge-{number}" for number in range(1, SITES + 1)]
        self.centre.start(names)
        assert wait_for(self.centre.trusted_root.exists)
        for number, name in enumerate(names, 1):
            namespace = Namespace(f"{self._prefix}-{name}")
            self._namespaces.append(namespace)
            link = NetworkLink(number, self._namespaces[0], namespace)
            place = self._directory / name
            place.mkdir()
            self.sites.append(EdgeSite(place, name, namespace, link, self.centre))

    def wait_for(self, digest: bytes, sites: list[EdgeSite], seconds: float = 90) -> float:
        """Wait until sites have these facts; returns the seconds that it took."""
        began = time.monotonic()
        for site in sites:
            left = began + seconds - time.monotonic()
            has_it = functools.partial(_has, site, digest)
            assert wait_for(has_it, left), (
                f"{site.name} lacks the facts\n{site.read_log()}\n{self.centre.read_log()}"
            )
        return time.monotonic() - began

    def stop(self) -> None:
        for site in self.sites:
            site.stop()
        self.centre.stop()
        for namespace in self._namespaces:
            namespace.delete()
