"""Shows the metrics of this process by the meter provider that the service has set.

The names are Prometheus' with dots, the unit apart: an exporter from OpenTelemetry to Prometheus
makes the names of the table of them. Only the API is used: without a provider nothing is shown,
and one that is set after a fork is found.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from opentelemetry import metrics as api

from authmw.metrics.filter_metrics import FilterMetrics
from authmw.metrics.registry import REGISTRY
from authmw.metrics.table import METRICS, Kind, Metric
from authmw.runtime.counts import SECONDS, Distribution, Labels

_UNITS = {"_seconds": "s", "_bytes": "By"}

_once = threading.Lock()
_histograms: dict[Metric, api.Histogram] = {}


def export(metrics: FilterMetrics) -> None:
    """Show the metrics of this process, and record each event of a filter's histograms."""
    with _once:
        if not _histograms:
            meter = api.get_meter("authmw")
            for metric in METRICS:
                _make_instrument(meter, metric)
    for metric, latencies in metrics.histograms.items():
        latencies.listeners += (partial(_record, _histograms[metric], metric.labels),)


def _make_instrument(meter: api.Meter, metric: Metric) -> None:
    name, unit = name_instrument(metric)
    if metric.kind is Kind.HISTOGRAM:
        _histograms[metric] = meter.create_histogram(
            name, unit, metric.help, explicit_bucket_boundaries_advisory=SECONDS
        )
        return
    make: Callable[..., object] = (
        meter.create_observable_counter
        if metric.kind is Kind.COUNTER
        else meter.create_observable_gauge
    )
    make(name, callbacks=[partial(_observe, metric)], unit=unit, description=metric.help)


def name_instrument(metric: Metric) -> tuple[str, str]:
    """Return name and unit (UCUM) of a metric's instrument."""
    for suffix, unit in _UNITS.items():
        if metric.base_name.endswith(suffix):
            return metric.base_name.removesuffix(suffix).replace("_", "."), unit
    return metric.base_name.replace("_", "."), "1"


def _observe(metric: Metric, _options: api.CallbackOptions) -> Iterator[api.Observation]:
    for labels, value in REGISTRY.read()[metric].items():
        assert not isinstance(value, Distribution)  # noqa: S101 - histograms are recorded
        yield api.Observation(value, _attributes(metric.labels, labels))


def _record(histogram: api.Histogram, names: Sequence[str], labels: Labels, seconds: float) -> None:
    histogram.record(seconds, _attributes(names, labels))


def _attributes(names: Sequence[str], labels: Labels) -> dict[str, str]:
    return {name: value for name, value in zip(names, labels, strict=True) if value}
