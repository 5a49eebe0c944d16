"""Requests per second of a service under gunicorn, bare and behind each filter, driven by wrk.

Each contender has a gunicorn of its own with one worker, and its turn in every round; the others
wait meanwhile. All requests carry one token, which the worker knows.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.measure import FULL, Effort
from benchmarks.service import OPTIONS
from benchmarks.stage import CannotMeasure, open_stage
from benchmarks.table import Row
from tests.support.processes import ServerProcess, find_free_port, is_answering

_CONTENDERS: Final = ("bare", "ours", "peer")
_WORKERS: Final[Mapping[str, Sequence[str]]] = {
    "sync, one worker": ["--worker-class", "sync"],
    "gthread, one worker with four threads": ["--worker-class", "gthread", "--threads", "4"],
}
_CONNECTIONS = 8
_SECONDS = 2
_SECONDS_QUICK = 1
_ROUNDS, _ROUNDS_QUICK = 11, 2
_LEAST_SHARE = 0.95
# Of thousands of requests.
_PROBES = 5
_UNITS: Final = {"us": 0.001, "ms": 1.0, "s": 1000.0}


@dataclass(frozen=True, slots=True)
class Load:
    """What one turn of wrk showed.

    Attributes:
        rate: requests per second.
        p99_ms: the latency that 99 of 100 requests keep within.
        cpu_us: the processor time of the server for one request, the kernel's included. Others
            that work on the machine disturb it less than they do the rate.
    """

    rate: float
    p99_ms: float
    cpu_us: float


@dataclass(frozen=True, slots=True)
class Service:
    """One gunicorn that serves; its processes are a group of their own."""

    url: str
    process_group: int

    @property
    def cpu_seconds(self) -> float:
        """The processor time that its processes have taken so far."""
        ticks = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                # proc(5): what follows the name in parentheses begins with field 3.
                fields = stat.read_text().rpartition(")")[2].split()
                if int(fields[2]) == self.process_group:
                    ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


def run(effort: Effort) -> Iterator[Row]:
    """Yield three rows for each kind of worker."""
    if shutil.which("wrk") is None:
        yield Row("under gunicorn: not measured, for wrk is not installed", "-")
        return
    rounds, seconds = (_ROUNDS, _SECONDS) if effort == FULL else (_ROUNDS_QUICK, _SECONDS_QUICK)
    with open_stage() as stage, tempfile.TemporaryDirectory() as directory:
        token = stage.server.issue("member", project="inventory")
        for name, arguments in _WORKERS.items():
            with _serve(arguments, stage.server.service_credentials, Path(directory)) as services:
                for service in services.values():
                    _send(service.url, token)
                with stage.no_validation(f"gunicorn, {name}", at_most=_PROBES):
                    loads = _measure(services, token, rounds, seconds)
            yield from _rows(name, loads)


@contextlib.contextmanager
def _serve(
    arguments: Sequence[str], options: Mapping[str, str], directory: Path
) -> Iterator[dict[str, Service]]:
    """Start a gunicorn for each contender."""
    services = {}
    with contextlib.ExitStack() as servers:
        for contender in _CONTENDERS:
            port = find_free_port()
            url = f"http://127.0.0.1:{port}/v1/items/42"
            server = ServerProcess(
                [
                    *(sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}"),
                    *("--workers", "1", "--log-level", "warning", *arguments),
                    f"benchmarks.service:make_app({contender!r})",
                ],
                is_ready=functools.partial(is_answering, url),
                log=directory / f"{contender}.log",
                environ={OPTIONS: json.dumps(dict(options))},
            )
            server.start()
            servers.callback(server.stop)
            services[contender] = Service(url, server.pid)
        yield services


def _send(url: str, token: str) -> None:
    """Make the worker know the token.

    Raises:
        CannotMeasure: it is refused.
    """
    request = urllib.request.Request(url, headers={"X-Auth-Token": token})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(2):
        try:
            opener.open(request, timeout=10).close()
        except OSError as error:
            raise CannotMeasure(f"{url}: {error}") from error


def _measure(
    services: Mapping[str, Service], token: str, rounds: int, seconds: int
) -> dict[str, Load]:
    turns: dict[str, list[Load]] = {contender: [] for contender in services}
    for _ in range(rounds):
        for contender, service in services.items():
            turns[contender].append(_drive(service, token, seconds))
    return {
        contender: Load(
            statistics.median(load.rate for load in loads),
            statistics.median(load.p99_ms for load in loads),
            statistics.median(load.cpu_us for load in loads),
        )
        for contender, loads in turns.items()
    }


def _drive(service: Service, token: str, seconds: int) -> Load:
    command = [
        *("wrk", "--threads", "1", "--connections", str(_CONNECTIONS), "--latency"),
        *("--duration", f"{seconds}s", "--header", f"X-Auth-Token: {token}", service.url),
    ]
    before = service.cpu_seconds
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds + 30, check=False
    )
    if done.returncode or "Non-2xx" in done.stdout:
        raise CannotMeasure(f"wrk: {done.stdout}{done.stderr}")
    cpu_seconds = service.cpu_seconds - before
    requests = re.search(r"(\d+) requests in", done.stdout)
    rate = re.search(r"Requests/sec:\s*([\d.]+)", done.stdout)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)\b", done.stdout)
    if requests is None or rate is None or p99 is None:
        raise CannotMeasure(f"wrk printed no figures:\n{done.stdout}")
    return Load(
        float(rate[1]), float(p99[1]) * _UNITS[p99[2]], cpu_seconds / int(requests[1]) * 1e6
    )


def _rows(name: str, loads: Mapping[str, Load]) -> Iterator[Row]:
    bare, ours, peer = (loads[contender] for contender in _CONTENDERS)
    share = ours.rate / bare.rate
    yield Row(
        f"gunicorn, {name}: requests/s; bare app {bare.rate:,.0f}",
        f"{ours.rate:,.0f}",
        f"{peer.rate:,.0f}",
        f"{share:.2f} of bare, peer {peer.rate / bare.rate:.2f}",
        f"{_LEAST_SHARE} of bare",
        share >= _LEAST_SHARE,
    )
    yield Row(
        f"gunicorn, {name}: latency of the slowest hundredth; bare app {bare.p99_ms:.2f} ms",
        f"{ours.p99_ms:.2f} ms",
        f"{peer.p99_ms:.2f} ms",
        f"{ours.p99_ms / bare.p99_ms:.2f} of bare, peer {peer.p99_ms / bare.p99_ms:.2f}",
    )
    yield Row(
        f"gunicorn, {name}: processor time of a request; bare app {bare.cpu_us:.0f} µs",
        f"{ours.cpu_us:.0f} µs",
        f"{peer.cpu_us:.0f} µs",
        f"{bare.cpu_us / ours.cpu_us:.2f} of bare, peer {bare.cpu_us / peer.cpu_us:.2f}",
    )
