"""prometheus-client shows what the process counts, in one process and in several."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import prometheus_client
import pytest
from prometheus_client.parser import text_string_to_metric_families

from authmw.errors import ConfigurationError
from authmw.metrics import REGISTRY, FilterMetrics, stats, table
from authmw.metrics.prometheus import RegistryCollector, export
from tests.support.programs import ROOT

# Counts, forks, counts in both processes, and prints what both together have.
_FORKING = """
import os, time
import prometheus_client
from prometheus_client import multiprocess
from authmw.metrics import REGISTRY, FilterMetrics, table
from authmw.metrics.prometheus import export

parent = os.getpid()
metrics = FilterMetrics(is_on=True)
writer = export(metrics)
REGISTRY.add(metrics)
metrics.watch(table.MEMORY_ENTRIES, lambda: 7, "token")
metrics.watch(table.KEYS, lambda: 2 if os.getpid() == parent else 1, "", "jws_jwks_uri")

def work(times):
    for _ in range(times):
        metrics.hits.add()
        metrics.validations.observe(("remote", "", "accepted"), 0.5)
    writer.reload(time.time())
    writer.reload(time.time())

work(3)
child = os.fork()
if not child:
    work(2)
    metrics.hits.add()
    raise SystemExit  # what was not written yet is written now
os.waitpid(child, 0)
registry = prometheus_client.CollectorRegistry()
multiprocess.MultiProcessCollector(registry)
print(prometheus_client.generate_latest(registry).decode())
"""


def sort_labels(series: str) -> str:
    name, brace, labels = series.rstrip("}").partition("{")
    return f"{name}{{{','.join(sorted(labels.split(',')))}}}" if brace else name


@pytest.fixture
def metrics() -> FilterMetrics:
    metrics = FilterMetrics(is_on=True)
    REGISTRY.add(metrics)
    return metrics


def series_of(text: str) -> dict[str, float]:
    """Return values by series as `stats` writes them, but for the order of labels: by name."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(
                f'{name}="{value}"' for name, value in sorted(sample.labels.items()) if value
            )
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def test_one_process_shows_exactly_its_stats(metrics: FilterMetrics) -> None:
    metrics.decisions.add("rejected", "expired")
    metrics.validations.observe(("issuer", "acme", "accepted"), 0.003)
    metrics.watch(table.MEMORY_BYTES, lambda: 12345, "token")
    registry = prometheus_client.CollectorRegistry()
    registry.register(RegistryCollector())
    assert series_of(prometheus_client.generate_latest(registry).decode()) == {
        sort_labels(series): value for series, value in stats().items()
    }
    REGISTRY.retire(metrics)


def test_a_filter_that_shows_its_metrics_is_in_the_default_registry(
    metrics: FilterMetrics,
) -> None:
    for _ in range(2):  # as for two filters
        assert export(metrics) is None
    metrics.decisions.add("rejected", "revoked")
    shown = series_of(prometheus_client.generate_latest().decode())
    assert shown['authmw_decisions_total{outcome="rejected",reason="revoked"}'] >= 1
    REGISTRY.retire(metrics)


@pytest.mark.heavy
def test_processes_that_were_forked_add_up(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FORKING],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shown = series_of(done.stdout)
    assert shown['authmw_decisions_total{outcome="accepted"}'] == 6
    assert shown['authmw_cache_lookups_total{level="memory",result="hit"}'] == 6
    labels = 'kind="remote",outcome="accepted"'
    assert shown[f"authmw_validation_duration_seconds_count{{{labels}}}"] == 5
    assert shown[f"authmw_validation_duration_seconds_sum{{{labels}}}"] == 2.5
    assert shown['authmw_memory_entries{subject="token"}'] == 14
    assert shown['authmw_keys{source="jws_jwks_uri"}'] == 1
    # Nothing that has no value yet begins with 0: the oldest time of all would be that.
    assert "authmw_revocation_last_answer_timestamp_seconds" not in shown


def test_a_directory_that_is_not_there_is_a_fault_of_the_configuration(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "none"))
    with pytest.raises(ConfigurationError, match=r"metrics = 'prometheus': make the directory"):
        export(FilterMetrics(is_on=True))
