"""Shows the metrics of this process with prometheus-client.

By itself, a process is asked for its metrics: a collector in prometheus-client's default registry
reads them. Of several processes behind one port, whichever is asked answers for all: in the
multiprocess mode of prometheus-client (PROMETHEUS_MULTIPROC_DIR) each process writes its values to
files, which here happens once a second and at its end. So requests write nothing (ADR 0108).
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

import prometheus_client
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.core import (
    Metric as Family,
)
from prometheus_client.registry import Collector

from authmw.errors import ConfigurationError
from authmw.metrics.filter_metrics import FilterMetrics, Value
from authmw.metrics.registry import REGISTRY
from authmw.metrics.table import Kind, Metric
from authmw.runtime.counts import SECONDS, Distribution, Labels
from authmw.runtime.process import PerProcess

_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
_PAUSE_SECONDS = 1.0
_BOUNDS = [*map(str, SECONDS), "+Inf"]


class RegistryCollector(Collector):
    """Reads the metrics whenever prometheus-client is asked for its own."""

    def collect(self) -> Iterator[Family]:
        """Yield each metric of the table with the values of now."""
        for metric, values in REGISTRY.read().items():
            yield _make_family(metric, values)

    def describe(self) -> Iterator[Family]:
        """Yield nothing: the values need not be read to register this."""
        return iter(())


def _make_family(metric: Metric, values: dict[Labels, Value]) -> Family:
    if metric.kind is Kind.HISTOGRAM:
        histogram = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
        for labels, value in values.items():
            assert isinstance(value, Distribution)  # noqa: S101 - a histogram has no others
            buckets = list(zip(_BOUNDS, accumulate(map(float, value.buckets)), strict=True))
            histogram.add_metric(labels, buckets, value.seconds)
        return histogram
    kind = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    family = kind(metric.base_name, metric.help, labels=metric.labels)
    for labels, value in values.items():
        assert not isinstance(value, Distribution)  # noqa: S101
        family.add_metric(labels, value)
    return family


class MultiprocessWriter:
    """Writes the values of this process to its files; `Refreshable`.

    Attributes:
        reload_at: when to write next, epoch seconds.
    """

    def __init__(self) -> None:
        self.reload_at = 0.0
        # Made by the process that uses them. There is one of each: prometheus-client's objects
        # hold what they wrote, so that two of one series would overwrite each other.
        self._lock = PerProcess(threading.RLock)
        self._objects: PerProcess[dict[Metric, Any]] = PerProcess(dict)
        self._written: PerProcess[dict[tuple[Metric, Labels], float]] = PerProcess(dict)

    def reload(self, now: float) -> None:
        """Write what has changed."""
        self.reload_at = now + _PAUSE_SECONDS
        self.flush()

    def flush(self) -> None:
        """Write what has changed, now."""
        with self._lock.get():
            written = self._written.get()
            for metric, values in REGISTRY.read().items():
                for labels, value in values.items():
                    # Histograms are written at each event.
                    if not isinstance(value, Distribution):
                        self._write(metric, labels, value, written)

    def _write(
        self,
        metric: Metric,
        labels: Labels,
        value: float,
        written: dict[tuple[Metric, Labels], float],
    ) -> None:
        known = written.get((metric, labels))
        if value == known:
            return
        child = self._child(metric, labels)
        if metric.kind is Kind.COUNTER:
            # Counters of one process are added to, as another with its id may have been before.
            child.inc(value - (known or 0.0))
        else:
            child.set(value)
        written[metric, labels] = value

    def listen(self, metric: Metric) -> Callable[[Labels, float], None]:
        """Return what writes each event of a histogram at once."""

        def observe(labels: Labels, seconds: float) -> None:
            with self._lock.get():
                child = self._child(metric, labels)
            child.observe(seconds)

        return observe

    def _child(self, metric: Metric, labels: Labels) -> Any:
        objects = self._objects.get()
        found = objects.get(metric)
        if found is None:
            # Not before it has a value: one without labels would begin with 0.
            found = objects[metric] = _make_object(metric)
        return found.labels(*labels) if labels else found


def _make_object(metric: Metric) -> Any:
    arguments: dict[str, Any] = {"labelnames": metric.labels, "registry": None}
    if metric.kind is Kind.COUNTER:
        return prometheus_client.Counter(metric.base_name, metric.help, **arguments)
    if metric.kind is Kind.HISTOGRAM:
        return prometheus_client.Histogram(metric.name, metric.help, buckets=SECONDS, **arguments)
    # Of the processes that are alive, as far as somebody calls mark_process_dead().
    mode: Any = f"live{metric.combine.value}"
    return prometheus_client.Gauge(metric.name, metric.help, multiprocess_mode=mode, **arguments)


_once = threading.Lock()
_writer: MultiprocessWriter | None = None
_is_registered = False


def export(metrics: FilterMetrics) -> MultiprocessWriter | None:
    """Show the metrics of this process, and write each event of a filter's histograms.

    Returns what has to be kept fresh for that; None: nothing.

    Raises:
        ConfigurationError: the directory of the multiprocess mode can't be written to.
    """
    global _writer, _is_registered
    directory = os.environ.get(_DIRECTORY)
    with _once:
        if directory is None:
            if not _is_registered:
                _is_registered = True
                prometheus_client.REGISTRY.register(RegistryCollector())
            return None
        if not Path(directory).is_dir() or not os.access(directory, os.W_OK):
            raise ConfigurationError(
                "metrics",
                "prometheus",
                f"make the directory that {_DIRECTORY} = {directory} names, writable for this "
                "user, and empty it before each start, or unset the variable.",
            )
        if _writer is None:
            _writer = MultiprocessWriter()
            # Runs in children as well: each writes its own last values.
            atexit.register(_writer.flush)
    for metric, latencies in metrics.histograms.items():
        latencies.listeners += (_writer.listen(metric),)
    return _writer
