"""Reads what Keystone says of an error, and makes it fit to be quoted in a log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from authmw.jose.strict_json import parse_json_object

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

# Fields of a request that carry credentials.
_SECRET_FIELDS = ("X-Auth-Token", "X-Subject-Token", "X-Service-Token", "Authorization")
# A message may quote what an authentication request says of users and scopes (Identity API v3,
# "Password authentication with scoped authorization"), and nothing else of it.
_NAMED = frozenset({"user", "project", "domain", "OS-TRUST:trust", "application_credential"})
# What a web server answers to HTTP on a port where it speaks TLS: Apache, nginx, Go, HAProxy.
_WANTS_TLS = (
    b"speaking plain http to an ssl-enabled server port",
    b"the plain http request was sent to https port",
    b"client sent an http request to an https server",
)


def read_keystone_error(response: Response) -> str | None:
    """Return the message of Keystone's own error for this very status; None for any other body.

    Identity API v3, "Response status codes": {"error": {"code": 404, "message": ...}}.
    """
    try:
        error = parse_json_object(response.content).get("error")
    except (ValueError, RecursionError):
        return None
    if not isinstance(error, dict) or error.get("code") != response.status_code:
        return None
    message = error.get("message")
    return message if isinstance(message, str) else ""


def quote_status(response: Response) -> str:
    """Return the status of a response, and Keystone's message if it is Keystone's.

    A message that quotes a credential that was sent is left out. (To replace the credential would
    show which word of a known message it is.)
    """
    status = f"HTTP {response.status_code}"
    says = read_keystone_error(response)
    if not says:
        return status
    if quotes_secret(says, response.request):
        return f"{status}, with a message that quotes our credentials"
    return f'{status}, "{says}"'


def wants_tls(response: Response) -> bool:
    """Tell whether a web server says that it speaks TLS at this port."""
    if response.status_code != 400 or not (response.url or "").startswith("http:"):
        return False
    page = response.content[:4096].replace(b"&#39;", b"'").lower()
    return any(sentence in page for sentence in _WANTS_TLS)


def quotes_secret(text: str, request: PreparedRequest) -> bool:
    """Tell whether a text holds a credential that the request carried.

    As it is, or as Python or JSON write it.
    """
    return any(
        form in text
        for secret in _find_secrets(request)
        for form in (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1])
    )


def _find_secrets(request: PreparedRequest) -> Iterator[str]:
    for name in _SECRET_FIELDS:
        value = request.headers.get(name)
        if value:
            yield value.decode("latin-1") if isinstance(value, bytes) else value
    body = request.body
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    if not isinstance(text, str):
        return
    try:
        yield from _find_texts(json.loads(text), "", "")
    except (ValueError, RecursionError):
        yield from (value for _, value in parse_qsl(text) if value)


def _find_texts(value: Any, name: str, parent: str) -> Iterator[str]:
    """Yield every text but the names and ids of users and scopes, and names of methods."""
    if isinstance(value, dict):
        for member, inner in value.items():
            yield from _find_texts(inner, member, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _find_texts(inner, name, parent)
    elif isinstance(value, str) and value and name != "methods":
        is_name = name in ("id", "name") and parent in _NAMED
        if not is_name:
            yield value
