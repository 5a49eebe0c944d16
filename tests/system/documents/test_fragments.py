"""The short pieces of Python in README.rst and doc/, run with what their reader has around them."""

from __future__ import annotations

import asyncio
import re
import sys
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask
import httpx
import pytest
import webtest
from docutils import nodes

import authmw
import authmw.asgi
from authmw.testing import Cloud, IdentityServer, Personas, Protect
from authmw.testing.oidc_server import OidcServer
from tests.support.programs import ROOT
from tests.system.documents.documents import DOC, parse


def find_fragment(page: Path, beginning: str) -> str:
    """Return the one Python block of a page that has this text."""
    (found,) = [
        block.astext()
        for block in parse(page).findall(nodes.literal_block)
        if "python" in block["classes"] and beginning in block.astext()
    ]
    return str(found)


def run(text: str, **around: Any) -> dict[str, Any]:
    module = {"__name__": "fragment", **around}
    exec(compile(text, "fragment", "exec", dont_inherit=True), module)
    return module


def service(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answer as the service of the examples: readers see, and may not add."""
    may = environ["REQUEST_METHOD"] == "GET" or "member" in environ["HTTP_X_ROLES"].split(",")
    start_response("200 OK" if may else "403 Forbidden", [("Content-Type", "text/plain")])
    return [b""]


README = ROOT / "README.rst"
AROUND_TESTS = {
    "webtest": webtest,
    "service": service,
    "Personas": Personas,
    "Protect": Protect,
    "Cloud": Cloud,
    "unittest": unittest,
}


@pytest.fixture
def server() -> Iterator[IdentityServer]:
    with IdentityServer() as running:
        yield running


@pytest.fixture
def directory(tmp_path: Path, server: IdentityServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory where the service is started, with its configuration."""
    options = "".join(f"{name} = {value}\n" for name, value in server.service_credentials.items())
    (tmp_path / "inventory.conf").write_text(f"[keystone_authtoken]\n{options}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def headers(server: IdentityServer, user: str) -> dict[str, str]:
    return {"X-Auth-Token": server.issue(user, project="inventory")}


def test_any_wsgi_app(server: IdentityServer) -> None:
    text = find_fragment(README, "def hello(")
    for name, value in server.service_credentials.items():
        text = re.sub(rf'"{name}": "[^"]*"', f'"{name}": "{value}"', text)
    assert "example" not in text
    client = webtest.TestApp(run(text)["app"])
    assert client.get("/", headers=headers(server, "member")).text == "hello member\n"
    client.get("/", status=401)


@pytest.mark.usefixtures("directory")
def test_decorators(server: IdentityServer) -> None:
    app = flask.Flask("inventory")
    run(find_fragment(README, "def add_item("), app=app, authmw=authmw)
    client = webtest.TestApp(app)
    assert "added to" in client.post("/items", headers=headers(server, "member")).json
    refused = client.post("/items", headers=headers(server, "reader"), status=403)
    assert refused.json["error"]["missing"] == {"roles": ["member"]}


@pytest.mark.usefixtures("directory")
def test_fastapi(server: IdentityServer) -> None:
    fastapi = pytest.importorskip("fastapi")
    app = run(find_fragment(README, "fastapi.FastAPI()"), fastapi=fastapi, authmw=authmw)["app"]

    async def ask(token: dict[str, str]) -> int:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return (await client.get("/docs", headers=token)).status_code

    assert asyncio.run(ask(headers(server, "member"))) == 200
    assert asyncio.run(ask({})) == 401


@pytest.mark.parametrize("page", [README, DOC / "testing.rst"], ids=lambda page: page.stem)
def test_a_test_with_a_persona(
    page: Path, authmw_protect: Protect, authmw_personas: Personas
) -> None:
    module = run(find_fragment(page, "def test_readers_may_not_add("), **AROUND_TESTS)
    module["test_readers_may_not_add"](authmw_protect, authmw_personas)


def test_an_identity_server_of_a_test() -> None:
    text = find_fragment(DOC / "testing.rst", "with IdentityServer() as server")
    (sent,) = re.findall(r"\.\.\. +# send requests.*", text)
    ask = "webtest.TestApp(app).get('/', headers={'X-Auth-Token': token}, status=200)"
    text = text.replace(sent, ask)
    run(text, **AROUND_TESTS)


def status_of(app: Any, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return int(webtest.TestApp(app).post("/", headers=headers, status="*").status_int)


def test_issuer_of_your_own() -> None:
    text = find_fragment(DOC / "testing.rst", "with OidcServer(")
    assert "    ...  " in text
    text = text.replace("    ...  ", "    first = status_of(app, token)\n    ...  ")
    text += "\n    second = status_of(app, server.issue('grace', roles=['member']))\n"
    done = run(text, authmw=authmw, service=service, status_of=status_of)
    assert (done["first"], done["second"]) == (200, 200)
    assert "." not in done["opaque"]


def test_a_cloud_of_a_test_case() -> None:
    case = run(find_fragment(DOC / "testing.rst", "class TestItems("), **AROUND_TESTS)["TestItems"]

    class TestItems(case):  # type: ignore[misc,valid-type]
        def test_nobody_gets_in(self) -> None:
            self.client.get("/", status=401)

        def test_members_do(self) -> None:
            member = self.cloud.personas.project_member("inventory")
            self.client.post("/", headers=member.headers, status=200)

    suite = unittest.defaultTestLoader.loadTestsFromTestCase(TestItems)
    result = unittest.TextTestRunner(stream=sys.stderr).run(suite)
    assert (result.testsRun, result.wasSuccessful()) == (2, True)


def test_an_issuer_in_a_mapping() -> None:
    with OidcServer(audience="https://inventory.example") as issuer:
        text = find_fragment(DOC / "issuers.rst", "issuer.acme.issuer")
        text = text.replace("https://login.acme.example", issuer.issuer)
        client = webtest.TestApp(run(text, app=service, authmw=authmw)["app"])
        token = issuer.issue("ada", roles=["reader"])
        client.get("/", headers={"Authorization": f"Bearer {token}"}, status=200)
        client.get("/", status=401)


def test_metrics_of_several_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    app = run(find_fragment(DOC / "metrics.rst", "MultiProcessCollector(registry)"))["metrics_app"]
    assert webtest.TestApp(app).get("/").content_type == "text/plain"
    gauge = tmp_path / "gauge_liveall_42.db"
    gauge.write_bytes(b"")
    hook = run(find_fragment(DOC / "metrics.rst", "def child_exit("))["child_exit"]
    hook(None, type("Worker", (), {"pid": 42}))
    assert not gauge.exists()
