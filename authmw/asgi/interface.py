"""The types of ASGI 3, as frameworks write them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

# Of the websocket protocol (RFC 6455 §7.4.1; registered with IANA).
POLICY_VIOLATION = 1008
TRY_AGAIN_LATER = 1013
