"""The service that is hosted here: it tells who is calling, and how it is run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from typing import Any

LOADED_BY = os.getpid()
CONF_VARIABLE = "HOSTED_SERVICE_CONF"
"""Of the environment: tells a process where the configuration file of its filter is."""


def tell_who_called(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer with JSON: see `tests.system.servers.hosted.Told`."""
    told = {
        "pid": os.getpid(),
        "loaded_by": LOADED_BY,
        "user": environ.get("HTTP_X_USER_NAME"),
    }
    body = json.dumps(told).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]
