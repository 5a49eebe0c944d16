"""Two gunicorn workers under load: what Prometheus reads adds up to the requests that were sent."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from authmw.testing import IdentityServer
from tests.support.programs import ROOT
from tests.support.waiting import wait_for
from tests.support.wsgi_server import Gunicorn
from tests.system.servers.crowd import Crowd
from tests.system.servers.paste_files import write_paste_file
from tests.system.servers.wire import send

CLIENTS, ROUNDS, TOKENS = 8, 25, 5

_METRICS = """
[pipeline:metrics]
pipeline = metrics_app

[app:metrics_app]
paste.app_factory = tests.system.servers.metrics_app:app_factory
"""


@pytest.fixture
def identity() -> Iterator[IdentityServer]:
    with IdentityServer() as server:
        yield server


@pytest.fixture(params=["after the fork", "before the fork", "threads", "greenlets"])
def server(
    request: pytest.FixtureRequest, identity: IdentityServer, tmp_path: Path
) -> Iterator[Gunicorn]:
    """Two workers; the app is loaded after the fork or before it; threads or greenlets as well."""
    files = tmp_path / "metrics"
    files.mkdir()
    options = {**identity.service_credentials, "metrics": "prometheus"}
    paste_file = write_paste_file(tmp_path / "paste.ini", {"strict": options})
    text = paste_file.read_text().replace("strict = strict", "strict = strict\nmetrics = metrics")
    paste_file.write_text(text + _METRICS)
    more = ["--worker-class=gevent"] if request.param == "greenlets" else []
    running = Gunicorn(
        [f"--paste={paste_file}", *more],
        log=paste_file.with_suffix(".log"),
        workers=2,
        threads=4 if request.param == "threads" else 1,
        preload=request.param == "before the fork",
        environ={"PROMETHEUS_MULTIPROC_DIR": str(files), "PYTHONPATH": str(ROOT)},
    )
    running.start()
    yield running
    running.stop()


def scrape(server: Gunicorn) -> dict[str, dict[str, float]]:
    """Return values by series, and by the values of its labels in the order of their names."""
    answer = send(server.port, "metrics")
    assert answer.status == 200, answer.body
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(answer.body.decode()):
        for sample in family.samples:
            labels = " ".join(value for _, value in sorted(sample.labels.items()) if value)
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


def send_round(server: Gunicorn, tokens: list[str], client: int) -> tuple[Counter[str], set[int]]:
    """Send the requests of one client; returns what was decided, and the workers that answered."""
    decided: Counter[str] = Counter()
    pids = set()
    for turn in range(ROUNDS):
        answer = send(server.port, "strict", [f"X-Auth-Token: {tokens[turn % len(tokens)]}"])
        assert answer.status == 200
        pids.add(answer.seen.pid)
        decided["accepted"] += 1
        if turn % 3 == 0:
            assert send(server.port, "strict").status == 401
            decided["missing"] += 1
        if turn % 5 == 0:
            made_up = f"X-Auth-Token: made-up-{client}-{turn}"
            assert send(server.port, "strict", [made_up]).status == 401
            decided["not_found"] += 1
    return decided, pids


def under_load(server: Gunicorn, tokens: list[str]) -> tuple[Counter[str], set[int]]:
    crowd = Crowd([partial(send_round, server, tokens, client) for client in range(CLIENTS)])
    decided: Counter[str] = Counter()
    pids: set[int] = set()
    for counts, seen in crowd.results():
        decided += counts
        pids |= seen
    return decided, pids


def test_the_counters_add_up_to_the_requests(identity: IdentityServer, server: Gunicorn) -> None:
    tokens = [identity.issue("member", project="inventory") for _ in range(TOKENS)]
    decided, pids = under_load(server, tokens)
    assert len(pids) == 2, "one worker got no request"
    # A worker that ends writes what it has counted, and its successor begins at nothing.
    os.kill(pids.pop(), signal.SIGTERM)
    more, _ = under_load(server, tokens)
    decided += more
    expected = {
        "accepted": decided["accepted"],
        "rejected missing": decided["missing"],
        "rejected not_found": decided["not_found"],
    }

    def has_settled() -> bool:
        seen = scrape(server).get("authmw_decisions_total", {})
        return sum(seen.values()) >= decided.total()

    assert wait_for(has_settled), scrape(server)
    found = scrape(server)
    assert found["authmw_decisions_total"] == expected

    # Each request with a token was answered by memory, by a validation or by another's.
    lookups = found["authmw_cache_lookups_total"]
    validated = found["authmw_validation_duration_seconds_count"]
    joined = sum(found.get("authmw_flights_joined_total", {}).values())
    assert lookups["memory miss"] == sum(validated.values())
    assert lookups["memory hit"] + lookups["memory miss"] + joined == (
        decided["accepted"] + decided["not_found"]
    )
    assert validated["remote refused"] == decided["not_found"]
    calls = found["authmw_identity_calls_total"]
    assert calls["validate token_refused"] == decided["not_found"]
    assert calls["validate answered"] == identity.calls["validate"] - decided["not_found"]
