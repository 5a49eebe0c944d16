"""A centre in a directory, a web server for its repository, and what a site sees by TUF."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tuf.ngclient import Updater

from authmw.bundle.file import Origin, apply_delta, open_bundle, write_bundle
from authmw.bundle.sites.chains import CentreHead, SiteHead, parse_centre_head, parse_site_head
from authmw.bundle.sites.names import CENTRE_HEAD, site_head
from authmw.cli import main
from tests.support.bundle_facts import READ_AT, Fact

TOML = """\
[centre]
state = "state"
repository = "{repository}"
{centre}
{tables}
"""


class Centre:
    """A directory with a CENTRE.toml, run by the command.

    Args:
        directory: of it.
        repository: what the file says.
    """

    def __init__(self, directory: Path, repository: str = "www") -> None:
        self.directory = directory
        self.repository = repository
        self.file = directory / "centre.toml"
        self.state = directory / "state"
        self.www = directory / "www"
        self.keys = directory / "keys"
        self._revision = 0

    def configure(self, tables: str = "[sites.edge-1]", *, centre: str = "") -> None:
        """Write CENTRE.toml."""
        self.file.write_text(TOML.format(repository=self.repository, centre=centre, tables=tables))

    def run(self, command: str, *arguments: str, status: int = 0) -> None:
        """Run one of the commands."""
        assert main(["bundle", command, str(self.file), *arguments]) == status

    def run_json(
        self, capsys: pytest.CaptureFixture[str], command: str, *arguments: str
    ) -> dict[str, Any]:
        """Run one of the commands; returns what it prints."""
        capsys.readouterr()
        self.run(command, *arguments, "--json")
        printed: dict[str, Any] = json.loads(capsys.readouterr().out)
        return printed

    def write(self, facts: Iterable[Fact], *, read_at: int | None = None) -> Path:
        """Write facts to a bundle of later facts than the last one's."""
        self._revision += 1
        read_at = READ_AT + self._revision if read_at is None else read_at
        path = self.directory / "cloud.bundle"
        path.unlink(missing_ok=True)
        write_bundle(path, Origin(1, read_at, "a test", read_at, READ_AT - 5400), facts)
        return path

    def publish(self, facts: Iterable[Fact], *, status: int = 0) -> None:
        """Publish facts."""
        self.run("publish", "--from", str(self.write(facts)), status=status)

    @property
    def root(self) -> bytes:
        """The root that sites trust at first."""
        return (self.state / "metadata" / "1.root.json").read_bytes()


class Site:
    """What a site has of a centre, as TUF's own client fetches and verifies it.

    Args:
        directory: of the site.
        name: of the site.
        url: of the repository.
        root: that it trusts.
    """

    def __init__(self, directory: Path, name: str, url: str, root: bytes) -> None:
        self.name = name
        self.metadata = directory / "metadata"
        self._targets = directory / "targets"
        self.bundle = directory / "cloud.bundle"
        self._url = url
        self._root: bytes | None = root
        for each in (self.metadata, self._targets):
            each.mkdir(parents=True, exist_ok=True)

    def refresh(self) -> Updater:
        """Fetch and verify the metadata of the top-level roles."""
        updater = Updater(
            str(self.metadata),
            f"{self._url}/metadata/",
            str(self._targets),
            f"{self._url}/targets/",
            bootstrap=self._root,
        )
        self._root = None
        updater.refresh()
        return updater

    def fetch(self, updater: Updater, path: str) -> Path:
        """Fetch and verify one target."""
        target = updater.get_targetinfo(path)
        assert target is not None, path
        return Path(updater.download_target(target))

    def head_of_centre(self, updater: Updater | None = None) -> CentreHead:
        updater = updater or self.refresh()
        return parse_centre_head(self.fetch(updater, CENTRE_HEAD).read_bytes())

    def head(self, updater: Updater | None = None) -> SiteHead:
        updater = updater or self.refresh()
        return parse_site_head(self.fetch(updater, site_head(self.name)).read_bytes(), self.name)

    def sync(self) -> list[str]:
        """Get the newest revision by the chain; returns the names of the files that it took."""
        updater = self.refresh()
        chain = self.head(updater).warm
        links = None
        if self.bundle.exists():
            with open_bundle(self.bundle) as bundle:
                state = bundle.header.origin.revision, bundle.header.digest
            links = chain.deltas_from(*state)
        taken = []
        if links is None:
            taken.append(chain.base.path)
            self.bundle.unlink(missing_ok=True)
            self.bundle.write_bytes(self.fetch(updater, chain.base.path).read_bytes())
            links = chain.deltas_after_base()
        for link in links:
            taken.append(link.path)
            apply_delta(self.bundle, self.fetch(updater, link.path))
        with open_bundle(self.bundle) as bundle:
            assert bundle.header.digest == chain.digest
            assert bundle.header.origin.revision == chain.revision
        return [path.rpartition("/")[2] for path in taken]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextmanager
def serve(directory: Path) -> Iterator[str]:
    """Serve a directory on the loopback; yields its URL."""
    directory.mkdir(exist_ok=True)
    handler = functools.partial(_Quiet, directory=str(directory))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
