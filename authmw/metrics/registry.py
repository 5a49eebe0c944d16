"""The metrics of this process: those of all its filters together.

`stats()` is for whoever wants to look, in a shell or a debug page; `authmw.metrics.prometheus` and
`authmw.metrics.opentelemetry` read `REGISTRY`.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator

from authmw.metrics.filter_metrics import FilterMetrics, Reading, Value
from authmw.metrics.table import METRICS, Kind, Metric
from authmw.runtime.counts import SECONDS, Distribution
from authmw.runtime.process import PerProcess


class Registry:
    """The filters of this process that count requests (`metrics` is not none).

    What a filter counted stays counted when it is gone, since a counter never goes back.
    """

    def __init__(self) -> None:
        self._filters: tuple[FilterMetrics, ...] = ()
        self._gone: deque[FilterMetrics] = deque()
        self._retired: PerProcess[list[Reading]] = PerProcess(list)
        self._lock = PerProcess(threading.Lock)

    def add(self, metrics: FilterMetrics) -> None:
        """Read a filter's metrics from now on."""
        with self._lock.get():
            self._filters += (metrics,)
            self._fold()

    def retire(self, metrics: FilterMetrics) -> None:
        """Keep what a filter counted, and forget its gauges."""
        # Called by finalizers, which run anywhere, even where this thread holds the lock.
        self._gone.append(metrics)

    def read(self) -> Reading:
        """Return the values of now, of all filters together."""
        with self._lock.get():
            self._fold()
            return combine([*self._retired.get(), *(each.read() for each in self._filters)])

    def _fold(self) -> None:
        """Add up what filters counted that are gone."""
        while self._gone:
            metrics = self._gone.popleft()
            if metrics not in self._filters:
                continue
            self._filters = tuple(other for other in self._filters if other is not metrics)
            counted = {
                metric: values
                for metric, values in metrics.read().items()
                if metric.kind is not Kind.GAUGE
            }
            retired = self._retired.get()
            retired[:] = [combine([*retired, counted])]


def combine(readings: Iterable[Reading]) -> Reading:
    """Add up counters and histograms, and combine gauges as the table says; in its order."""
    combined: Reading = {metric: {} for metric in METRICS}
    for reading in readings:
        for metric, values in reading.items():
            for labels, value in values.items():
                known = combined[metric].get(labels)
                combined[metric][labels] = (
                    value if known is None else _combine_two(metric, known, value)
                )
    return combined


def _combine_two(metric: Metric, one: Value, other: Value) -> Value:
    if isinstance(one, Distribution) and isinstance(other, Distribution):
        return one + other
    assert not isinstance(one, Distribution)  # noqa: S101 - a metric has values of one kind
    assert not isinstance(other, Distribution)  # noqa: S101
    return metric.combine.apply(one, other)


REGISTRY = Registry()


def stats() -> dict[str, float]:
    """Return the metrics of this process; see `AuthMiddleware.stats` for those of one filter.

    Returns values by series, written as Prometheus does: `authmw_memory_bytes{subject="token"}`.
    """
    return render(REGISTRY.read())


def render(reading: Reading) -> dict[str, float]:
    """Return values by series, in the notation of Prometheus; labels without value are left out."""
    return dict(_iterate_series(reading))


def _iterate_series(reading: Reading) -> Iterator[tuple[str, float]]:
    for metric, values in reading.items():
        for labels, value in sorted(values.items()):
            if not isinstance(value, Distribution):
                yield _name(metric.name, metric.labels, labels), value
                continue
            bounds = [*map(str, SECONDS), "+Inf"]
            total = 0
            for bound, count in zip(bounds, value.buckets, strict=True):
                total += count
                names, more = (*metric.labels, "le"), (*labels, bound)
                yield _name(f"{metric.name}_bucket", names, more), total
            yield _name(f"{metric.name}_sum", metric.labels, labels), value.seconds
            yield _name(f"{metric.name}_count", metric.labels, labels), value.count


def _name(name: str, labels: tuple[str, ...], values: tuple[str, ...]) -> str:
    shown = [f'{label}="{value}"' for label, value in zip(labels, values, strict=True) if value]
    return f"{name}{{{','.join(shown)}}}" if shown else name
