"""A backend for oslo.middleware's healthcheck: is the filter of this process ready?

    [app:healthcheck]
    paste.app_factory = oslo_middleware:Healthcheck.app_factory
    backends = authmw

(Entry point `oslo.middleware.healthcheck`.) Only what loads it needs oslo.middleware.
"""

from __future__ import annotations

import logging
from typing import Any

from authmw.readiness import Health, health
from authmw.runtime.libraries import importing_quietly

with importing_quietly():
    from oslo_middleware.healthcheck.pluginbase import (
        HealthcheckBaseExtension,
        HealthcheckResult,
    )

_log = logging.getLogger(__name__)


class FilterHealthcheck(HealthcheckBaseExtension):
    """Asks about all filters of this process; see `authmw.health`.

    Why one isn't ready is in the log, and in the answer only with `detailed = true`: it names
    addresses and files, and anybody may ask.
    """

    def __init__(self, oslo_conf: Any, conf: dict[str, Any]) -> None:
        super().__init__(oslo_conf, conf)
        self._latest: Health | None = None

    def healthcheck(self, server_port: int) -> HealthcheckResult:  # noqa: ARG002
        """Answer one question."""
        found = health()
        # Probes come every few seconds: only a change is logged.
        if found != self._latest:
            if not found.ready:
                _log.warning("not ready: %s", "; ".join(found.reasons))
            elif self._latest is not None:
                _log.warning("ready again")
            self._latest = found
        return HealthcheckResult(
            available=found.ready,
            reason="OK" if found.ready else "NOT READY",
            details="; ".join(found.reasons),
        )
