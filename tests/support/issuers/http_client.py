"""A plain HTTP client for tests: no redirect is followed, cookies are kept, nothing is proxied."""

from __future__ import annotations

import base64
import http.cookiejar
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_TIMEOUT_SECONDS = 20


@dataclass(frozen=True)
class HttpAnswer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def location(self) -> str:
        return self.headers["Location"]

    def json(self) -> Any:
        return json.loads(self.body)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_more: Any) -> None:
        return None


class HttpClient:
    """One browser, or one client application."""

    def __init__(self) -> None:
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()),
            _NoRedirect(),
        )

    def get(self, url: str, **parameters: str) -> HttpAnswer:
        query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
        return self._open(urllib.request.Request(url + query))

    def post(
        self, url: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> HttpAnswer:
        body = urllib.parse.urlencode(form).encode("ascii")
        return self._open(urllib.request.Request(url, body, dict(headers or {})))

    def _open(self, request: urllib.request.Request) -> HttpAnswer:
        try:
            with self._opener.open(request, timeout=_TIMEOUT_SECONDS) as answer:
                return HttpAnswer(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return HttpAnswer(error.code, dict(error.headers), error.read())


def basic(name: str, secret: str) -> dict[str, str]:
    """Return the header of client_secret_basic (RFC 6749 §2.3.1)."""
    pair = f"{urllib.parse.quote_plus(name)}:{urllib.parse.quote_plus(secret)}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode("ascii")).decode("ascii")}
