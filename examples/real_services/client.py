"""HTTP to one server on 127.0.0.1, over a connection that stays open."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

TIMEOUT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: bytes

    def json(self) -> Any:
        """Return the body parsed."""
        return json.loads(self.body)


class Client:
    """One connection, for one thread; leaving the context hangs up."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)

    def send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Send one request; once more if the server closed the connection while it was idle."""
        try:
            return self._send(method, path, body, dict(headers or {}))
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            self._connection.close()
            return self._send(method, path, body, dict(headers or {}))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def _send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        self._connection.request(method, path, body=body, headers=headers)
        response = self._connection.getresponse()
        return Answer(response.status, response.read())
