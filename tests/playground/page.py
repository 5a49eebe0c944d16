"""The page in a browser: what a person does there, and what it shows."""

from __future__ import annotations

import json
from typing import Any

from tests.support.browser import Browser


class Page:
    """The playground's page.

    Args:
        browser: shows it.
        url: of the page.
    """

    def __init__(self, browser: Browser, url: str) -> None:
        self.browser = browser
        browser.open(url)

    def set(self, field: str, value: object) -> None:
        """Choose, write or tick, and have the page notice."""
        name = "checked" if isinstance(value, bool) else "value"
        self.browser.evaluate(
            f"(e => {{ e.{name} = {json.dumps(value)}; e.dispatchEvent(new Event('change')); }})"
            f"(document.getElementById({json.dumps(field)}))"
        )

    def send(self, **fields: object) -> None:
        """Fill in fields, send the request, and wait for the answer."""
        for field, value in fields.items():
            self.set(field.replace("_", "-"), value)
        self.browser.evaluate("document.getElementById('send').click()")
        self.wait_for_answer()

    def wait_for_answer(self) -> None:
        self.browser.wait_for("!document.getElementById('send').disabled")

    def text(self, field: str) -> str:
        """Return the text of an element, as it is shown."""
        shown: str = self.browser.evaluate(
            f"document.getElementById({json.dumps(field)}).innerText"
        )
        return shown

    def stages(self) -> list[list[str]]:
        """Return the name, the state and the decision of each of the five steps."""
        shown: list[list[str]] = self.browser.evaluate(
            "[...document.querySelectorAll('#stages > li')].map(e => [e.dataset.stage, "
            "e.dataset.state, e.querySelector('.decision').innerText])"
        )
        return shown

    def rows(self, table: str) -> list[list[str]]:
        """Return the cells of a table, row by row; none where it is hidden."""
        shown: list[list[str]] = self.browser.evaluate(
            f"(t => t.hidden ? [] : [...t.tBodies[0].rows].map(r => [...r.cells].map("
            f"c => c.innerText)))(document.getElementById({json.dumps(table)}))"
        )
        return shown

    def focused(self) -> Any:
        """Return the id of the element that has the focus."""
        return self.browser.evaluate("document.activeElement.id")
