"""The option `metrics` decides who shows what a filter counts, and what is loaded for it."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator

import prometheus_client
import pytest

from authmw import metrics
from authmw.build import FilterParts, build_filter_parts
from authmw.errors import ConfigurationError
from authmw.testing import IdentityServer

ACCEPTED = 'authmw_decisions_total{outcome="accepted"}'


@pytest.fixture(scope="module")
def server() -> Iterator[IdentityServer]:
    with IdentityServer() as running:
        yield running


def build(server: IdentityServer, value: str) -> FilterParts:
    return build_filter_parts({**server.service_credentials, "metrics": value})


def ask(parts: FilterParts, token: str) -> None:
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "HTTP_X_AUTH_TOKEN": token}
    assert parts.authenticator.authenticate(environ) is None


@pytest.mark.parametrize("value", ["registry", "prometheus", "opentelemetry"])
def test_every_value_counts_in_the_registry_of_the_process(
    server: IdentityServer, value: str
) -> None:
    before = metrics.stats().get(ACCEPTED, 0)
    parts = build(server, value)
    token = server.issue(project="inventory")
    for _ in range(2):
        ask(parts, token)
    assert metrics.stats()[ACCEPTED] == before + 2
    assert parts.stats()[ACCEPTED] == 2
    parts.close()
    assert metrics.stats()[ACCEPTED] == before + 2


def test_prometheus_client_shows_them_by_default(server: IdentityServer) -> None:
    parts = build(server, "prometheus")
    ask(parts, server.issue(project="inventory"))
    text = prometheus_client.generate_latest().decode()
    assert (
        f'authmw_decisions_total{{outcome="accepted",reason=""}} {metrics.stats()[ACCEPTED]}'
        in text
    )
    parts.close()


def test_what_a_filter_counted_stays_when_it_is_collected(server: IdentityServer) -> None:
    before = metrics.stats().get(ACCEPTED, 0)
    parts = build(server, "registry")
    ask(parts, server.issue(project="inventory"))
    parts.refresher.close()
    del parts
    gc.collect()
    assert metrics.stats()[ACCEPTED] == before + 1


@pytest.mark.parametrize(
    ("value", "library"),
    [("prometheus", "prometheus_client"), ("opentelemetry", "opentelemetry.metrics")],
)
def test_a_library_that_is_missing_is_named(
    server: IdentityServer, monkeypatch: pytest.MonkeyPatch, value: str, library: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ConfigurationError) as raised:
        build(server, value)
    assert f"metrics = '{value}': " in str(raised.value)
    assert f"pip install 'path/to/authmw[{value}]'" in str(raised.value)


@pytest.mark.heavy
def test_without_metrics_nothing_is_loaded_for_them() -> None:
    program = (
        "import sys; from authmw.build import build_filter_parts;"
        "build_filter_parts({'auth_type': 'password', 'auth_url': 'http://127.0.0.1:9/v3',"
        " 'username': 'u', 'password': 'p', 'user_domain_id': 'default', 'project_name': 'p',"
        " 'project_domain_id': 'default'});"
        "print(sorted(name for name in sys.modules if name.partition('.')[0] in"
        " ('prometheus_client', 'opentelemetry', 'oslo_middleware')"
        " or name in ('authmw.metrics.prometheus', 'authmw.readiness')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[]\n"
