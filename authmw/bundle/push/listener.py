"""A site's end: hears that the centre has published something, and wakes the synchronization."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from authmw.bundle.push.hints import Hints
from authmw.bundle.push.thread import PushThread

if TYPE_CHECKING:
    from nats.aio.msg import Msg

    from authmw.bundle.push.connection import Connection
    from authmw.bundle.push.settings import PushSettings

# Of what the library holds for us, in case of a flood.
_MAX_MESSAGES = 64
_MAX_MESSAGE_BYTES = 1 << 16
_REPEAT_SECONDS = 2.0


class Listener:
    """Calls `wake` after announcements: live ones, and the last one that the stream keeps.

    A live announcement is an ordinary message, which leaf nodes pass on. Those that were lost while
    a link was cut are noticed by asking the stream for the last one, at each connection and every
    `check_seconds`; when that fails, it is asked every two seconds. What a message says is
    compared with the last one, and used for nothing else.

    Args:
        settings: of NATS.
        wake: called in a thread of ours; it must return at once.
        min_interval_seconds: at least between two calls of `wake`.
    """

    def __init__(
        self, settings: PushSettings, wake: Callable[[], None], *, min_interval_seconds: float = 1.0
    ) -> None:
        self._settings = settings
        self._wake = wake
        self._hints = Hints(
            min_interval_seconds=min_interval_seconds,
            spread_seconds=settings.spread_seconds,
        )
        self._newest: bytes | None = None
        self._thread = PushThread(
            settings,
            name="authmw bundle sync",
            without="polling goes on",
            serve=self._serve,
        )

    def start(self) -> None:
        """Listen from now on; returns at once.

        Raises ConfigurationError if the library for NATS is missing.
        """
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._thread.close()

    @property
    def failure(self) -> str | None:
        """Why announcements may be lost now, in words; None: they are heard."""
        return self._thread.failure

    async def _serve(self, connection: Connection) -> None:
        await connection.subscribe(
            self._settings.subject,
            cb=self._hear_message,
            pending_msgs_limit=_MAX_MESSAGES,
            pending_bytes_limit=_MAX_MESSAGES * _MAX_MESSAGE_BYTES,
        )
        # Once the server knows the subscription, so that no announcement falls between the two.
        await connection.flush(timeout=self._settings.timeout_seconds)  # type: ignore[arg-type]
        while True:
            try:
                newest = await self._ask_for_newest(connection)
            except Exception as error:  # noqa: BLE001 - whatever a server answers is no hint
                reason = connection.complaint or error
                self._thread.report(
                    f"stream {self._settings.stream} does not answer "
                    f"({type(reason).__name__}: {reason})"
                )
                await asyncio.sleep(_REPEAT_SECONDS)
                continue
            complaint = connection.complaint
            self._thread.report(None if complaint is None else str(complaint))
            if newest is not None and newest != self._newest:
                self._hear(newest)
            await asyncio.sleep(self._settings.check_seconds)

    async def _ask_for_newest(self, connection: Connection) -> bytes | None:
        """Return the last announcement; None: there is none. Raises anything."""
        from nats.js.errors import NotFoundError

        options: dict[str, Any] = {"timeout": self._settings.timeout_seconds}
        if self._settings.domain is not None:
            options["domain"] = self._settings.domain
        try:
            message = await connection.jetstream(**options).get_last_msg(
                self._settings.stream, self._settings.subject, direct=True
            )
        except NotFoundError:
            return None
        return message.data or b""

    async def _hear_message(self, message: Msg) -> None:
        self._hear(message.data)

    def _hear(self, announcement: bytes) -> None:
        self._newest = announcement[:_MAX_MESSAGE_BYTES]
        loop = asyncio.get_running_loop()
        delay = self._hints.hear(loop.time())
        if delay is not None:
            loop.call_later(delay, self._begin)

    def _begin(self) -> None:
        self._hints.begin(asyncio.get_running_loop().time())
        self._wake()
