"""OpenTelemetry's SDK shows what the process counts, under names that lead back to Prometheus'."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry import metrics as api
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from authmw.metrics import REGISTRY, FilterMetrics, table
from authmw.metrics.opentelemetry import export, name_instrument
from authmw.metrics.table import METRICS, Kind


@pytest.fixture(scope="module")
def reader() -> InMemoryMetricReader:
    """A provider that is set after the instruments were made, as after a fork."""
    export(FilterMetrics(is_on=True))
    reader = InMemoryMetricReader()
    api.set_meter_provider(MeterProvider([reader], shutdown_on_exit=False))
    return reader


def read(reader: InMemoryMetricReader) -> dict[tuple[str, str], Any]:
    """Return the data points by name and attributes."""
    found = {}
    data = reader.get_metrics_data()
    assert data is not None
    for metric in data.resource_metrics[0].scope_metrics[0].metrics:
        for point in metric.data.data_points:
            attributes = " ".join(
                f"{name}={value!s}" for name, value in dict(point.attributes or {}).items()
            )
            found[metric.name, attributes] = point
    return found


def test_counters_gauges_and_histograms_are_shown(reader: InMemoryMetricReader) -> None:
    metrics = FilterMetrics(is_on=True)
    export(metrics)
    REGISTRY.add(metrics)
    metrics.decisions.add("rejected", "wrong_claim")
    metrics.watch(table.MEMORY_BYTES, lambda: 12345, "token")
    metrics.validations.observe(("issuer", "acme", "accepted"), 0.003)
    metrics.validations.observe(("remote", "", "accepted"), 0.003)
    found = read(reader)
    assert found["authmw.decisions", "outcome=rejected reason=wrong_claim"].value == 1
    assert found["authmw.memory", "subject=token"].value >= 12345
    duration = found["authmw.validation.duration", "kind=issuer issuer=acme outcome=accepted"]
    assert (duration.count, duration.sum) == (1, 0.003)
    assert ("authmw.validation.duration", "kind=remote outcome=accepted") in found
    REGISTRY.retire(metrics)


def test_the_names_lead_back_to_those_of_prometheus() -> None:
    """As the specification says: dots become underscores, the unit and _total are appended."""
    units = {"s": "_seconds", "By": "_bytes", "1": ""}
    for metric in METRICS:
        name, unit = name_instrument(metric)
        total = "_total" if metric.kind is Kind.COUNTER else ""
        assert f"{name.replace('.', '_')}{units[unit]}{total}" == metric.name
