"""The table of a TOML file that says where NATS is, the same at the centre and at a site."""

from __future__ import annotations

import ipaddress
import math
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from authmw.errors import ConfigurationError

# What NATS allows in names of subjects, streams and domains, without wildcards.
_SUBJECT = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_MAX_NAME = 200
_MAX_SECRET_BYTES = 1 << 16


@dataclass(frozen=True)
class PushSettings:
    """Where NATS is, who we are there, and how often a hint may lead to a synchronization.

    Attributes:
        servers: URLs, nats:// or tls://. A site names its leaf node.
        subject: of the announcements.
        stream: the JetStream stream that keeps the last one.
        domain: the JetStream domain of the centre, if the leaf node has one of its own.
        credentials_file: of NATS (`.creds`): a JWT and the seed of its key.
        user, password_file: the first line of the file is the password.
        token_file: its first line is the token.
        cafile: PEM file of authorities; None: the system's.
        certfile, keyfile: PEM files of our certificate.
        timeout_seconds: of one connection and of one question.
        check_seconds: between two questions for the last announcement, in case one was lost.
        min_interval_seconds, spread_seconds: see `authmw.bundle.push.hints.Hints`.
    """

    servers: tuple[str, ...]
    subject: str = "authmw.bundle.heads"
    stream: str = "AUTHMW_HEADS"
    domain: str | None = None
    credentials_file: str | None = None
    user: str | None = None
    password_file: str | None = None
    token_file: str | None = None
    cafile: str | None = None
    certfile: str | None = None
    keyfile: str | None = None
    timeout_seconds: float = 5.0
    check_seconds: float = 15.0
    min_interval_seconds: float = 1.0
    spread_seconds: float = 1.0


_SECONDS = {
    "timeout_seconds": (0.1, 60.0),
    "check_seconds": (1.0, 3600.0),
    "min_interval_seconds": (0.1, 3600.0),
    "spread_seconds": (0.0, 3600.0),
}


def parse_push_settings(table: Mapping[str, Any], section: str = "push") -> PushSettings:
    """Parse the table of a TOML file.

    Args:
        table: as tomllib returns it; its members are those of `PushSettings`.
        section: name of the table, for errors.

    Raises:
        ConfigurationError: a key is unknown, a value can't be meant, or a file can't be read.
    """
    return _Parser(table, section).parse()


class _Parser:
    def __init__(self, table: Mapping[str, Any], section: str) -> None:
        self._table = table
        self._section = section

    def parse(self) -> PushSettings:
        known = {field.name for field in fields(PushSettings)}
        for key, value in self._table.items():
            if key not in known:
                raise self._error(key, value, f"remove it; known are {', '.join(sorted(known))}")
        values: dict[str, Any] = {"servers": self._parse_servers()}
        for key, value in self._table.items():
            if key in _SECONDS:
                values[key] = self._parse_seconds(key, value)
            elif key != "servers":
                values[key] = self._parse_text(key, value)
        settings = PushSettings(**values)
        self._verify_together(settings)
        self._verify_files(settings)
        return settings

    def _parse_servers(self) -> tuple[str, ...]:
        servers = self._table.get("servers")
        example = 'name at least one server, such as ["tls://nats.example:4222"]'
        if not isinstance(servers, list) or not servers:
            raise self._error("servers", servers, example)
        for server in servers:
            if not isinstance(server, str):
                raise self._error("servers", servers, example)
            try:
                parts = urllib.parse.urlsplit(server)
                has_port = parts.port is None or parts.port > 0
            except ValueError:
                raise self._error("servers", None, example) from None
            if parts.username is not None or parts.password is not None:
                # The value holds a secret.
                raise self._error(
                    "servers", None, "write no user and password in a URL: use password_file"
                )
            if parts.scheme not in ("nats", "tls") or not parts.hostname or not has_port:
                raise self._error("servers", server, example)
            if parts.path not in ("", "/") or parts.query or parts.fragment:
                raise self._error("servers", server, "write the scheme, host and port alone")
        return tuple(servers)

    def _parse_seconds(self, key: str, value: object) -> float:
        least, most = _SECONDS[key]
        if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
            raise self._error(key, value, "write a number of seconds")
        if not least <= value <= most:
            raise self._error(key, value, f"write {least:g} to {most:g} seconds")
        return float(value)

    def _parse_text(self, key: str, value: object) -> str:
        if not isinstance(value, str) or not value:
            raise self._error(key, value, "write a text, or remove it")
        pattern = {"subject": _SUBJECT, "stream": _NAME, "domain": _NAME}.get(key)
        if pattern is not None and not (len(value) <= _MAX_NAME and pattern.fullmatch(value)):
            what = "words of letters, digits, - and _"
            joined = f"{what}, joined by dots" if key == "subject" else f"one of these {what}"
            raise self._error(key, value, f"write {joined}")
        return value

    def _verify_together(self, settings: PushSettings) -> None:
        if (settings.user is None) != (settings.password_file is None):
            key = "user" if settings.user is None else "password_file"
            raise self._error(key, None, "user and password_file belong together: set both")
        if settings.keyfile is not None and settings.certfile is None:
            raise self._error("certfile", None, "keyfile is the key of a certificate: name it")
        ways = [key for key in ("credentials_file", "user", "token_file") if key in self._table]
        if len(ways) > 1:
            value = self._table[ways[1]]
            raise self._error(ways[1], value, f"{ways[0]} is set as well: choose one of them")
        if settings.user is not None or settings.token_file is not None:
            for server in settings.servers:
                if server.startswith("nats:") and not _is_this_host(server):
                    raise self._error(
                        "servers",
                        server,
                        "a password or token would be sent in the clear: write tls:// "
                        "(or use credentials_file, which sends no secret)",
                    )

    def _verify_files(self, settings: PushSettings) -> None:
        for key in ("credentials_file", "password_file", "token_file"):
            path = getattr(settings, key)
            if path is None:
                continue
            try:
                is_empty = not read_secret(path)
            except (OSError, ValueError) as error:
                raise self._error(key, path, f"name a readable file ({error})") from error
            if is_empty:
                raise self._error(key, path, "its first line is empty: write the secret there")

    def _error(self, key: str, value: object, fix: str) -> ConfigurationError:
        return ConfigurationError(key, value, fix, section=self._section)


def read_secret(path: str) -> str:
    """Return the first line of a file, without white space around it.

    Raises OSError, or ValueError if it is no text.
    """
    with open(path, "rb") as file:
        return file.read(_MAX_SECRET_BYTES).split(b"\n", 1)[0].decode().strip()


def _is_this_host(server: str) -> bool:
    host = urllib.parse.urlsplit(server).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
