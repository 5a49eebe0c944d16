"""Scopes become environs; no spelling of a header smuggles anything past that."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from authmw.asgi.scope import make_scope, read_scope
from authmw.checks.paths import PublicPaths, access_path
from authmw.token.headers import IDENTITY_HEADERS, RESERVED_KEYS

NAMES = [header.name.lower().encode() for header in IDENTITY_HEADERS] + [
    header.service_name.lower().encode() for header in IDENTITY_HEADERS if header.for_service
]
SPELLINGS: dict[str, Callable[[bytes], bytes]] = {
    "as it is": lambda name: name,
    "in capitals": lambda name: name.upper(),
    "in mixed case": lambda name: name.title(),
    "with underscores": lambda name: name.replace(b"-", b"_"),
    "with one underscore": lambda name: name.replace(b"-", b"_", 1),
    "with both, in capitals": lambda name: name.replace(b"-", b"_", 1).upper(),
    "with a space behind": lambda name: name + b" ",
    "with a tab before": lambda name: b"\t" + name,
    "with NUL": lambda name: name + b"\0",
    "with a line feed": lambda name: name + b"\r\n",
}


def scope_with(*headers: tuple[bytes, bytes], **more: Any) -> dict[str, Any]:
    return {"type": "http", "method": "GET", "path": "/", "headers": list(headers), **more}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_of_an_identity_header_is_passed_on(spelling: str) -> None:
    forged = [(SPELLINGS[spelling](name), b"forged") for name in NAMES]
    environ, kept = read_scope(scope_with((b"x-users", b"kept"), *forged, (b"host", b"kept")))
    assert kept == [(b"x-users", b"kept"), (b"host", b"kept")]
    assert "forged" not in environ.values()


@pytest.mark.parametrize("name", [b"x-auth-token", b"x-service-token", b"x-storage-token", b"dpop"])
def test_a_token_s_name_counts_in_any_case_and_with_underscores_not_at_all(name: bytes) -> None:
    key = "HTTP_" + name.decode().upper().replace("-", "_")
    environ, kept = read_scope(scope_with((name.upper(), b"one")))
    assert (environ[key], kept) == ("one", [(name, b"one")])
    if b"-" in name:
        environ, kept = read_scope(scope_with((name.replace(b"-", b"_"), b"one")))
        assert (key in environ, kept) == (False, [])
        odd = (name.replace(b"-", b"_"), b"other")
        environ, kept = read_scope(scope_with(odd, (name, b"one"), odd))
        assert (environ[key], kept) == ("one", [(name, b"one")])


def test_two_headers_of_one_name_are_one_value_as_servers_make_it() -> None:
    environ, kept = read_scope(
        scope_with((b"authorization", b"Bearer a"), (b"Authorization", b"Bearer b\xff"))
    )
    assert environ["HTTP_AUTHORIZATION"] == "Bearer a,Bearer b\xff"
    assert len(kept) == 2


def test_no_name_of_ours_is_made_of_other_letters() -> None:
    """Who decodes a name as Latin-1 and capitalizes it makes SS of one letter, and none else."""
    for number in range(0x80, 0x100):
        upper = chr(number).upper()
        assert not upper.isascii() or upper == "SS"
    assert not [key for key in RESERVED_KEYS if "SS" in key]


# root_path, path -> SCRIPT_NAME, PATH_INFO
PATHS = {
    ("", "/items"): ("", "/items"),
    ("/api", "/api/items"): ("/api", "/items"),
    ("/api", "/api"): ("/api", ""),
    ("/api", "/apiary"): ("/api", "/apiary"),
    ("/api", "/items"): ("/api", "/items"),
    ("/api", "/api/api/items"): ("/api", "/api/items"),
    ("/api/", "/api/items"): ("/api/", "/api/items"),
    ("/caf\xe9", "/caf\xe9/\u20ac"): ("/caf\xc3\xa9", "/\xe2\x82\xac"),
    ("", ""): ("", ""),
    ("", "*"): ("", "*"),
}


@pytest.mark.parametrize("paths", PATHS, ids=map(str, PATHS))
def test_a_path_is_split_as_frameworks_do(paths: tuple[str, str]) -> None:
    root_path, path = paths
    environ, _ = read_scope(scope_with(root_path=root_path, path=path))
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == PATHS[paths]


def test_starlette_routes_on_that_path() -> None:
    utils = pytest.importorskip("starlette._utils")
    for root_path, path in PATHS:
        scope = scope_with(root_path=root_path, path=path)
        environ, _ = read_scope(scope)
        routed = utils.get_route_path(scope)
        assert environ["PATH_INFO"].encode("latin-1").decode() == routed, (root_path, path)


@pytest.mark.parametrize("odd", ["\ufffd", "a\ufffdb", chr(0xD800), "../x", "a//b", "a\\b", "\0"])
def test_what_a_path_hides_matches_no_pattern(odd: str) -> None:
    environ, _ = read_scope(scope_with(path=f"/public/{odd}"))
    assert not PublicPaths.parse(["/public/**"]).is_match("GET", environ["PATH_INFO"])


def test_the_path_of_access_rules_is_never_one_that_a_mount_shortens() -> None:
    environ, _ = read_scope(scope_with(root_path="/v1", path="/v1/items"))
    assert access_path(environ) == "/v1/items"


def test_what_else_decisions_are_made_on() -> None:
    scope = scope_with(
        client=("192.0.2.7", 50000), extensions={"tls": {"client_cert_chain": ("PEM", "CA")}}
    )
    environ, _ = read_scope(scope)
    assert (environ["REMOTE_ADDR"], environ["SSL_CLIENT_CERT"]) == ("192.0.2.7", "PEM")
    websocket = {"type": "websocket", "path": "/", "headers": [], "extensions": {"tls": {}}}
    environ, _ = read_scope(websocket)
    assert environ["REQUEST_METHOD"] == "GET"
    assert "SSL_CLIENT_CERT" not in environ


def test_objects_of_another_middleware_don_t_reach_the_app() -> None:
    scope = scope_with(**{"authmw.token": "forged", "keystone.token_info": "forged"})
    environ, kept = read_scope(scope)
    environ["HTTP_X_IDENTITY_STATUS"] = "Invalid"
    inner = make_scope(scope, kept, environ)
    assert inner.keys() == scope.keys() - {"authmw.token", "keystone.token_info"}
    assert inner["headers"] == [(b"x-identity-status", b"Invalid")]
    assert scope["headers"] == []


@pytest.mark.heavy
def test_no_framework_is_imported() -> None:
    code = (
        "import sys, authmw, authmw.middleware\n"
        "assert not {'asyncio', 'authmw.asgi'} & sys.modules.keys()\n"
        "import authmw.asgi\n"
        "assert not {'starlette', 'fastapi', 'anyio', 'pydantic'} & sys.modules.keys()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
