"""Makes what a filter counts in, and shows it as `metrics` says."""

from __future__ import annotations

import weakref
from typing import Protocol

from authmw.config.settings import Settings
from authmw.errors import ConfigurationError
from authmw.metrics import FilterMetrics
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
    if settings.metrics in _LIBRARIES:
        from authmw.runtime.extras import how_to_install, is_installed

        if not is_installed(_LIBRARIES[settings.metrics]):
            raise ConfigurationError(
                "metrics",
                settings.metrics,
                f"its library is missing: {how_to_install(settings.metrics)}.",
            )
    return FilterMetrics(is_on=settings.metrics != "none")


def show_metrics(parts: _Parts) -> None:
    """Show what a filter counts, as long as it lives.

    Raises:
        ConfigurationError: PROMETHEUS_MULTIPROC_DIR names no directory.
    """
    metrics, export = parts.metrics, parts.settings.metrics
    if not metrics.is_on:
        return
    # Imported here: a filter without metrics needs no registry, and loads the library it uses.
    from authmw.metrics import REGISTRY

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
