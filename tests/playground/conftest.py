"""A playground for all tests of a module, and a client that asks it as its page does."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from authmw.playground.server import Playground


@dataclasses.dataclass(frozen=True)
class Client:
    """Asks the playground as its page does."""

    url: str
    key: str

    def post(self, document: Any, **headers: str) -> requests.Response:
        own = {"X-Playground-Key": self.key, **headers}
        return requests.post(f"{self.url}api/requests", json=document, headers=own, timeout=60)

    def send(self, mode: str, persona: str = "member", **more: Any) -> dict[str, Any]:
        """Return what the page would show of a request."""
        wish = {"mode": mode, "persona": persona, "method": "GET", "path": "/v1/items"}
        answer = self.post({**wish, "headers": [], "new_token": False, **more})
        assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.json()
        return shown


@pytest.fixture(scope="module")
def playground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Playground]:
    with Playground(tmp_path_factory.mktemp("playground")) as server:
        yield server


@pytest.fixture(scope="module")
def client(playground: Playground) -> Client:
    page = requests.get(playground.url, timeout=10).text
    (key,) = re.findall(r'<meta name="playground-key" content="([^"]+)">', page)
    return Client(playground.url, key)
