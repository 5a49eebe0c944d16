"""The TOML file of a site: where its part comes from, and where it is put."""

from __future__ import annotations

import ipaddress
import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from authmw.bundle.push import PushSettings, parse_push_settings
from authmw.bundle.sites.names import is_site_name
from authmw.bundle.sites.toml_file import Section, read_toml
from authmw.bundle.sync.transport import TransportOptions
from authmw.errors import ConfigurationError
from authmw.net.pem_files import load_authorities, load_certificate

_HTTP: Final = "http"
# Not for everyone: a bundle says who may do what.
_MODES: Final = re.compile(r"0?[0-7][04]0|0?[0-7]44")
_DAY: Final = 86_400
_GIB: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class SyncConfiguration:
    """What the file says.

    Attributes:
        site: the name that the centre gave it.
        url: of the repository; `metadata/` and `targets/` are below it.
        trusted_root: a file with a version of the root metadata, brought here by a trusted way.
        bundle: where workers read it (`bundle_path`).
        mode: of a file that is not there yet.
        poll_seconds: between two looks for news.
        least_pause_seconds: between the beginnings of two syncs, whoever asks for one.
        most_back_off_seconds: between two tries, once some have failed.
        stale_after_seconds: from which age on facts, events or the last success are worth an alarm.
        most_target_bytes: a larger bundle is not fetched, whoever signed it.
        deadline_seconds: for a small file.
        least_bytes_per_second: what a larger file may take is this much longer.
        metrics_file: for node_exporter's textfile collector; None: none is written.
        transport: how the server is reached.
        push: where announcements are heard; None: nowhere.
    """

    site: str
    url: str
    trusted_root: Path
    bundle: Path
    mode: int
    poll_seconds: float
    least_pause_seconds: float
    most_back_off_seconds: float
    stale_after_seconds: int
    most_target_bytes: int
    deadline_seconds: float
    least_bytes_per_second: int
    metrics_file: Path | None
    transport: TransportOptions
    push: PushSettings | None = None


def read_sync_configuration(path: Path) -> SyncConfiguration:
    """Read the file.

    Raises:
        UsageError: it can't be read.
        ConfigurationError: an option is missing, unknown, or of no use; names it.
    """
    section = read_toml(path)
    configuration = parse_sync_configuration(section)
    section.verify_all_read()
    return configuration


def parse_sync_configuration(section: Section) -> SyncConfiguration:
    """Read the members of the file; the caller verifies that none is left.

    Raises:
        ConfigurationError: see `read_sync_configuration`.
    """
    site = section.text("site")
    if not is_site_name(site):
        fix = "write the name that the centre gave this site: lower-case letters, digits, hyphens"
        raise section.refusal("site", fix)
    http = section.section(_HTTP)
    transport = _read_transport(http)
    configuration = SyncConfiguration(
        site=site,
        url=_read_url(section, allows_http=transport.allows_http),
        trusted_root=section.path("trusted_root"),
        bundle=section.path("bundle"),
        mode=_read_mode(section),
        poll_seconds=section.number("poll_seconds", 5.0, least=0.1, most=_DAY),
        least_pause_seconds=section.number("least_pause_seconds", 1.0, least=0.05, most=3600),
        most_back_off_seconds=section.number("most_back_off_seconds", 300.0, least=1, most=_DAY),
        stale_after_seconds=section.integer("stale_after_seconds", 300, least=1, most=1 << 31),
        most_target_bytes=section.integer("most_target_bytes", 8 * _GIB, least=4096, most=1 << 43),
        deadline_seconds=http.number("deadline_seconds", 30.0, least=0.1, most=3600),
        least_bytes_per_second=http.integer(
            "least_bytes_per_second", 50_000, least=1, most=1 << 40
        ),
        metrics_file=section.path("metrics_file", None),
        transport=transport,
        push=parse_push_settings(section.section("push")) if section.has("push") else None,
    )
    http.verify_all_read()
    return configuration


def _read_url(section: Section, *, allows_http: bool) -> str:
    url = str(section.text("url"))
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("https", "http"):
        raise section.refusal("url", "write an address: https://HOST/PATH")
    if parts.username is not None or parts.query or parts.fragment:
        fix = "write it without user, password, query and fragment; see certfile"
        raise ConfigurationError("url", None, fix, section="top of the file")
    if parts.scheme == "http" and not (allows_http or _is_this_host(host)):
        fix = "write https://: over http others can read who may do what ([http] allow_http)"
        raise section.refusal("url", fix)
    return url.rstrip("/")


def _is_this_host(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _read_mode(section: Section) -> int:
    written = section.text("mode", "0640")
    if _MODES.fullmatch(written) is None:
        fix = 'write the mode of the files, such as "0640": nobody else may write to them'
        raise section.refusal("mode", fix)
    return int(written, 8)


def _read_transport(http: Section) -> TransportOptions:
    cafile, certfile, keyfile = (
        http.path(name, None) for name in ("cafile", "certfile", "keyfile")
    )
    if keyfile is not None and certfile is None:
        raise http.refusal("certfile", "name the certificate of this key")
    certificate: str | tuple[str, str] | None = None
    if certfile is not None:
        certificate = str(certfile) if keyfile is None else (str(certfile), str(keyfile))
    _load(cafile, certfile, keyfile)
    return TransportOptions(
        None if cafile is None else str(cafile),
        certificate,
        http.number("connect_seconds", 5.0, least=0.1, most=600),
        http.number("read_seconds", 20.0, least=0.1, most=600),
        http.boolean("allow_http", default=False),
    )


def _load(cafile: Path | None, certfile: Path | None, keyfile: Path | None) -> None:
    """Load the files, to find their faults at start."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if cafile is not None:
            load_authorities(context, "cafile", str(cafile))
        if certfile is not None:
            load_certificate(
                context,
                certificate_option="certfile",
                certfile=str(certfile),
                key_option="keyfile",
                keyfile=None if keyfile is None else str(keyfile),
            )
    except ConfigurationError as error:
        raise ConfigurationError(error.option, error.value, error.fix, section=_HTTP) from error
