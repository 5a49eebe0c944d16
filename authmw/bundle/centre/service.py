"""Publishes again and again: facts at one pace, revocation events at a faster one."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from authmw.bundle.centre.facts import facts_of_keystone
from authmw.bundle.centre.opening import open_store
from authmw.bundle.centre.publishing import Published, Publisher
from authmw.bundle.centre.settings import CentreSettings, load_centre_settings
from authmw.errors import AuthmwError, UsageError

_log = logging.getLogger(__name__)


class PublishService:
    """Publishes until it is stopped. A publish that fails is tried again at its next turn.

    CENTRE.toml is read again when it changes, so that a site that `rotate` added gets its part.

    Args:
        settings: of the centre.
        every_seconds, hot_every_seconds: between the beginnings of two publishes; None: as the
            settings say.
        on_published: called after each.
    """

    def __init__(
        self,
        settings: CentreSettings,
        every_seconds: float | None = None,
        hot_every_seconds: float | None = None,
        on_published: Callable[[Published], None] | None = None,
    ) -> None:
        self._path = settings.path
        self._seen = _look(settings.path)
        self._settings = settings
        self._publisher = Publisher(settings, open_store(settings))
        self._every_seconds = every_seconds
        self._hot_every_seconds = hot_every_seconds
        self._on_published = on_published or (lambda _: None)
        self._stopped = threading.Event()
        # Events are no use to sites before the first facts.
        self._has_facts = threading.Event()
        self._failures: dict[str, str] = {}

    def stop(self) -> None:
        """End `run` after what is under way."""
        self._stopped.set()
        self._has_facts.set()

    def run(self) -> None:
        """Publish until `stop` is called, from another thread or a signal's handler."""
        hot = threading.Thread(target=self._run_hot, name="authmw-publish-hot")
        hot.start()
        try:
            self._repeat(
                lambda: self._every_seconds or self._settings.every_seconds, self._publish_facts
            )
        finally:
            self.stop()
            hot.join()

    def _run_hot(self) -> None:
        self._has_facts.wait()
        self._repeat(
            lambda: self._hot_every_seconds or self._settings.hot_every_seconds, self._publish_hot
        )

    def _repeat(self, seconds: Callable[[], float], publish: Callable[[], None]) -> None:
        while not self._stopped.is_set():
            began = time.monotonic()
            publish()
            self._stopped.wait(max(0.0, began + seconds() - time.monotonic()))

    def _publish_facts(self) -> None:
        self._reload()
        publisher, settings = self._publisher, self._settings

        def publish() -> None:
            published = publisher.publish(facts_of_keystone(settings))
            _log.info(
                "published revision %d: %d sites changed",
                published.revision,
                len(published.changed),
            )
            self._tell(published)
            self._has_facts.set()

        self._attempt("facts", publish)

    def _publish_hot(self) -> None:
        publisher, settings = self._publisher, self._settings

        def publish() -> None:
            facts = facts_of_keystone(settings, events_only=True)
            self._tell(publisher.publish_hot(facts))

        self._attempt("revocation events", publish)

    def _tell(self, published: Published) -> None:
        for warning in published.warnings:
            _log.warning("%s", warning)
        self._on_published(published)

    def _attempt(self, what: str, publish: Callable[[], None]) -> None:
        try:
            publish()
        except (AuthmwError, OSError) as error:
            text = str(error)
            if self._failures.get(what) != text:
                _log.error("%s can't be published, and will be tried again: %s", what, text)
                self._failures[what] = text
        else:
            if self._failures.pop(what, None) is not None:
                _log.info("%s are published again", what)

    def _reload(self) -> None:
        seen = _look(self._path)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            settings = load_centre_settings(self._path)
            self._publisher = Publisher(settings, open_store(settings))
            self._settings = settings
        except UsageError as error:
            _log.error("the settings stay as they were: %s", error)


def _look(path: Path) -> object:
    try:
        status = path.stat()
    except OSError as error:
        return error.errno
    return (status.st_ino, status.st_size, status.st_mtime_ns)
