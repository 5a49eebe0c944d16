"""A filter in this process, called as a server would call it, with a clock of the test's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from wsgiref.util import setup_testing_defaults

from authmw.build import FilterParts, build_filter_parts
from authmw.token import Token
from tests.support.clock import Clock


@dataclass(frozen=True)
class Told:
    """What came of one request.

    Attributes:
        status: 200 if the service would have seen it.
        headers: the identity headers, as environ entries.
        token_info, token: `keystone.token_info` and `authmw.token`; None where there is none.
        retry_after: seconds, of a rejection.
    """

    status: int
    headers: dict[str, str]
    token_info: dict[str, Any] | None
    token: Token | None = None
    retry_after: int | None = None


class Filter:
    """One filter in front of nothing.

    Args:
        options: as in a paste file.
        clock: its time.
    """

    def __init__(self, options: dict[str, str], clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self._parts = build_filter_parts(
            {**options, "oslo_config_config": _empty_conf()}, clock=self.clock
        )

    @property
    def generation(self) -> object:
        """Stands for what decides about tokens in memory; another one has them judged again."""
        return self._parts.authenticator._revalidation.generation

    @property
    def parts(self) -> FilterParts:
        return self._parts

    def ask(
        self,
        token: str,
        path: str = "/v1/items",
        *,
        service_token: str | None = None,
        min_revision: object = None,
    ) -> Told:
        environ: dict[str, Any] = {"HTTP_X_AUTH_TOKEN": token, "PATH_INFO": path}
        if service_token is not None:
            environ["HTTP_X_SERVICE_TOKEN"] = service_token
        if min_revision is not None:
            environ["HTTP_X_AUTHMW_MIN_REVISION"] = str(min_revision)
        setup_testing_defaults(environ)
        rejection = self._parts.authenticator.authenticate(environ)
        headers = {
            name: value
            for name, value in environ.items()
            if name.startswith(("HTTP_X_", "HTTP_OPENSTACK_")) and name != "HTTP_X_AUTH_TOKEN"
        }
        status = 200 if rejection is None else rejection.status
        return Told(
            status,
            headers,
            environ.get("keystone.token_info"),
            environ.get("authmw.token"),
            None if rejection is None else rejection.retry_after,
        )

    def close(self) -> None:
        """End what works in the background."""
        self._parts.close()


def _empty_conf() -> Any:
    from oslo_config import cfg

    return cfg.ConfigOpts()
