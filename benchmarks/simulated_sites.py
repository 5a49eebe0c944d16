"""Some of the sites of `benchmarks.sites`, in a process of their own.

Each site is the real sync with its own files, connection to the web server and connection to
NATS. Instead of workers a stub evaluator looks at the bundle after each sync: whether the user
whose role was taken away still has it.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from authmw.bundle.file import open_bundle
from authmw.bundle.push import Listener, PushSettings
from authmw.bundle.sync.configuration import SyncConfiguration
from authmw.bundle.sync.directory import SyncDirectory
from authmw.bundle.sync.fetcher import Fetcher
from authmw.bundle.sync.service import SyncService
from authmw.bundle.sync.transport import Transport, TransportOptions
from benchmarks.site_centre import holder


class Plan(NamedTuple):
    """What a process simulates.

    Attributes:
        names: of its sites.
        directory: for their files.
        url: of the repository.
        trusted_root: of it.
        nats: URL of the server.
    """

    names: list[str]
    directory: Path
    url: str
    trusted_root: Path
    nats: str


class Cost(NamedTuple):
    """What one sync took, while nothing else ran in the process.

    Attributes:
        seconds, processor_seconds: of the site's process.
        received_bytes: of bodies.
    """

    seconds: float
    processor_seconds: float
    received_bytes: int


class _Service(SyncService):
    """Looks at the bundle after each sync, as a worker of the site would."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.bundle: Path = arguments[0].bundle
        self.refused_at: dict[int, float] = {}
        self.next_holder = 0

    def attempt(self, *, will_go_on: bool = False) -> bool:
        is_done = super().attempt(will_go_on=will_go_on)
        self.look()
        return is_done

    def look(self) -> None:
        """Note for which holders the bundle has no role any more."""
        with contextlib.suppress(Exception), open_bundle(self.bundle, cache_kib=64) as bundle:
            while not list(
                bundle.select(
                    "SELECT 1 FROM system_assignments WHERE actor_id = ?",
                    (holder(self.next_holder),),
                )
            ):
                self.refused_at[self.next_holder] = time.monotonic()
                self.next_holder += 1
                if self.next_holder > 1000:
                    return


class SimulatedSite:
    """One site.

    Args:
        name: of the site.
        plan: of its process.
    """

    def __init__(self, name: str, plan: Plan) -> None:
        place = plan.directory / name
        place.mkdir()
        configuration = SyncConfiguration(
            site=name,
            url=plan.url,
            trusted_root=plan.trusted_root,
            bundle=place / "cloud.bundle",
            mode=0o640,
            poll_seconds=5.0,
            least_pause_seconds=1.0,
            most_back_off_seconds=300.0,
            stale_after_seconds=300,
            most_target_bytes=1 << 30,
            deadline_seconds=60.0,
            least_bytes_per_second=50_000,
            metrics_file=None,
            transport=TransportOptions(),
        )
        self._push = PushSettings((plan.nats,))
        self._configuration = configuration
        directory = SyncDirectory(configuration.bundle)
        self._locked = directory.locked()
        self._locked.__enter__()
        self._transport = Transport(configuration.transport, "authmw-benchmark")
        self._fetcher = Fetcher(
            self._transport,
            directory.incoming,
            deadline_seconds=60.0,
            least_bytes_per_second=50_000,
        )
        self._directory = directory
        self.service = self._make_service()
        self._listener: Listener | None = None
        self._thread: threading.Thread | None = None

    def _make_service(self) -> _Service:
        return _Service(self._configuration, self._directory, self._fetcher)

    def sync(self) -> Cost:
        """Sync once, here and now."""
        before = self._fetcher.received_bytes
        began, processor = time.monotonic(), time.thread_time()
        if not self.service.attempt():
            raise RuntimeError(self.service.status.failure)
        seconds, used = time.monotonic() - began, time.thread_time() - processor
        return Cost(seconds, used, self._fetcher.received_bytes - before)

    def listen(self) -> None:
        """Sync when anything is announced."""
        self._listener = Listener(self._push, self.service.wake, min_interval_seconds=1.0)
        self._listener.start()

    @property
    def is_listening(self) -> bool:
        return self._listener is None or self._listener.failure is None

    def run(self, poll_seconds: float) -> None:
        """Sync now and then, in a thread."""
        object.__setattr__(self._configuration, "poll_seconds", poll_seconds)
        self._thread = threading.Thread(target=self.service.run)
        self._thread.start()

    def stop(self) -> None:
        """Do nothing from now on."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        if self._thread is not None:
            self.service.stop()

    def join(self) -> None:
        """Wait for the end of what `stop` ended."""
        if self._thread is not None:
            self._thread.join(120)
            self._thread = None
            seen = self.service.next_holder
            self.service = self._make_service()
            self.service.next_holder = seen


class Ears:
    """Connections to NATS that note when they hear an announcement, all in one thread.

    Args:
        settings: of NATS.
        count: of connections.
    """

    def __init__(self, settings: PushSettings, count: int) -> None:
        self._settings = settings
        self._count = count
        self._heard_at: list[float] = []
        self._is_ready, self._is_closed = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        if not self._is_ready.wait(120):
            raise TimeoutError("not every connection to NATS came about")

    async def _run(self) -> None:
        from authmw.bundle.push.connection import connect

        async def note(_message: object) -> None:
            self._heard_at.append(time.monotonic())

        async with contextlib.AsyncExitStack() as stack:
            for _ in range(self._count):
                url = self._settings.servers[0]
                one = await stack.enter_async_context(connect(self._settings, url, "ear"))
                await one.subscribe(self._settings.subject, cb=note)
                await one.flush()
            self._is_ready.set()
            while not self._is_closed.is_set():
                await asyncio.sleep(0.1)

    def wait(self, seconds: float) -> list[float]:
        give_up_at = time.monotonic() + seconds
        while len(self._heard_at) < self._count and time.monotonic() < give_up_at:
            time.sleep(0.1)
        self._is_closed.set()
        self._thread.join()
        return self._heard_at


class Simulation:
    """The sites of one process; each public method is a command.

    Args:
        plan: of this process.
    """

    def __init__(self, plan: Plan) -> None:
        self._sites = [SimulatedSite(name, plan) for name in plan.names]
        self._nats = PushSettings((plan.nats,), timeout_seconds=30.0)

    def sync(self, most: int | None = None) -> list[Cost]:
        """Sync each site, one after the other."""
        return [site.sync() for site in self._sites[:most]]

    def hear(self, count: int) -> None:
        """Have so many connections that hear announcements; returns once all do."""
        self._ears = Ears(self._nats, count)

    def heard(self, seconds: float) -> list[float]:
        """Return when each of these connections heard the next announcement, and close them."""
        return self._ears.wait(seconds)

    def listen(self) -> None:
        """Listen at each site, and sync when it hears anything."""
        for site in self._sites:
            site.listen()
        give_up_at = time.monotonic() + 120
        while not all(site.is_listening for site in self._sites):
            if time.monotonic() > give_up_at:
                raise TimeoutError("not every site is connected to NATS")
            time.sleep(0.2)
        # Each hears the last announcement first.
        time.sleep(3)

    def run(self, poll_seconds: float) -> None:
        """Run the sync process of each site."""
        for site in self._sites:
            site.run(poll_seconds)

    def refused(self, number: int, seconds: float) -> list[float]:
        """Return when each site refused the holder of this number, once all do."""
        self._wait(lambda site: number in site.service.refused_at, seconds)
        return [site.service.refused_at[number] for site in self._sites]

    def _wait(self, is_done: Any, seconds: float) -> None:
        give_up_at = time.monotonic() + seconds
        while not all(map(is_done, self._sites)):
            if time.monotonic() > give_up_at:
                late = sum(not is_done(site) for site in self._sites)
                raise TimeoutError(f"{late} of {len(self._sites)} sites are late")
            time.sleep(0.1)

    def processor_seconds(self) -> float:
        """Return the processor time of this process so far."""
        return time.process_time()

    def stop(self) -> None:
        """Stop listening and syncing at all sites."""
        for site in self._sites:
            site.stop()
        for site in self._sites:
            site.join()


def simulate(plan: Plan, pipe: Connection) -> None:
    """Do what comes through the pipe, until None comes: names of commands, with arguments."""
    simulation = Simulation(plan)
    pipe.send((None, None))
    while (command := pipe.recv()) is not None:
        name, arguments = command
        try:
            pipe.send((getattr(simulation, name)(*arguments), None))
        except Exception as error:  # noqa: BLE001 - it is the other process's to report
            pipe.send((None, f"{type(error).__name__}: {error}"))
    simulation.stop()
