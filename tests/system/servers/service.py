"""The service behind the filters: it answers every request with what it was told.

A paste file names what stands here. One server holds several filters, each with options of
its own in front of the same service; the Host header says whom a request is for, so that
paths reach each of them exactly as they were sent.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from authmw.token import Token

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication

Loader = Any  # paste's own: get_app(name, global_conf=...)


def app_factory(global_conf: Mapping[str, str], **local_conf: str) -> WSGIApplication:
    """Return the service (paste.app_factory)."""
    return tell_what_was_seen


def choose_by_host(
    loader: Loader, global_conf: Mapping[str, str], **pipelines: str
) -> WSGIApplication:
    """Return an application that passes a request to the pipeline its Host header names.

    (paste.composite_factory)
    """
    applications: dict[str, WSGIApplication] = {
        host: loader.get_app(pipeline, global_conf=global_conf)
        for host, pipeline in pipelines.items()
    }

    def choose(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        application = applications.get(environ.get("HTTP_HOST", ""))
        if application is None:
            start_response("404 Not Found", [("Content-Length", "0")])
            return []
        return application(environ, start_response)

    return choose


def tell_what_was_seen(
    environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    """Answer with JSON, and with the status that a header `X-Answer` asks for."""
    # A chunked body may have trailers, which come last. Servers that don't know the extension
    # would wait for more than there is.
    terminated = environ.get("wsgi.input_terminated", False)
    environ["wsgi.input"].read(*([] if terminated else [int(environ.get("CONTENT_LENGTH") or 0)]))
    token = environ.get("authmw.token")
    seen = {
        "pid": os.getpid(),
        "path": [environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", "")],
        "headers": {key: value for key, value in environ.items() if key.startswith("HTTP_")},
        "token_info": environ.get("keystone.token_info"),
        "audit_id": token.audit_id if isinstance(token, Token) else None,
        "revision": token.revision if isinstance(token, Token) else None,
    }
    body = json.dumps(seen).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response(environ.get("HTTP_X_ANSWER", "200 OK"), headers)
    return [body]
