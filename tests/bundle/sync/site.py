"""A site with a real client of a centre, and what it has in force."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from authmw.bundle.file import Header, hot_path, open_bundle, read_hot, verify_bundle
from authmw.bundle.sync.configuration import SyncConfiguration, read_sync_configuration
from authmw.bundle.sync.process import opened


@dataclass
class SyncSite:
    """The files of a site.

    Attributes:
        directory: with its configuration, root and bundle.
        name: of the site.
        url: of the repository.
        root: the root metadata that it was set up with.
        options: more lines of its file.
        http: more lines of its section [http].
    """

    directory: Path
    name: str
    url: str
    root: bytes
    options: str = ""
    http: str = ""

    def __post_init__(self) -> None:
        self.directory.mkdir(exist_ok=True)
        (self.directory / "root.json").write_bytes(self.root)
        self.write()

    @property
    def bundle(self) -> Path:
        return self.directory / "cloud.bundle"

    @property
    def file(self) -> Path:
        return self.directory / "sync.toml"

    def write(self) -> None:
        """Write the configuration."""
        self.file.write_text(
            f'site = "{self.name}"\nurl = "{self.url}"\ntrusted_root = "root.json"\n'
            f'bundle = "cloud.bundle"\n{self.options}\n[http]\n{self.http}\n'
        )

    @property
    def configuration(self) -> SyncConfiguration:
        return read_sync_configuration(self.file)

    def sync(self) -> str:
        """Sync once by a process of its own (but for the process); return the failure, or ""."""
        with opened(self.configuration) as service:
            succeeded = service.attempt()
            return "" if succeeded else service.status.failure or "?"

    @property
    def header(self) -> Header:
        with open_bundle(self.bundle) as bundle:
            return bundle.header

    @property
    def revision(self) -> int:
        """Of the bundle in force, whose rows are verified."""
        return verify_bundle(self.bundle).origin.revision

    @property
    def confirmed(self) -> tuple[bytes, int, int] | None:
        said = read_hot(hot_path(self.bundle)).confirmation
        return None if said is None else (said.digest, said.revision, said.read_at)

    @property
    def events(self) -> frozenset[str]:
        """Of the hot file."""
        return read_hot(hot_path(self.bundle)).events

    def digest_and_inode(self) -> tuple[bytes, int]:
        """Of the bundle in force: it was replaced if the inode is another one."""
        return self.header.digest, self.bundle.stat().st_ino

    def in_force(self) -> dict[str, bytes]:
        """Return the bytes of all that workers read."""
        paths = (self.bundle, hot_path(self.bundle))
        return {path.name: path.read_bytes() for path in paths if path.exists()}
