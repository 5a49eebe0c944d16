"""Builds worlds in a real Keystone, and says what it answers about tokens: a program.

Keystone runs in this process, with its database, its cache and its WSGI application, so that a
world of some dozens of objects takes a fraction of a second. Each line of standard input is a world
(`tests/bundle/worlds.py`), each line of standard output the answer to it.

Tokens are signed as Keystone signs its own, whether it would have issued them or not: what it says
about a token that nobody should have is compared as well.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
from collections.abc import Callable
from typing import Any
from wsgiref.util import setup_testing_defaults

from tests.support.keystone_world import World

# What Keystone raises about what it does not foresee: a token on the project that acts as a domain,
# a trust that ends, redelegated from one that does not.
_UNFORESEEN = (AttributeError, KeyError, TypeError)
# Half the time for which Keystone's tokens are valid: a thousand worlds may take longer.
_ADMIN_TOKEN_SECONDS = 1800


class WorldBuilder:
    """Keystone in this process, configured by OS_KEYSTONE_CONFIG_FILES."""

    def __init__(self, admin_password: str) -> None:
        sys.argv = ["keystone"]
        from keystone import exception
        from keystone.common import provider_api, sql
        from keystone.server import wsgi

        sql.core._get_main_context_manager().configure(
            # It would give its turn to others after each statement, and wait for it on a busy host.
            thread_checkin=False,
            # As in other databases: else rows that refer to a deleted credential stay in SQLite,
            # and belong to the next one, which gets the same number.
            sqlite_fk=True,
        )
        self._application = wsgi.initialize_public_application()
        self._error: type[Exception] = exception.Error
        self.apis: Any = provider_api.ProviderAPIs
        self._admin_password = admin_password
        self._admin_token = self._log_in()
        self._log_in_again_at = time.monotonic() + _ADMIN_TOKEN_SECONDS
        self.admin_project_id: str = self.apis.resource_api.get_project_by_name("admin", "default")[
            "id"
        ]

    def _log_in(self) -> str:
        domain = {"id": "default"}
        user = {"name": "admin", "domain": domain, "password": self._admin_password}
        auth = {
            "identity": {"methods": ["password"], "password": {"user": user}},
            # Keystone remembers the roles on a project, and not those on the system.
            "scope": {"project": {"name": "admin", "domain": {"id": "default"}}},
        }
        status, headers, _ = self.call("POST", "/v3/auth/tokens", body={"auth": auth})
        assert status == 201, status
        return headers["X-Subject-Token"]

    def call(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        body: object = None,
    ) -> tuple[int, dict[str, str], Any]:
        """Send one request to Keystone's application; returns status, headers and JSON."""
        content = b"" if body is None else json.dumps(body).encode()
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(content)),
            "wsgi.input": io.BytesIO(content),
        }
        for name, value in (headers or {}).items():
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
        setup_testing_defaults(environ)
        answered: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> None:
            answered[:] = [int(status[:3]), dict(headers)]

        text = b"".join(self._application(environ, start_response))
        return answered[0], answered[1], json.loads(text) if text else None

    def judge(self, token: str) -> tuple[int, Any]:
        """Return what GET /v3/auth/tokens says: the status and the token body, or the error."""
        headers = {
            "X-Auth-Token": self._admin_token,
            "X-Subject-Token": token,
            "OpenStack-Identity-Access-Rules": "1.0",
        }
        try:
            status, _, body = self.call("GET", "/v3/auth/tokens", headers)
        except _UNFORESEEN:
            return 500, {}
        return status, body["token"] if status == 200 else body

    def build(self, world: dict[str, Any]) -> dict[str, Any]:
        """Build one world, sign its tokens, change it, and have Keystone judge them."""
        began_at = time.monotonic()
        if began_at > self._log_in_again_at:
            self._admin_token = self._log_in()
            self._log_in_again_at = began_at + _ADMIN_TOKEN_SECONDS
        forget_last_request()
        made = World(self, world)
        tokens = [made.sign(each) for each in world["tokens"]]
        for change in world["changes"]:
            made.change(*change)
        built_at = time.monotonic()
        clear_caches()
        answers = []
        for token in tokens:
            status, body = self.judge(token)
            answers.append({"token": token, "status": status, "body": body})
        forget_last_request()
        return {
            "answers": answers,
            "ignored": made.ignored,
            "seconds": [built_at - began_at, time.monotonic() - built_at],
        }

    def attempt(self, act: Callable[[], Any]) -> Any:
        """Do what Keystone may refuse; a refused part of a world is left out (None)."""
        with contextlib.suppress(self._error, *_UNFORESEEN):
            return act()
        return None


def forget_last_request() -> None:
    """Forget the context of the last request, whose local cache Keystone would go on to use."""
    from oslo_context import context

    context._request_store.context = None


def clear_caches() -> None:
    """Forget what was memoised: Keystone's managers forget most of it when they change things."""
    import keystone.assignment.core
    import keystone.catalog.core
    import keystone.identity.core
    import keystone.revoke.core
    import keystone.token.provider
    from keystone.common import cache

    for region in (
        cache.CACHE_REGION,
        keystone.assignment.core.COMPUTED_ASSIGNMENTS_REGION,
        keystone.catalog.core.COMPUTED_CATALOG_REGION,
        keystone.revoke.core.REVOKE_REGION,
        keystone.token.provider.TOKENS_REGION,
    ):
        region.invalidate()
    forget_last_request()


def main(admin_password: str) -> None:
    """Build a world for each line of standard input."""
    builder = WorldBuilder(admin_password)
    print(json.dumps("ready"), flush=True)  # noqa: T201
    for line in sys.stdin:
        print(json.dumps(builder.build(json.loads(line))), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1])
