"""What one filter counts, and where its gauges are read from."""

from __future__ import annotations

from collections.abc import Callable

from authmw.metrics import table
from authmw.metrics.table import Metric
from authmw.runtime.counts import Count, Distribution, Labels, Latencies, Tally

Value = float | Distribution
Reading = dict[Metric, dict[Labels, Value]]
"""Values by metric and labels; a histogram's is a `Distribution`."""


class FilterMetrics:
    """The counts and gauges of one filter. Its parts count in what they are given of it.

    What a validation or anything slower does is always counted: it costs nothing beside it.

    Args:
        is_on: whether requests are counted as well, at their cost (`metrics` is not none). If
            not, decisions and hits in memory are not read, since those known would be too few.

    Attributes:
        hits: requests that were accepted because memory holds their token; None: not counted.
            Each is a decision and a look-up as well.
    """

    def __init__(self, *, is_on: bool = False) -> None:
        self.is_on = is_on
        self.hits: Count | None = Count() if is_on else None
        self.decisions = Tally()
        self.hook_refusals = Tally()
        self.requirement_refusals = Count()
        self.lookups = Tally()
        self.cache_faults = Count()
        self.validations = Latencies()
        self.flights_joined = Tally()
        self.identity_calls = Tally()
        self.identity_call_seconds = Latencies()
        self.refresh_failures = Tally()
        self.bundle_waits = Tally()
        self.shadow_comparisons = Tally()
        self.shadow_differences = Tally()
        self._gauges: list[tuple[Metric, Labels, Callable[[], float | None]]] = []

    def watch(self, metric: Metric, read: Callable[[], float | None], *labels: str) -> None:
        """Read a gauge from now on.

        Args:
            metric: of the table.
            read: returns its value, without I/O; None: there is none yet.
            labels: their values.
        """
        self._gauges.append((metric, labels, read))

    @property
    def histograms(self) -> dict[Metric, Latencies]:
        """The histograms, for exporters that have to see each event."""
        return {
            table.VALIDATIONS: self.validations,
            table.IDENTITY_CALL_SECONDS: self.identity_call_seconds,
        }

    def read(self) -> Reading:
        """Return the values of now."""
        reading: Reading = {metric: dict(counts) for metric, counts in self._read_counts().items()}
        for metric, latencies in self.histograms.items():
            reading[metric] = dict(latencies.read())
        return reading | self._read_gauges()

    def _read_gauges(self) -> Reading:
        gauges: dict[Metric, dict[Labels, float]] = {}
        for metric, labels, read in self._gauges:
            value = read()
            if value is not None:
                values = gauges.setdefault(metric, {})
                # Several records of one issuer, one for each tenant, have one name.
                known = values.get(labels)
                values[labels] = value if known is None else metric.combine.apply(known, value)
        return {metric: dict(values) for metric, values in gauges.items()}

    def _read_counts(self) -> dict[Metric, dict[Labels, int]]:
        counts: dict[Metric, dict[Labels, int]] = {
            table.HOOK_REFUSALS: self.hook_refusals.read(),
            table.REQUIREMENT_REFUSALS: {(): self.requirement_refusals.read()},
            table.LOOKUPS: self.lookups.read(),
            table.CACHE_FAULTS: {(): self.cache_faults.read()},
            table.FLIGHTS_JOINED: self.flights_joined.read(),
            table.IDENTITY_CALLS: self.identity_calls.read(),
            table.REFRESH_FAILURES: self.refresh_failures.read(),
            table.BUNDLE_WAITS: self.bundle_waits.read(),
            table.SHADOW_COMPARISONS: self.shadow_comparisons.read(),
            table.SHADOW_DIFFERENCES: self.shadow_differences.read(),
        }
        if self.hits is not None:
            hits = self.hits.read()
            decisions = counts[table.DECISIONS] = self.decisions.read()
            for by_labels, labels in (
                (decisions, ("accepted", "")),
                (counts[table.LOOKUPS], ("memory", "hit")),
            ):
                by_labels[labels] = by_labels.get(labels, 0) + hits
        return counts
