"""What filters count: the table of metrics, the registry of this process, and the exporters.

authmw.metrics.stats()   # all filters of this process
middleware.stats()       # one filter
"""

from __future__ import annotations

from authmw.metrics.filter_metrics import FilterMetrics
from authmw.metrics.registry import REGISTRY, stats

__all__ = ["REGISTRY", "FilterMetrics", "stats"]
