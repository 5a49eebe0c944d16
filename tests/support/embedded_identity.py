"""Filters that verify the tokens of an embedded identity server."""

from __future__ import annotations

import time
from pathlib import Path

from authmw.testing import IdentityServer
from tests.support.clock import Clock
from tests.support.filters import Filter


def make_filter(server: IdentityServer, keys: Path, clock: Clock, **options: str) -> Filter:
    """Return a filter that verifies this server's tokens, and polls no revocation events."""
    server.issuer.write_public_key(keys)
    return Filter(
        {
            **server.service_credentials,
            "jws_public_key_repository": str(keys),
            "token_validation": "offline",
            "revocation_poll_interval": "0",
            "authority_cache_time": "60",
            "http_request_max_retries": "0",
            **options,
        },
        clock,
    )


def wait_for_validations(server: IdentityServer, count: int) -> None:
    """Return once the server was asked to validate so many tokens; fail if never."""
    give_up_at = time.monotonic() + 20
    while server.calls["validate"] < count:
        assert time.monotonic() < give_up_at, f"{server.calls['validate']} of {count}"
        time.sleep(0.01)
