"""The WSGI apps that gunicorn serves in `benchmarks.under_gunicorn`."""

from __future__ import annotations

import json
import os
from typing import Final

from benchmarks.stage import WsgiApp, answer, protect_with_ours, protect_with_peer, silence_logs

# The environment variable with the filter's options, as JSON.
OPTIONS: Final = "AUTHMW_BENCHMARK_OPTIONS"


def make_app(contender: str) -> WsgiApp:
    """Return the app, bare or behind a filter; gunicorn calls this in its worker."""
    silence_logs()
    options = json.loads(os.environ[OPTIONS])
    if contender == "ours":
        return protect_with_ours(answer, options)
    if contender == "peer":
        return protect_with_peer(answer, options)
    return answer
