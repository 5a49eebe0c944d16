"""The metrics of several filters make those of the process, and are written as Prometheus does."""

from __future__ import annotations

import json

from authmw.metrics import FilterMetrics, table
from authmw.metrics.registry import Registry, render
from authmw.metrics.table import METRICS, Kind


def make_filter(*, keys: int = 1, entries: int = 10) -> FilterMetrics:
    metrics = FilterMetrics(is_on=True)
    metrics.watch(table.KEYS, lambda: keys, "", "jws_jwks_uri")
    metrics.watch(table.MEMORY_ENTRIES, lambda: entries, "token")
    metrics.watch(table.REVOCATION_ANSWERED, lambda: None)
    return metrics


def test_a_hit_is_a_decision_and_a_look_up() -> None:
    metrics = make_filter()
    assert metrics.hits is not None
    metrics.hits.add()
    metrics.decisions.add("accepted", "")
    found = render(metrics.read())
    assert found['authmw_decisions_total{outcome="accepted"}'] == 2
    assert found['authmw_cache_lookups_total{level="memory",result="hit"}'] == 1


def test_counters_are_added_up_and_gauges_combined_as_the_table_says() -> None:
    registry = Registry()
    filters = [make_filter(keys=3), make_filter(keys=2)]
    for metrics in filters:
        registry.add(metrics)
        metrics.decisions.add("rejected", "expired")
        metrics.validations.observe(("remote", "", "accepted"), 0.25)
    found = render(registry.read())
    assert found['authmw_decisions_total{outcome="rejected",reason="expired"}'] == 2
    assert found['authmw_keys{source="jws_jwks_uri"}'] == 2
    assert found['authmw_memory_entries{subject="token"}'] == 20
    series = 'authmw_validation_duration_seconds_{}{{kind="remote",outcome="accepted"{}}}'
    assert found[series.format("count", "")] == 2
    assert found[series.format("sum", "")] == 0.5
    assert found[series.format("bucket", ',le="0.1"')] == 0
    assert found[series.format("bucket", ',le="0.25"')] == 2
    assert found[series.format("bucket", ',le="+Inf"')] == 2


def test_two_gauges_of_one_series_are_combined() -> None:
    """Each tenant of an issuer has keys of its own, under one name."""
    metrics = make_filter(keys=3)
    metrics.watch(table.KEYS, lambda: 1, "", "jws_jwks_uri")
    assert render(metrics.read())['authmw_keys{source="jws_jwks_uri"}'] == 1


def test_what_a_filter_counted_outlives_it_and_its_gauges_do_not() -> None:
    registry = Registry()
    gone, last = make_filter(), make_filter()
    for metrics in (gone, last):
        registry.add(metrics)
        metrics.decisions.add("accepted", "")
    registry.retire(gone)
    registry.retire(gone)
    for _ in range(2):
        found = render(registry.read())
        assert found['authmw_decisions_total{outcome="accepted"}'] == 2
        assert found['authmw_memory_entries{subject="token"}'] == 10


def test_a_gauge_without_a_value_is_left_out() -> None:
    found = render(make_filter().read())
    assert not any(series.startswith("authmw_revocation_last_answer") for series in found)


def test_without_requests_counted_no_decision_is_shown() -> None:
    metrics = FilterMetrics()
    metrics.decisions.add("rejected", "missing")
    assert table.DECISIONS not in metrics.read()


def test_series_can_be_written_as_json() -> None:
    metrics = make_filter()
    assert json.loads(json.dumps(render(metrics.read())))["authmw_cache_faults_total"] == 0


def test_names_follow_the_conventions_of_prometheus() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert metric.name.startswith("authmw_")
        assert metric.name.endswith("_total") is (metric.kind is Kind.COUNTER)
        assert metric.name.endswith("_seconds") or metric.kind is not Kind.HISTOGRAM
        assert metric.help.endswith(".")
        assert "le" not in metric.labels
