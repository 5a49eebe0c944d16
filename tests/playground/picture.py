"""Writes the picture of the playground in doc/: `make picture`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from authmw.cli.output import without_log
from authmw.playground.server import Playground
from tests.playground.page import Page
from tests.support.browser import Browser


def main() -> None:
    """Send a request to a site that is cut off, and take a picture of the page."""
    with (
        tempfile.TemporaryDirectory() as directory,
        without_log(),
        Playground(Path(directory)) as playground,
        Browser(width=1160, height=980) as browser,
    ):
        page = Page(browser, playground.url)
        # The first request opens the bundle, which no later one waits for.
        page.send(mode="cut-off", persona="reader")
        page.send(persona="member")
        browser.evaluate("document.activeElement.blur()")
        Path(sys.argv[1]).write_bytes(browser.take_picture())


if __name__ == "__main__":
    main()
