"""HTTP/1.1 byte by byte (RFC 9112): what no well-behaved client would send, too."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

PATIENCE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Seen:
    """What the service was told.

    Attributes:
        pid: of the worker that answered.
        path: SCRIPT_NAME and PATH_INFO.
        headers: every HTTP_ entry of the environ.
        token_info: `keystone.token_info`.
        audit_id, revision: of `authmw.token`.
    """

    pid: int
    path: tuple[str, str]
    headers: dict[str, str]
    token_info: dict[str, Any] | None
    audit_id: str | None
    revision: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """One response, whoever made it: gunicorn, the filter or the service."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def seen(self) -> Seen:
        """What the service was told; an AssertionError if it was not the service that answered."""
        assert self.status == 200, (self.status, self.body[:500])
        told = json.loads(self.body)
        return Seen(
            told["pid"],
            tuple(told["path"]),
            told["headers"],
            told["token_info"],
            told["audit_id"],
            told["revision"],
        )


def send(
    port: int,
    host: str,
    lines: Iterable[str | bytes] = (),
    *,
    method: str | bytes = "GET",
    target: str | bytes = "/",
    body: bytes = b"",
) -> Answer:
    """Send one request on a connection of its own.

    Args:
        port: of 127.0.0.1.
        host: the Host header, which chooses the filter.
        lines: header lines as they go over the wire, without CRLF; text is sent as Latin-1.
        method: anything.
        target: the request target (RFC 9112 section 3.2), sent as it is.
        body: what follows the empty line, framed as `lines` say.
    """
    start = b" ".join((_encode(method), _encode(target), b"HTTP/1.1"))
    head = [start, b"Host: " + _encode(host), b"Connection: close", *map(_encode, lines)]
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(b"\r\n".join([*head, b"", body]))
        response = http.client.HTTPResponse(connection, method=_encode(method).decode("latin-1"))
        response.begin()
        return Answer(response.status, response.headers, response.read())


def _encode(text: str | bytes) -> bytes:
    return text.encode("latin-1") if isinstance(text, str) else text
