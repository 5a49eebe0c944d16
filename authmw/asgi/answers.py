"""Answers in place of the app, and what is added to the app's own refusals.

Before a websocket is accepted, it is answered like a request where the server can do that (ASGI,
"Websocket Denial Response"); elsewhere it is closed, and the server answers 403.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from authmw.asgi.interface import (
    POLICY_VIOLATION,
    TRY_AGAIN_LATER,
    Message,
    Scope,
    Send,
)
from authmw.errors import Refusal, Refused
from authmw.rejection import REFUSED
from authmw.wsgi.requirement_answers import is_unanswered

Header = tuple[str, str]
# Called with status, headers and environ of an app's answer; returns the headers to add.
AddHeaders = Callable[[str, Sequence[Header], dict[str, Any]], Awaitable[Sequence[Header]]]

_DENIAL: Final = "websocket.http.response"
# Of a body that is replaced by another.
_ABOUT_BODY: Final = frozenset({b"content-type", b"content-length", b"content-encoding"})


class Answer(NamedTuple):
    """A whole response."""

    status: int
    headers: Sequence[Header]
    body: bytes


def record(
    answer: Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]], environ: dict[str, Any]
) -> Answer:
    """Return what a WSGI app of our own answers (PEP 3333)."""
    begun: list[tuple[str, Sequence[Header]]] = []

    def start_response(status: str, headers: Sequence[Header], _exc_info: Any = None) -> None:
        begun.append((status, headers))

    body = b"".join(answer(environ, start_response))
    status, headers = begun[-1]
    return Answer(int(status[:3]), headers, body)


def answer_refusal(refusal: Refusal, environ: dict[str, Any], added: Sequence[Header]) -> Answer:
    """Return the answer to a request that `require` or `check` refused."""
    body = b"".join(refusal.body_for(environ))
    return Answer(refusal.status, [*refusal.all_headers, *added], body)


async def send_answer(scope: Scope, send: Send, answer: Answer) -> None:
    """Answer a request, or a websocket that was not accepted yet."""
    prefix = ""
    if scope["type"] == "websocket":
        if _DENIAL not in (scope.get("extensions") or {}):
            await close_websocket(send, answer.status)
            return
        prefix = "websocket."
    await send(
        {
            "type": f"{prefix}http.response.start",
            "status": answer.status,
            "headers": _encode(answer.headers),
        }
    )
    await send({"type": f"{prefix}http.response.body", "body": answer.body})


async def close_websocket(send: Send, status: int) -> None:
    """Close a websocket for a reason that this status would give to a request."""
    code = TRY_AGAIN_LATER if status == 503 else POLICY_VIOLATION
    await send({"type": "websocket.close", "code": code, "reason": ""})


def _encode(headers: Iterable[Header]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]


class Responder:
    """The `send` of one request's app.

    Args:
        scope, send: of the request.
        environ: the decision's.
        add_headers: see `AddHeaders`.

    Attributes:
        has_begun: whether the app has begun to answer, or has accepted or closed a websocket.
        is_accepted: whether it has accepted a websocket.
    """

    __slots__ = (
        "_add_headers",
        "_environ",
        "_held",
        "_is_dropping",
        "_scope",
        "_send",
        "has_begun",
        "is_accepted",
    )

    def __init__(
        self, scope: Scope, send: Send, environ: dict[str, Any], add_headers: AddHeaders
    ) -> None:
        self._scope = scope
        self._send = send
        self._environ = environ
        self._add_headers = add_headers
        self._held: Message | None = None
        self._is_dropping = False
        self.has_begun = False
        self.is_accepted = False

    def send(self, message: Message) -> Awaitable[None]:
        """Take a message of the app's."""
        kind = message["type"]
        if kind == "http.response.start":
            self.has_begun = True
            status = message["status"]
            if status < 401:
                return self._send(message)
            return self._start(message)
        if self._held is not None or self._is_dropping:
            return self._take_body(message)
        if kind.startswith("websocket."):
            return self._send_of_websocket(kind, message)
        return self._send(message)

    def _send_of_websocket(self, kind: str, message: Message) -> Awaitable[None]:
        if kind == f"{_DENIAL}.start":
            if self.is_accepted:
                # A framework answers an exception as if it were in time.
                self._is_dropping = True
                return close_websocket(self._send, message["status"])
            self.has_begun = True
            return self._start(message)
        if kind in ("websocket.accept", "websocket.close"):
            self.has_begun = True
            self.is_accepted = kind == "websocket.accept"
        return self._send(message)

    async def _start(self, message: Message) -> None:
        refused: Refused | None = self._environ.get(REFUSED)
        status = message["status"]
        if refused is not None:
            if is_unanswered(refused, str(status)):
                await self._replace(message, refused)
                self._is_dropping = True
                return
            if status == refused.refusal.status:
                # Kept until the body tells whether the app has chosen it.
                self._held = message
                return
        await self._send(await self._with_added(message))

    async def _take_body(self, message: Message) -> None:
        if self._is_dropping:
            return
        start, self._held = self._held, None
        refused: Refused | None = self._environ.get(REFUSED)
        if start is None or refused is None:
            await self._send(message)
            return
        is_whole = not message.get("more_body", False)
        if is_whole and _is_default(message.get("body", b""), refused.refusal):
            await self._replace(start, refused)
            return
        await self._send(await self._with_added(start))
        await self._send(message)

    async def _with_added(self, start: Message) -> Message:
        status = start["status"]
        if status != 401 and REFUSED not in self._environ:
            return start
        raw = list(start.get("headers") or ())
        shown = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw]
        added = await self._add_headers(str(status), shown, self._environ)
        return {**start, "headers": [*raw, *_encode(added)]} if added else start

    async def _replace(self, start: Message, refused: Refused) -> None:
        """Answer with the refusal; headers of the app that are not about its body are kept."""
        refusal = refused.refusal
        # Of a name that the refusal has itself, as Retry-After, the framework has copied it.
        replaced = {name.lower().encode("latin-1") for name, _ in refusal.all_headers}
        replaced |= {*_ABOUT_BODY, b"www-authenticate"}
        kept = [
            (name, value)
            for name, value in start.get("headers") or ()
            if name.lower() not in replaced
        ]
        shown = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in kept]
        own = [*shown, *refusal.all_headers]
        added = await self._add_headers(str(refusal.status), own, self._environ)
        answer = answer_refusal(refusal, self._environ, added)
        await send_answer(
            self._scope, self._send, answer._replace(headers=[*shown, *answer.headers])
        )


def _is_default(body: bytes, refusal: Refusal) -> bool:
    """Tell whether a body is what Starlette or FastAPI make of an exception by themselves."""
    detail = refusal.message
    if body in (b"", detail.encode()):
        return True
    try:
        return bool(json.loads(body) == {"detail": detail})
    except ValueError:
        return False
