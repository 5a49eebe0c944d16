"""Makes what a filter counts in, and shows it as `metrics` says."""

from __future__ import annotations

import importlib.util
import weakref
from typing import Protocol

from authmw.config.settings import Settings
from authmw.errors import ConfigurationError
from authmw.metrics import REGISTRY, FilterMetrics
from authmw.runtime.refresh import Refresher

_LIBRARIES = {"prometheus": "prometheus_client", "opentelemetry": "opentelemetry.metrics"}


class _Parts(Protocol):
    """The parts of a filter; see `FilterParts`."""

    settings: Settings
    metrics: FilterMetrics
    refresher: Refresher


def make_metrics(settings: Settings) -> FilterMetrics:
    """Return what the parts of a filter count in.

    Raises:
        ConfigurationError: the library that shows them is not installed.
    """
    if settings.metrics in _LIBRARIES and not _is_installed(_LIBRARIES[settings.metrics]):
        raise ConfigurationError(
            "metrics",
            settings.metrics,
            f"its library is not installed: pip install 'authmw[{settings.metrics}]'.",
        )
    return FilterMetrics(is_on=settings.metrics != "none")


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of its package
        return False


def show_metrics(parts: _Parts) -> None:
    """Show what a filter counts, as long as it lives.

    Raises:
        ConfigurationError: PROMETHEUS_MULTIPROC_DIR names no directory.
    """
    metrics, export = parts.metrics, parts.settings.metrics
    if not metrics.is_on:
        return
    # Each is imported here: a filter loads the library that it uses.
    if export == "prometheus":
        from authmw.metrics.prometheus import export as export_to_prometheus

        writer = export_to_prometheus(metrics)
        if writer is not None:
            parts.refresher.add(writer, in_background=True)
    elif export == "opentelemetry":
        from authmw.metrics.opentelemetry import export as export_to_opentelemetry

        export_to_opentelemetry(metrics)
    REGISTRY.add(metrics)
    weakref.finalize(parts, REGISTRY.retire, metrics)
