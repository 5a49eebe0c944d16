"""The centre's end: says that something new was published."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from authmw.bundle.push.thread import PushThread

if TYPE_CHECKING:
    from nats.js import JetStreamContext

    from authmw.bundle.push.connection import Connection
    from authmw.bundle.push.settings import PushSettings

_MAX_MESSAGE_BYTES = 1024
_REPEAT_SECONDS = 2.0
# For the last announcement of a command that ends.
_PATIENCE_SECONDS = 5.0


class Announcer:
    """Announces the newest revision on a subject of a JetStream stream, in the background.

    While NATS can't be reached, the newest announcement waits; older ones are forgotten.

    Args:
        settings: of NATS.
    """

    def __init__(self, settings: PushSettings) -> None:
        self._settings = settings
        # Numbered, since one may come while another is being sent.
        self._waiting: tuple[int, bytes] | None = None
        self._has_news = asyncio.Event()
        self._announced = 0
        self._delivered = 0
        self._delivery = threading.Condition()
        self._thread = PushThread(
            settings,
            name="authmw bundle publish",
            without="sites notice at their next poll",
            serve=self._serve,
        )

    def start(self) -> None:
        """Connect in the background; returns at once.

        Raises ConfigurationError if the library for NATS is missing.
        """
        self._thread.start()

    def announce(self, revision: int) -> None:
        """Say that a revision was published; returns at once, and never raises for the network."""
        # The time makes two announcements of one revision differ.
        message = json.dumps({"revision": revision, "at": round(time.time(), 3)}).encode()
        with self._delivery:
            self._announced += 1
            waiting = (self._announced, message)
        self._thread.call(lambda: self._put(waiting))

    def wait(self, seconds: float) -> bool:
        """Wait until the last announcement is delivered; return whether it is."""
        with self._delivery:
            return self._delivery.wait_for(lambda: self._delivered == self._announced, seconds)

    def close(self, patience_seconds: float = 0.0) -> bool:
        """Stop; return whether the last announcement was delivered.

        Args:
            patience_seconds: how long to wait for that.
        """
        is_delivered = self.wait(patience_seconds)
        self._thread.close()
        return is_delivered

    @property
    def failure(self) -> str | None:
        """Why announcements do not go out, in words; None: they do."""
        return self._thread.failure

    def _put(self, waiting: tuple[int, bytes]) -> None:
        self._waiting = waiting
        self._has_news.set()

    async def _serve(self, connection: Connection) -> None:
        options: dict[str, Any] = {"timeout": self._settings.timeout_seconds}
        if self._settings.domain is not None:
            options["domain"] = self._settings.domain
        stream = connection.jetstream(**options)
        self._thread.report(None)
        while True:
            await self._has_news.wait()
            try:
                await self._publish(stream)
            except Exception as error:  # noqa: BLE001 - whatever a server answers
                self._thread.report(
                    f"stream {self._settings.stream} did not confirm an announcement "
                    f"({type(error).__name__}: {error})"
                )
                await asyncio.sleep(_REPEAT_SECONDS)
            else:
                self._thread.report(None)

    async def _publish(self, stream: JetStreamContext) -> None:
        from nats.js.errors import NoStreamResponseError

        if self._waiting is None:
            return
        number, message = self._waiting
        subject, timeout = self._settings.subject, self._settings.timeout_seconds
        try:
            await stream.publish(subject, message, timeout=timeout)
        except (NoStreamResponseError, TimeoutError):
            # There may be no stream yet: only listeners, and none of them confirms. It is not made
            # before, since an account may announce without a right to make streams.
            await self._make_stream(stream)
            await stream.publish(subject, message, timeout=timeout)
        if self._waiting[0] == number:
            self._waiting = None
            self._has_news.clear()
        with self._delivery:
            self._delivered = number
            self._delivery.notify_all()

    async def _make_stream(self, stream: JetStreamContext) -> None:
        from nats.js.api import DiscardPolicy, StreamConfig

        await stream.add_stream(
            StreamConfig(
                name=self._settings.stream,
                subjects=[self._settings.subject],
                max_msgs_per_subject=1,
                max_msg_size=_MAX_MESSAGE_BYTES,
                discard=DiscardPolicy.OLD,
                allow_direct=True,
            )
        )


@contextmanager
def announcing(settings: PushSettings | None) -> Iterator[Callable[[int], None]]:
    """Give what announces a revision; at the end, wait a little for the last announcement.

    Args:
        settings: of NATS; None: nothing is announced.

    Raises:
        ConfigurationError: the library for NATS is missing.
    """
    if settings is None:
        yield lambda _revision: None
        return
    announcer = Announcer(settings)
    announcer.start()
    try:
        yield announcer.announce
    finally:
        announcer.close(_PATIENCE_SECONDS)
