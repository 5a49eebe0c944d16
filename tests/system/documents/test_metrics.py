"""doc/metrics.rst, the dashboard and the alert rules know the metrics that there are."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import prometheus_client
import pytest
import yaml

from authmw.metrics import REGISTRY, FilterMetrics
from authmw.metrics.prometheus import RegistryCollector
from authmw.metrics.table import METRICS, SYNC_METRICS, Kind
from tests.support.programs import ROOT

PAGE = ROOT / "doc" / "metrics.rst"
ALERTS = ROOT / "etc" / "authmw-alerts.yaml"
DASHBOARD = ROOT / "etc" / "authmw-dashboard.json"

_BEGIN, _END = ".. metrics begin\n\n", "\n.. metrics end\n"
_NAME = re.compile(r"\bauthmw_\w+")
_SELECTOR = re.compile(r"\b(authmw_\w+)\{([^}]*)\}")
_GROUPING = re.compile(r"\bby \(([^)]*)\)")
# Labels that Prometheus adds.
_ADDED = {"job", "instance"}

ALL = (*METRICS, *SYNC_METRICS)
SERIES = {
    name: metric
    for metric in ALL
    for name in (
        [f"{metric.name}{suffix}" for suffix in ("_bucket", "_sum", "_count")]
        if metric.kind is Kind.HISTOGRAM
        else [metric.name]
    )
}


def render_metrics() -> str:
    """Return the list of metrics as it should stand in the page."""
    lines = []
    for metric in ALL:
        labels = f"; {', '.join(metric.labels)}" if metric.labels else ""
        lines.append(f"``{metric.name}`` ({metric.kind.value}{labels})")
        lines += textwrap.wrap(metric.help, 106, initial_indent="    ", subsequent_indent="    ")
    return "".join(f"{line}\n" for line in lines)


def test_the_page_lists_the_metrics_of_the_table() -> None:
    listed = PAGE.read_text().partition(_BEGIN)[2].partition(_END)[0]
    assert listed == render_metrics()


def expressions_of_alerts() -> Iterator[str]:
    for group in yaml.safe_load(ALERTS.read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["expr"]


def expressions_of_the_dashboard() -> Iterator[str]:
    board = json.loads(DASHBOARD.read_text())
    for panel in board["panels"]:
        for target in panel["targets"]:
            yield target["expr"]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]


@pytest.mark.parametrize("expressions", [expressions_of_alerts, expressions_of_the_dashboard])
def test_expressions_name_series_and_labels_that_there_are(expressions: Any) -> None:
    found = list(expressions())
    assert len(found) > 7
    for expression in found:
        names = _NAME.findall(expression)
        assert names, expression
        assert set(names) <= SERIES.keys(), expression
        labels = {"le", *_ADDED}.union(*(SERIES[name].labels for name in names))
        for _, selector in _SELECTOR.findall(expression):
            assert set(re.findall(r"(\w+)\s*[=!]", selector)) <= labels, expression
        for grouping in _GROUPING.findall(expression):
            assert set(re.split(r",\s*", grouping)) <= labels, expression


def test_the_dashboard_shows_every_metric() -> None:
    shown = " ".join(expressions_of_the_dashboard())
    assert {SERIES[name] for name in _NAME.findall(shown)} == set(ALL)


def test_panels_of_the_dashboard_don_t_overlap() -> None:
    board = json.loads(DASHBOARD.read_text())
    cells = [
        (x, y)
        for panel in board["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


# What makes each rule fire: series, and the values that they have every minute.
FAULTS: dict[str, dict[str, str]] = {
    "AuthmwIdentityUnreachable": {"authmw_identity_breaker_state": "2x60"},
    "AuthmwUnavailable": {
        'authmw_decisions_total{outcome="accepted"}': "0+100x60",
        'authmw_decisions_total{outcome="rejected",reason="unavailable"}': "0+5x60",
    },
    "AuthmwRevocationStale": {"authmw_revocation_last_answer_timestamp_seconds": "0x60"},
    "AuthmwBundleOld": {'authmw_bundle_last_read_timestamp_seconds{part="facts"}': "0x60"},
    "AuthmwBundleUnusable": {'authmw_bundle_unusable{part="facts"}': "1x60"},
    "AuthmwKeysStale": {"authmw_keys_last_read_timestamp_seconds": "-50000x60"},
    "AuthmwNoKeys": {'authmw_keys{source="jws_jwks_uri"}': "0x60"},
    "AuthmwRefreshFailing": {'authmw_refresh_failures_total{what="keys"}': "0+1x60"},
    "AuthmwCacheFaults": {"authmw_cache_faults_total": "0+60x60"},
    "AuthmwShadowDifferences": {'authmw_shadow_comparisons_total{result="different"}': "0+1x60"},
    "AuthmwSyncStopped": {"authmw_sync_last_success_timestamp_seconds": "0x60"},
    "AuthmwSyncRefused": {'authmw_sync_attempts_total{outcome="rollback"}': "0+1x60"},
    "AuthmwSyncMetadataExpires": {
        'authmw_sync_metadata_expiry_timestamp_seconds{role="root"}': "9999x60"
    },
}
# And values with which none does.
GOOD = {
    "authmw_identity_breaker_state": "0x60",
    'authmw_decisions_total{outcome="accepted"}': "0+1000x60",
    'authmw_decisions_total{outcome="rejected",reason="expired"}': "0+500x60",
    'authmw_decisions_total{outcome="rejected",reason="unavailable"}': "0+0x60",
    "authmw_revocation_last_answer_timestamp_seconds": "0+60x60",
    'authmw_bundle_last_read_timestamp_seconds{part="facts"}': "0+60x60",
    'authmw_bundle_unusable{part="facts"}': "0x60",
    "authmw_keys_last_read_timestamp_seconds": "0x60",
    'authmw_keys{source="jws_jwks_uri"}': "1x60",
    'authmw_refresh_failures_total{what="keys"}': "0x60",
    "authmw_cache_faults_total": "3x60",
    'authmw_shadow_comparisons_total{result="same"}': "0+10x60",
    "authmw_sync_last_success_timestamp_seconds": "0+60x60",
    'authmw_sync_attempts_total{outcome="success"}': "0+10x60",
    'authmw_sync_metadata_expiry_timestamp_seconds{role="root"}': "9999999x60",
}


@pytest.fixture
def promtool() -> str:
    """Prometheus' own checker; `.ci/promtool` fetches it for the slow tests."""
    found = shutil.which("promtool", path=f"{ROOT / '.venv' / 'bin'}:/usr/bin:/usr/local/bin")
    if found is None:
        pytest.skip("promtool is not there")
    return found


def run(*command: str, text: str = "") -> None:
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_promtool_accepts_the_rules(promtool: str) -> None:
    run(promtool, "check", "rules", str(ALERTS))


@pytest.mark.slow
def test_every_rule_fires_where_it_should_and_none_elsewhere(promtool: str, tmp_path: Path) -> None:
    rules = [rule["alert"] for rule in yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]]
    assert rules == list(FAULTS)
    assert {name.partition("{")[0] for series in FAULTS.values() for name in series} == {
        name.partition("{")[0] for name in GOOD
    }
    cases = [
        {
            "interval": "1m",
            "input_series": [{"series": name, "values": text} for name, text in series.items()],
            "promql_expr_test": [
                {
                    "expr": f'count(ALERTS{{alertstate="firing",alertname="{rule}"}}) or vector(0)',
                    "eval_time": "50m",
                    "exp_samples": [{"labels": "{}", "value": int(rule == broken)}],
                }
                for rule in rules
            ],
        }
        for broken, series in [("", GOOD), *FAULTS.items()]
    ]
    file = tmp_path / "cases.yaml"
    document = {"rule_files": [str(ALERTS)], "evaluation_interval": "1m", "tests": cases}
    file.write_text(yaml.safe_dump(document))
    run(promtool, "test", "rules", str(file))


@pytest.mark.slow
def test_promtool_finds_no_fault_with_the_names(promtool: str) -> None:
    metrics = FilterMetrics(is_on=True)
    for metric in METRICS:
        if metric.kind is not Kind.HISTOGRAM:
            metrics.watch(metric, lambda: 1, *("x" for _ in metric.labels))
    for metric, latencies in metrics.histograms.items():
        latencies.observe(tuple("x" for _ in metric.labels), 0.1)
    REGISTRY.add(metrics)
    registry = prometheus_client.CollectorRegistry()
    registry.register(RegistryCollector())
    text = prometheus_client.generate_latest(registry).decode()
    REGISTRY.retire(metrics)
    run(promtool, "check", "metrics", text=text)
