"""The centre of `benchmarks.sites`: a repository behind Apache, and NATS."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from authmw.bundle.centre.facts import facts_of_bundle
from authmw.bundle.centre.opening import open_store
from authmw.bundle.centre.publishing import Publisher
from authmw.bundle.centre.settings import load_centre_settings
from authmw.bundle.file import Origin, write_bundle
from authmw.bundle.push import Announcer, PushSettings
from authmw.cli import main
from benchmarks.bundle_world import World, identifier
from tests.support.nats import NatsServer
from tests.support.static_files import StaticFiles

_ROLE = identifier("role", 0)


@dataclass(frozen=True, slots=True)
class Scale:
    """What is simulated.

    Attributes:
        sites: how many.
        parts: how many different parts they have; sites share them evenly. 1: all sites have all.
        assignments: of the whole cloud.
        running: so many of the sites run their processes at the same time; None: all.
    """

    sites: int
    parts: int = 1
    assignments: int = 5_000
    running: int | None = None

    @property
    def names(self) -> list[str]:
        return [f"site-{number}" for number in range(self.sites)]


class Publication(NamedTuple):
    """What one publish took.

    Attributes:
        began_at, ended_at: `time.monotonic`, of the publish; the facts were read in between.
        processor_seconds: of the centre.
    """

    began_at: float
    ended_at: float
    processor_seconds: float


def holder(number: int) -> bytes:
    """Return the id of the user whose system role is the n-th to be taken away."""
    return identifier("holder", number)


class Centre:
    """A centre whose newest facts have one role assignment less each time.

    Args:
        directory: of its files; readable for Apache.
        scale: of the simulation.
        holders: how many roles there are to be taken away.
    """

    def __init__(self, directory: Path, scale: Scale, holders: int) -> None:
        self._directory = directory
        self._world = World(scale.assignments)
        self._holders = holders
        self._taken = 0
        self.repository = directory / "www"
        self.repository.mkdir(mode=0o755)
        self._file = directory / "centre.toml"
        self._file.write_text(
            '[centre]\nstate = "state"\nrepository = "www"\n'
            + "".join(
                self._site_table(name, number, scale) for number, name in enumerate(scale.names)
            )
        )
        with contextlib.redirect_stdout(io.StringIO()):
            status = main(["bundle", "init", str(self._file)])
        if status:
            raise RuntimeError("the repository could not be made")
        settings = load_centre_settings(self._file)
        self._publisher = Publisher(settings, open_store(settings))

    def _site_table(self, name: str, number: int, scale: Scale) -> str:
        if scale.parts == 1:
            return f"[sites.{name}]\n"
        project = identifier("project", number % scale.parts).hex()
        return f'[sites.{name}]\nprojects = ["{project}"]\n'

    @property
    def trusted_root(self) -> Path:
        return self._directory / "state" / "metadata" / "1.root.json"

    def publish(self) -> Publication:
        """Publish the facts as they are."""
        facts = self._directory / "cloud.bundle"
        now = int(time.time())
        facts.unlink(missing_ok=True)
        write_bundle(facts, Origin(1, now, "a benchmark", now, now - 5400), self._rows())
        began, processor = time.monotonic(), time.process_time()
        self._publisher.publish(facts_of_bundle(facts))
        return Publication(began, time.monotonic(), time.process_time() - processor)

    def take_role_away(self) -> int:
        """Take one more role away, to be published; return its number."""
        self._taken += 1
        return self._taken - 1

    def _rows(self) -> Iterator[tuple[str, tuple[object, ...]]]:
        yield from self._world.rows()
        for number in range(self._taken, self._holders):
            yield (
                "users",
                (holder(number), f"holder-{number}", identifier("domain", 0), 1, None, None, 1),
            )
            yield "system_assignments", (holder(number), 0, _ROLE)


@contextlib.contextmanager
def serving(directory: Path, centre: Centre) -> Iterator[tuple[StaticFiles, NatsServer]]:
    """Serve the repository, and run NATS."""
    files = StaticFiles(directory, centre.repository)
    # Sites that share two processors are slow to answer.
    nats = NatsServer(directory, options={"ping_interval": "2m"})
    with contextlib.ExitStack() as stack:
        for server in (files, nats):
            stack.callback(server.stop)
            server.start()
        yield files, nats


@contextlib.contextmanager
def announcing(nats: NatsServer) -> Iterator[Announcer]:
    """Give what announces revisions."""
    announcer = Announcer(PushSettings((nats.url,)))
    announcer.start()
    try:
        yield announcer
    finally:
        announcer.close()
