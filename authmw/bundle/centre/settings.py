"""CENTRE.toml as a frozen object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from authmw.bundle.export.selection import Filter
from authmw.bundle.push import PushSettings, parse_push_settings
from authmw.bundle.sites.names import CENTRE, is_site_name, site_role
from authmw.bundle.sites.toml_file import Section, read_toml
from authmw.errors import ConfigurationError, UsageError

ROOT: Final = "root"
TARGETS: Final = "targets"
SNAPSHOT: Final = "snapshot"
TIMESTAMP: Final = "timestamp"
OFFLINE_ROLES: Final = (ROOT, TARGETS)
"""Roles whose keys `publish` never needs."""

_DAY: Final = 86_400
_S3: Final = "s3://"
# Keys, threshold and days to the expiry, unless the file says otherwise.
_DEFAULTS: Final[Mapping[str, tuple[tuple[str, ...], int, float]]] = {
    ROOT: (("root-1.pem", "root-2.pem", "root-3.pem"), 2, 365),
    TARGETS: (("targets.pem",), 1, 365),
    SNAPSHOT: (("snapshot.pem",), 1, 7),
    TIMESTAMP: (("timestamp.pem",), 1, 0.25),
    CENTRE: (("centre.pem",), 1, 7),
}
_SITE_DAYS: Final = 30.0


@dataclass(frozen=True, slots=True)
class RoleSettings:
    """The keys of one role.

    Attributes:
        keys: paths of key files, or URIs of PKCS#11 (`hsm:...`); each has one name.
        threshold: how many of them have to sign.
        expires_seconds: how long what they signed is valid.
    """

    keys: tuple[str, ...]
    threshold: int
    expires_seconds: float


@dataclass(frozen=True, slots=True)
class SiteSettings:
    """One site.

    Attributes:
        filter: which part of the facts it gets.
        role: its keys.
    """

    filter: Filter
    role: RoleSettings


@dataclass(frozen=True, slots=True)
class S3Settings:
    """Where S3-compatible storage is; credentials are found as boto3 finds them.

    Attributes:
        bucket, prefix: `s3://bucket/prefix`; the prefix is empty or ends with a slash.
        endpoint: a URL; None: AWS's own.
        region: None: as boto3 finds it.
    """

    bucket: str
    prefix: str
    endpoint: str | None
    region: str | None


@dataclass(frozen=True, slots=True)
class CentreSettings:
    """All of CENTRE.toml.

    Attributes:
        path: of the file.
        keystone_config: Keystone's configuration files.
        connection_file: a file whose first line is the URL of another database; or None.
        config_file: a service's configuration with credentials, for users of directories; or None.
        state: the directory that is the centre's own.
        repository: a directory, or storage, that sites fetch from.
        every_seconds, hot_every_seconds: between two publishes of the service.
        keep_seconds: how long a target that is in no chain any more is kept.
        keep_metadata_seconds: the same of metadata.
        rebase_share: deltas of a chain together may be this share of its base.
        most_deltas, hot_most_deltas: so many deltas follow a base at the most.
        passphrase_file: has the passphrase of encrypted key files in its first line; or None.
        pkcs11_module: a path; None: the environment names it (PYKCS11LIB).
        pin_file: has the PIN for PKCS#11 in its first line; or None.
        roles: of the top level, and `centre`.
        sites: by name.
        push: where revisions are announced; None: nowhere.
    """

    path: Path
    keystone_config: tuple[str, ...]
    connection_file: Path | None
    config_file: Path | None
    state: Path
    repository: Path | S3Settings
    every_seconds: float
    hot_every_seconds: float
    keep_seconds: float
    keep_metadata_seconds: float
    rebase_share: float
    most_deltas: int
    hot_most_deltas: int
    passphrase_file: Path | None
    pkcs11_module: Path | None
    pin_file: Path | None
    roles: Mapping[str, RoleSettings]
    sites: Mapping[str, SiteSettings]
    push: PushSettings | None = None

    def role(self, name: str) -> RoleSettings:
        """Return the settings of a role by its name in the repository. Raises KeyError."""
        if name in self.roles:
            return self.roles[name]
        return self.sites[name.removeprefix("site.")].role

    @property
    def delegated(self) -> dict[str, RoleSettings]:
        """The roles that `targets` delegates to."""
        sites = {site_role(name): each.role for name, each in self.sites.items()}
        return {CENTRE: self.roles[CENTRE], **sites}


def load_centre_settings(path: Path) -> CentreSettings:
    """Read CENTRE.toml.

    Raises:
        UsageError: it can't be read, or an option is wrong; names it, its value and the fix.
    """
    file = read_toml(path)
    try:
        settings = _parse(path, file)
        file.verify_all_read()
    except ConfigurationError as error:
        raise UsageError(f"{path}: {error}") from error
    return settings


def _parse(path: Path, file: Section) -> CentreSettings:
    if not file.has("centre"):
        raise file.refusal("centre", "a centre's file has a table [centre]")
    centre, pkcs11 = file.section("centre"), file.section("pkcs11")
    keys = centre.path("keys", path.parent.absolute() / "keys")
    roles, sites = file.section("roles"), file.section("sites")
    settings = CentreSettings(
        path=path,
        keystone_config=tuple(
            [str(path.parent.absolute() / each) for each in centre.texts("keystone_config")]
        ),
        connection_file=centre.path("connection_file", None),
        config_file=centre.path("config_file", None),
        state=centre.path("state"),
        repository=_parse_repository(centre, file.section("s3")),
        every_seconds=centre.number("every", 30.0, least=0.1, most=_DAY),
        hot_every_seconds=centre.number("hot_every", 2.0, least=0.1, most=_DAY),
        keep_seconds=_DAY * centre.number("keep_days", 7.0, least=0.01, most=3650),
        keep_metadata_seconds=3600
        * centre.number("keep_metadata_hours", 1.0, least=0.01, most=1e5),
        rebase_share=centre.number("rebase_share", 0.5, least=0.0, most=10.0),
        most_deltas=centre.integer("most_deltas", 100, least=0, most=900),
        hot_most_deltas=centre.integer("hot_most_deltas", 20, least=0, most=900),
        passphrase_file=centre.path("passphrase_file", None),
        pkcs11_module=pkcs11.path("module", None),
        pin_file=pkcs11.path("pin_file", None),
        roles={
            name: _parse_role(roles.section(name), keys, *defaults)
            for name, defaults in _DEFAULTS.items()
        },
        sites={name: _parse_site(sites, name, section, keys) for name, section in sites.sections()},
        push=parse_push_settings(file.section("push")) if file.has("push") else None,
    )
    for section in (centre, pkcs11, roles):
        section.verify_all_read()
    return settings


def _parse_repository(centre: Section, s3: Section) -> Path | S3Settings:
    text = centre.text("repository")
    endpoint, region = s3.text("endpoint", None), s3.text("region", None)
    s3.verify_all_read()
    if not text.startswith(_S3):
        if "://" in text:
            raise centre.refusal("repository", "write a directory, or s3://BUCKET/PREFIX")
        directory: Path = centre.path("repository")
        return directory
    bucket, _, prefix = text.removeprefix(_S3).partition("/")
    if not bucket:
        raise centre.refusal("repository", "write s3://BUCKET/PREFIX")
    prefix = prefix.strip("/")
    return S3Settings(bucket, f"{prefix}/" if prefix else "", endpoint, region)


def _parse_role(
    section: Section, directory: Path, names: tuple[str, ...], threshold: int, days: float
) -> RoleSettings:
    texts = section.texts("keys", None)
    if texts is None:
        keys = tuple([str(directory / name) for name in names])
    else:
        keys = tuple([_parse_key(section, each) for each in texts])
    if not keys or len(set(keys)) != len(keys):
        raise section.refusal("keys", "name at least one key, and none twice")
    threshold = section.integer("threshold", min(threshold, len(keys)), least=1, most=len(keys))
    most = 36_500
    expires = section.number("expires_days", days, least=0.001, most=most)
    section.verify_all_read()
    return RoleSettings(keys, threshold, expires * _DAY)


def _parse_key(section: Section, text: str) -> str:
    if text.startswith("hsm:"):
        return text
    if ":" in text.partition("/")[0]:
        raise section.refusal("keys", "write the path of a file, or hsm:ID?label=TOKEN")
    return str(section.directory / text)


def _parse_site(sites: Section, name: str, section: Section, keys: Path) -> SiteSettings:
    if not is_site_name(name):
        raise sites.refusal(name, "name it with lower-case letters, digits and hyphens, at most 63")
    chosen = Filter(section.texts("domains"), section.texts("projects"), section.texts("regions"))
    return SiteSettings(
        chosen, _parse_role(section, keys, (f"{site_role(name)}.pem",), 1, _SITE_DAYS)
    )
