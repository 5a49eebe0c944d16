"""Writes the metrics of a sync process in Prometheus' text format, for node_exporter to read."""

from __future__ import annotations

from pathlib import Path

from authmw.bundle.sync.status import FilesState, SyncStatus, write_text
from authmw.metrics import table
from authmw.metrics.filter_metrics import Reading, Value
from authmw.metrics.registry import render
from authmw.runtime.counts import Labels

_MODE = 0o644


def read_metrics(status: SyncStatus, files: FilesState) -> Reading:
    """Return the values of the table's metrics for a site."""
    site = (status.site,)
    values: dict[table.Metric, dict[Labels, float | None]] = {
        table.SYNC_SUCCESS: {site: status.last_success_at},
        table.SYNC_ATTEMPTS: {(*site, name): number for name, number in status.attempts.items()},
        table.SYNC_BYTES: {site: status.received_bytes},
        table.SYNC_REVISION: {site: files.confirmed_revision},
        table.SYNC_FACTS: {site: files.confirmed_read_at},
        table.SYNC_EVENTS: {site: files.events_read_at},
        table.SYNC_EXPIRY: {
            (*site, role): state["expires_at"] for role, state in status.roles.items()
        },
    }
    return {metric: _known(values[metric]) for metric in table.SYNC_METRICS}


def _known(values: dict[Labels, float | None]) -> dict[Labels, Value]:
    return {labels: value for labels, value in values.items() if value is not None}


def write_metrics(path: Path, status: SyncStatus, files: FilesState) -> None:
    """Write them in one step. Raises OSError."""
    lines = []
    for metric, values in read_metrics(status, files).items():
        if values:
            lines.append(f"# HELP {metric.name} {metric.help}")
            lines.append(f"# TYPE {metric.name} {metric.kind.value}")
            lines += [f"{name} {value}" for name, value in render({metric: values}).items()]
    write_text(path, "".join(f"{line}\n" for line in lines), _MODE)
