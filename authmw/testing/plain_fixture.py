"""A minimal `fixtures.Fixture`, for use without the package `fixtures`."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self


class Fixture:
    """Set up by `setUp()` or `with`; undone by `cleanUp()` or the end of the block."""

    def __init__(self) -> None:
        self._cleanups: list[Callable[[], object]] = []

    def setUp(self) -> None:
        """Set up; if that fails, undo what was done."""
        self._cleanups = []
        try:
            self._setUp()
        except BaseException:
            self.cleanUp()
            raise

    def _setUp(self) -> None:  # noqa: N802
        """For subclasses."""

    def cleanUp(self) -> None:  # noqa: N802
        """Undo everything, the latest first."""
        while self._cleanups:
            self._cleanups.pop()()

    def addCleanup(self, cleanup: Callable[..., object], *arguments: Any) -> None:  # noqa: N802
        """Have `cleanup(*arguments)` called by `cleanUp`."""
        self._cleanups.append(lambda: cleanup(*arguments))

    def getDetails(self) -> dict[str, object]:  # noqa: N802
        """Return nothing: there is nothing to add to a test's report."""
        return {}

    def __enter__(self) -> Self:
        self.setUp()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.cleanUp()
