"""What filters count: the table of metrics, the registry of this process, and the exporters.

authmw.metrics.stats()   # all filters of this process
middleware.stats()       # one filter

The registry is loaded at first use: a filter without metrics does not need it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from authmw.metrics.filter_metrics import FilterMetrics

if TYPE_CHECKING:
    from authmw.metrics.registry import REGISTRY, stats

__all__ = ["REGISTRY", "FilterMetrics", "stats"]


def __getattr__(name: str) -> Any:
    if name not in ("REGISTRY", "stats"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from authmw.metrics import registry

    return getattr(registry, name)
