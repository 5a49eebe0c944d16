"""A small service of the kind authmw protects: every project has its own list of items.

It knows nothing of tokens. It reads the caller from the headers that the filter sets and applies
its own policy: readers list, members add.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from wsgiref.types import StartResponse

WsgiApp = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]

_NEEDED_ROLE = {"GET": "reader", "POST": "member"}


class Inventory:
    """The service: GET /health, GET /v1/items, POST /v1/items."""

    def __init__(self) -> None:
        self._items: dict[str, list[str]] = {}
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        if environ["PATH_INFO"] == "/health":
            return _send_json(start_response, "200 OK", {"caller": "anyone"})
        caller = describe_caller(environ)
        method = environ["REQUEST_METHOD"]
        roles = environ.get("HTTP_X_ROLES", "").split(",")
        if environ["PATH_INFO"] != "/v1/items" or method not in _NEEDED_ROLE:
            return _send_json(start_response, "404 Not Found", {"caller": caller})
        if _NEEDED_ROLE[method] not in roles:
            return _send_json(start_response, "403 Forbidden", {"caller": caller})
        owner = environ.get("HTTP_X_PROJECT_ID", "")
        with self._lock:
            owned = self._items.setdefault(owner, [])
            if method == "POST":
                owned.append(f"item {len(owned) + 1}")
            items = list(owned)
        status = "201 Created" if method == "POST" else "200 OK"
        return _send_json(start_response, status, {"caller": caller, "items": items})


def app_factory(_global_conf: Mapping[str, str], **_local_conf: str) -> WsgiApp:
    """Make the service for a paste pipeline."""
    return Inventory()


def describe_caller(environ: Mapping[str, Any]) -> str:
    """Return one line about the caller, from the filter's headers."""
    if environ.get("HTTP_OPENSTACK_SYSTEM_SCOPE") == "all":
        scope = "the whole system"
    elif "HTTP_X_PROJECT_NAME" in environ:
        scope = f"project {environ['HTTP_X_PROJECT_NAME']}"
    elif "HTTP_X_DOMAIN_NAME" in environ:
        scope = f"domain {environ['HTTP_X_DOMAIN_NAME']}"
    else:
        scope = "nothing"
    user = environ.get("HTTP_X_USER_NAME") or environ.get("HTTP_X_USER_ID")
    if "HTTP_X_USER_DOMAIN_NAME" in environ:
        user = f"{user} of {environ['HTTP_X_USER_DOMAIN_NAME']}"
    caller = f"{user}, on {scope}, as {environ.get('HTTP_X_ROLES')}"
    if environ.get("HTTP_X_SERVICE_IDENTITY_STATUS") == "Confirmed":
        caller += f"; sent by {environ.get('HTTP_X_SERVICE_USER_NAME')}"
    return caller


def _send_json(
    start_response: StartResponse, status: str, document: Mapping[str, object]
) -> Iterable[bytes]:
    body = json.dumps(document).encode("utf-8")
    start_response(
        status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    )
    return [body]
