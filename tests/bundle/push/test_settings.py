"""Mistakes in the table about NATS are found at start, and named with a fix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from authmw.bundle.push import PushSettings, parse_push_settings
from authmw.bundle.sites.toml_file import Section
from authmw.errors import ConfigurationError


def _parse(table: dict[str, Any]) -> PushSettings:
    return parse_push_settings(Section("push", table, Path("/")))


_SERVERS = {"servers": ["tls://nats.example:4222"]}


def test_only_servers_must_be_set() -> None:
    settings = _parse(_SERVERS)
    assert settings.servers == ("tls://nats.example:4222",)
    assert (settings.subject, settings.timeout_seconds) == ("authmw.bundle.heads", 5.0)


@pytest.mark.parametrize(
    ("table", "key", "fix"),
    [
        ({}, "servers", "name at least one server"),
        ({"servers": []}, "servers", "name at least one server"),
        ({"servers": "tls://a"}, "servers", "a list of texts"),
        ({"servers": [1]}, "servers", "a list of texts"),
        ({"servers": ["https://a"]}, "servers", "name at least one server"),
        ({"servers": ["tls://"]}, "servers", "name at least one server"),
        ({"servers": ["tls://a:99999"]}, "servers", "name at least one server"),
        ({"servers": ["tls://a/b"]}, "servers", "the scheme, host and port alone"),
        ({**_SERVERS, "server": ["tls://a"]}, "server", "did you mean 'servers'"),
        ({**_SERVERS, "subject": "a.*"}, "subject", "words that dots join"),
        ({**_SERVERS, "subject": "a.>"}, "subject", "words that dots join"),
        ({**_SERVERS, "subject": "a b\r\nPUB x"}, "subject", "words that dots join"),
        ({**_SERVERS, "stream": "a.b"}, "stream", "letters, digits"),
        ({**_SERVERS, "domain": ""}, "domain", "write a text"),
        ({**_SERVERS, "timeout_seconds": 0}, "timeout_seconds", "0.1 to 60"),
        ({**_SERVERS, "timeout_seconds": True}, "timeout_seconds", "a number"),
        ({**_SERVERS, "spread_seconds": float("nan")}, "spread_seconds", "a number"),
        ({**_SERVERS, "user": "site"}, "password_file", "set both"),
        ({**_SERVERS, "password_file": "/p"}, "user", "set both"),
        ({**_SERVERS, "keyfile": "/k"}, "certfile", "name that"),
        ({**_SERVERS, "token_file": "/missing"}, "token_file", "name a readable file"),
        ({**_SERVERS, "credentials_file": "/missing"}, "credentials_file", "name a readable file"),
    ],
)
def test_mistake_is_named(table: dict[str, Any], key: str, fix: str) -> None:
    with pytest.raises(ConfigurationError, match=fix) as raised:
        _parse(table)
    assert (raised.value.option, raised.value.section) == (key, "push")


def test_secret_is_never_shown(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no user and password in a URL") as raised:
        _parse({"servers": ["tls://site:s3cret@nats.example"]})
    assert "s3cret" not in str(raised.value)


def test_secret_goes_over_tls_alone(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("s3cret\n")
    table = {"token_file": str(secret)}
    with pytest.raises(ConfigurationError, match="in the clear"):
        _parse({**table, "servers": ["nats://nats.example"]})
    _parse({**table, "servers": ["nats://127.0.0.1:4222", "tls://nats.example"]})


def test_empty_secret_is_a_mistake(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("\n")
    with pytest.raises(ConfigurationError, match="first line is empty"):
        _parse({**_SERVERS, "token_file": str(secret)})


def test_one_way_to_say_who_we_are(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("s3cret")
    with pytest.raises(ConfigurationError, match="choose one of them"):
        _parse({**_SERVERS, "token_file": str(secret), "credentials_file": str(secret)})
