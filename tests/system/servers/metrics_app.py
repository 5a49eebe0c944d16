"""What Prometheus asks: an app that answers with the metrics of all processes of its server.

So doc/metrics.rst tells operators to do it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import prometheus_client
import prometheus_client.multiprocess

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication


def app_factory(global_conf: Mapping[str, str], **local_conf: str) -> WSGIApplication:
    """Return the app (paste.app_factory)."""
    registry = prometheus_client.CollectorRegistry()
    prometheus_client.multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return prometheus_client.make_wsgi_app(registry)
