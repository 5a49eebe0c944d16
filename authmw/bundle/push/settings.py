"""The table of a TOML file that says where NATS is, the same at the centre and at a site."""

from __future__ import annotations

import ipaddress
import re
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from authmw.bundle.sites.toml_file import Section

# What NATS allows in names of subjects, streams and domains, without wildcards.
_SUBJECT = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_LONGEST_NAME = 200
_LARGEST_SECRET = 1 << 16


@dataclass(frozen=True)
class PushSettings:
    """Where NATS is, and who we are there.

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
        spread_seconds: how long a site waits at the most after an announcement, so that not all
            ask the server at once.
    """

    servers: tuple[str, ...]
    subject: str = "authmw.bundle.heads"
    stream: str = "AUTHMW_HEADS"
    domain: str | None = None
    credentials_file: Path | None = None
    user: str | None = None
    password_file: Path | None = None
    token_file: Path | None = None
    cafile: Path | None = None
    certfile: Path | None = None
    keyfile: Path | None = None
    timeout_seconds: float = 5.0
    check_seconds: float = 15.0
    spread_seconds: float = 1.0


def parse_push_settings(section: Section) -> PushSettings:
    """Parse the table about NATS.

    Args:
        section: its members are those of `PushSettings`; all are read.

    Raises:
        ConfigurationError: a key is unknown, a value can't be meant, or a file can't be read.
    """
    usual = PushSettings(())
    settings = PushSettings(
        servers=_read_servers(section),
        subject=_read_name(section, "subject", usual.subject),
        stream=_read_name(section, "stream", usual.stream),
        domain=_read_name(section, "domain", None),
        credentials_file=section.path("credentials_file", None),
        user=section.text("user", None),
        password_file=section.path("password_file", None),
        token_file=section.path("token_file", None),
        cafile=section.path("cafile", None),
        certfile=section.path("certfile", None),
        keyfile=section.path("keyfile", None),
        timeout_seconds=section.number(
            "timeout_seconds", usual.timeout_seconds, least=0.1, most=60
        ),
        check_seconds=section.number("check_seconds", usual.check_seconds, least=1, most=3600),
        spread_seconds=section.number("spread_seconds", usual.spread_seconds, least=0, most=3600),
    )
    section.verify_all_read()
    _verify_together(section, settings)
    for key in ("credentials_file", "password_file", "token_file"):
        _verify_secret(section, key, getattr(settings, key))
    return settings


def _read_servers(section: Section) -> tuple[str, ...]:
    example = 'name at least one server: ["tls://nats.example:4222"]'
    servers: tuple[str, ...] = section.texts("servers")
    if not servers:
        raise section.refusal("servers", example)
    for server in servers:
        try:
            parts = urllib.parse.urlsplit(server)
            has_port = parts.port is None or parts.port > 0
        except ValueError:
            parts, has_port = urllib.parse.urlsplit(""), False
        if "@" in server:
            raise section.refusal(
                "servers", "write no user and password in a URL: use user and password_file"
            )
        if parts.scheme not in ("nats", "tls") or not parts.hostname or not has_port:
            raise section.refusal("servers", example)
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise section.refusal("servers", "write the scheme, host and port alone")
    return servers


def _read_name(section: Section, key: str, default: str | None) -> Any:
    name = section.text(key, default)
    pattern = _SUBJECT if key == "subject" else _NAME
    if name is not None and (len(name) > _LONGEST_NAME or pattern.fullmatch(name) is None):
        more = ", in words that dots join" if key == "subject" else ""
        raise section.refusal(key, f"write letters, digits, - and _{more}")
    return name


def _verify_together(section: Section, settings: PushSettings) -> None:
    if (settings.user is None) != (settings.password_file is None):
        key = "user" if settings.user is None else "password_file"
        raise section.refusal(key, "user and password_file belong together: set both")
    if settings.keyfile is not None and settings.certfile is None:
        raise section.refusal("certfile", "keyfile is the key of a certificate: name that, too")
    ways = [key for key in ("credentials_file", "user", "token_file") if section.has(key)]
    if len(ways) > 1:
        raise section.refusal(ways[1], f"{ways[0]} is set as well: choose one of them")
    if settings.user is not None or settings.token_file is not None:
        for server in settings.servers:
            if server.startswith("nats:") and not _is_this_host(server):
                raise section.refusal(
                    "servers",
                    "a password or token would be sent in the clear: write tls:// "
                    "(or use credentials_file, which sends no secret)",
                )


def _verify_secret(section: Section, key: str, path: Path | None) -> None:
    if path is None:
        return
    try:
        is_empty = not read_secret(path)
    except (OSError, ValueError) as error:
        raise section.refusal(key, f"name a readable file ({error})") from error
    if is_empty:
        raise section.refusal(key, "its first line is empty: write the secret there")


def read_secret(path: Path) -> str:
    """Return the first line of a file, without white space around it.

    Raises OSError, or ValueError if it is no text.
    """
    with path.open("rb") as file:
        return file.read(_LARGEST_SECRET).split(b"\n", 1)[0].decode().strip()


def _is_this_host(server: str) -> bool:
    host = urllib.parse.urlsplit(server).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
