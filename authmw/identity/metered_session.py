"""An `IdentitySession` whose calls are counted and timed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from authmw.identity.call_meter import CallMeter
from authmw.identity.json_response import JsonResponse
from authmw.identity.session import IdentitySession

if TYPE_CHECKING:
    from keystoneauth1.plugin import BaseAuthPlugin

    from authmw.config.settings import Settings
    from authmw.identity.server_clock import ServerClock


class MeteredSession(IdentitySession):
    """Our own authentication, where a call needs it, is part of the call.

    Args:
        settings, plugin, server_clock: see `IdentitySession`.
        meter: counts and times the calls.
    """

    def __init__(
        self,
        settings: Settings,
        plugin: BaseAuthPlugin,
        meter: CallMeter,
        server_clock: ServerClock | None = None,
    ) -> None:
        super().__init__(settings, plugin, server_clock)
        self._meter = meter

    def fetch_token(self, path: str, headers: Mapping[str, str]) -> dict[str, object]:
        with self._meter.measure("validate"):
            return super().fetch_token(path, headers)

    def fetch_json(self, path: str) -> JsonResponse:
        # The only other document of the API that is asked for.
        with self._meter.measure("events"):
            return super().fetch_json(path)

    def validate_own_token(self) -> None:
        with self._meter.measure("probe"):
            super().validate_own_token()
