"""README.rst: what it says of issuers, run as it stands there but for the issuer's address."""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from oslo_config import cfg
from paste.deploy import loadapp
from webtest import TestApp

from authmw.testing.oidc_server import OidcServer
from tests.support.programs import ROOT

ISSUER = "https://login.acme.example"
_BLOCK = re.compile(r"^\.\. code-block:: \w+\n\n((?:(?:    .*)?\n)+)", re.MULTILINE)


@pytest.fixture
def server() -> Iterator[OidcServer]:
    with OidcServer(audience="https://inventory.example") as running:
        yield running


@pytest.fixture
def blocks(server: OidcServer) -> list[str]:
    """The three blocks of the section: configuration, Flask service, paste file."""
    page = (ROOT / "README.rst").read_text()
    section = page.partition("With any OAuth2 or OIDC issuer\n---")[2].partition("Test with it\n")[
        0
    ]
    found = [textwrap.dedent(block) for block in _BLOCK.findall(section)]
    return [block.replace(ISSUER, server.issuer) for block in found]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_two_lines_of_configuration_are_enough(blocks: list[str]) -> None:
    assert len(blocks) == 3
    assert len(blocks[0].strip().splitlines()) == 3
    assert len(re.findall("^issuer", blocks[2], re.MULTILINE)) == 2


def test_flask_service(
    blocks: list[str], server: OidcServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inventory.conf").write_text(blocks[0])
    # As a newcomer has it: in the directory where the service is started.
    monkeypatch.chdir(tmp_path)
    module: dict[str, Any] = {"__name__": "inventory"}
    exec(compile(blocks[1], "inventory.py", "exec"), module)
    client = TestApp(module["app"])
    answer = client.get("/items", headers=bearer(server.issue("ada", scope="inventory.read")))
    assert answer.json["caller"] == "ada"
    assert answer.json["client"] == server.client_id
    assert answer.json["claims"]["iss"] == server.issuer
    less = client.get("/items", headers=bearer(server.issue("ada")), status=403)
    assert 'scope="inventory.read"' in less.headers["WWW-Authenticate"]
    nobody = client.get("/items", status=401)
    assert nobody.headers.getall("WWW-Authenticate")[0].startswith("Bearer ")
    client.get("/items", headers=bearer(server.issue_id_token("ada")), status=401)
    metadata = client.get("/.well-known/oauth-protected-resource").json
    assert metadata["authorization_servers"] == [server.issuer]


def test_paste_service(
    blocks: list[str], server: OidcServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "inventory.ini"
    file.write_text(blocks[2])
    # Else what other tests registered on the process's own would be read.
    monkeypatch.setattr(cfg, "CONF", cfg.ConfigOpts())
    client = TestApp(loadapp(f"config:{os.fspath(file)}"))
    token = server.issue("ada", roles=["reader"])
    assert client.get("/v1/items", headers=bearer(token)).json["items"] == []
    client.get("/v1/items", status=401)
