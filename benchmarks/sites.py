"""How soon a role that was taken away at the centre is refused at every site.

    python -m benchmarks sites
    python -m benchmarks.sites --sites 1000 --save FIGURES.json
    python -m benchmarks.site_plots FIGURES.json doc

A full run has 1,000 sites: the real sync with real TUF metadata, files, connections to Apache and
to NATS. A stub evaluator looks at each bundle after a sync, whether the role is still there. The
time begins when the centre begins to publish, and so has the time that this takes.

All sites share the processors of one machine here, so their syncs wait for each other as those of
a thousand hosts would not. Each way is told twice: "on this machine" as it was measured, and
"composed for hosts of their own", which nobody ran. That adds up what was measured on its own: the
processor time of the publish, when each of 1,000 connections to NATS heard of it, the processor
time of syncs one after the other; and two random waits that are assumed, of a second at the most
until a site begins, and of half a second until a worker looks at the file. Waits for disks and
networks of other hosts are not in it.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import multiprocessing
import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from authmw.bundle.in_force import LOOK_SECONDS
from authmw.bundle.push import PushSettings
from benchmarks.measure import FULL, Effort
from benchmarks.simulated_sites import Cost, Plan, simulate
from benchmarks.site_centre import Centre, Publication, Scale, announcing, serving
from benchmarks.table import Row

BUDGET_SECONDS = 5.0
POLL_SECONDS = 30.0
# Longer than a run: only announcements lead to syncs.
_NO_POLL_SECONDS = 3600.0
_PATIENCE_SECONDS = 900.0
_PROCESSES = 2
# So many sites of each process sync one after the other, to see what one costs.
_SAMPLE = 25


@dataclass
class Figures:
    """What a run has measured; times are seconds.

    Attributes:
        publications: of each round.
        first, next_one: what syncs cost, one after the other.
        heard: from the announcement to when each site would have synced.
        push, poll: from the beginning of a publish to the refusal, on this machine.
        processor_seconds: of the processes of sites and of Apache, in one round with push.
    """

    scale: Scale
    publications: list[Publication] = field(default_factory=list)
    first: list[Cost] = field(default_factory=list)
    next_one: list[Cost] = field(default_factory=list)
    heard: list[float] = field(default_factory=list)
    push: list[float] = field(default_factory=list)
    poll: list[float] = field(default_factory=list)
    processor_seconds: dict[str, float] = field(default_factory=dict)

    def _publish_seconds(self) -> float:
        return statistics.median(each.processor_seconds for each in self.publications)

    def as_hosts(self, waits: Callable[[random.Random], float]) -> list[float]:
        """Return times until the refusal on hosts of their own; see the module.

        Args:
            waits: returns the seconds from the end of a publish to the beginning of a sync.
        """
        numbers = random.Random(0)
        publish = self._publish_seconds()
        return [
            publish
            + waits(numbers)
            + numbers.choice(self.next_one).processor_seconds
            + numbers.uniform(0, LOOK_SECONDS)
            for _ in range(self.scale.sites * 10)
        ]

    @property
    def push_as_hosts(self) -> list[float]:
        spread = PushSettings(()).spread_seconds
        return self.as_hosts(
            lambda numbers: numbers.choice(self.heard) + numbers.uniform(0, spread)
        )

    @property
    def poll_as_hosts(self) -> list[float]:
        # See `SyncService`: each interval is 0.9 to 1.1 of what was configured.
        return self.as_hosts(
            lambda numbers: numbers.random() * POLL_SECONDS * numbers.uniform(0.9, 1.1)
        )


class Sites:
    """The processes that simulate sites; a command goes to all of them.

    Args:
        pipes: of the processes.
    """

    def __init__(self, pipes: Sequence[Connection]) -> None:
        self._pipes = pipes

    def all(self, name: str, *arguments: object) -> list[Any]:
        """Have all processes do something at the same time; return what each says."""
        for pipe in self._pipes:
            pipe.send((name, arguments))
        return [self._receive(pipe) for pipe in self._pipes]

    def each(self, name: str, *arguments: object) -> list[Any]:
        """Have one process after the other do something; return what each says."""
        found = []
        for pipe in self._pipes:
            pipe.send((name, arguments))
            found.append(self._receive(pipe))
        return found

    def _receive(self, pipe: Connection) -> Any:
        result, error = pipe.recv()
        if error is not None:
            raise RuntimeError(error)
        return result


@contextlib.contextmanager
def _simulating(scale: Scale, directory: Path, plan: Plan) -> Iterator[Sites]:
    context = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    for number in range(_PROCESSES):
        place = directory / f"sites-{number}"
        place.mkdir()
        ours, theirs = context.Pipe()
        names = scale.names[: scale.running][number::_PROCESSES]
        process = context.Process(
            target=simulate, args=(plan._replace(names=names, directory=place), theirs)
        )
        process.start()
        pipes.append(ours)
        processes.append(process)
    try:
        for pipe in pipes:
            pipe.recv()
        yield Sites(pipes)
    finally:
        for pipe in pipes:
            with contextlib.suppress(OSError):
                pipe.send(None)
        for process in processes:
            process.join(60)
            process.kill()


def measure(scale: Scale, rounds: int, keep: Callable[[Figures], None] = lambda _: None) -> Figures:
    """Simulate a centre and its sites, and measure.

    Args:
        scale: of the simulation.
        rounds: so many roles are taken away in each way.
        keep: is called with the figures as they come: a run takes long.
    """
    figures = Figures(scale)
    # Apache runs as another user, who has to reach the repository.
    directory = Path(tempfile.mkdtemp(prefix="authmw-sites-", dir=os.environ.get("TMPDIR")))
    directory.chmod(0o755)
    try:
        centre = Centre(directory, scale, 2 * rounds + 3)
        centre.publish()
        with serving(directory, centre) as (files, nats), announcing(nats) as announcer:
            plan = Plan([], directory, files.url, centre.trusted_root, nats.url)
            # Makes the stream.
            announcer.announce(0)
            announcer.wait(30)
            with _simulating(scale, directory, plan) as sites:
                figures.first = _join(sites.each("sync", _SAMPLE))
                _one_after_the_other(figures, sites, centre, announcer.announce)
                keep(figures)
                sites.all("sync")
                _with_push(figures, sites, centre, announcer.announce, rounds)
                keep(figures)
                _with_polls(figures, sites, centre, rounds)
                keep(figures)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return figures


def _publish(figures: Figures, centre: Centre) -> tuple[int, Publication]:
    number = centre.take_role_away()
    publication = centre.publish()
    figures.publications.append(publication)
    return number, publication


def _one_after_the_other(
    figures: Figures, sites: Sites, centre: Centre, announce: Callable[[int], None]
) -> None:
    sites.all("hear", figures.scale.sites // _PROCESSES)
    _publish(figures, centre)
    announced_at = time.monotonic()
    announce(1)
    heard = _join(sites.all("heard", _PATIENCE_SECONDS))
    figures.heard = [each - announced_at for each in heard]
    figures.next_one = _join(sites.each("sync", _SAMPLE))


def _with_push(
    figures: Figures,
    sites: Sites,
    centre: Centre,
    announce: Callable[[int], None],
    rounds: int,
) -> None:
    sites.all("run", _NO_POLL_SECONDS)
    sites.all("listen")
    for turn in range(rounds):
        before = sum(sites.all("processor_seconds"))
        number, publication = _publish(figures, centre)
        announce(turn + 2)
        refused = _join(sites.all("refused", number, _PATIENCE_SECONDS))
        figures.push += [each - publication.began_at for each in refused]
        figures.processor_seconds["sites"] = sum(sites.all("processor_seconds")) - before
    sites.all("stop")


def _with_polls(figures: Figures, sites: Sites, centre: Centre, rounds: int) -> None:
    sites.all("run", POLL_SECONDS)
    # Their polls begin at the same moment, and drift apart.
    numbers = random.Random(1)
    for _ in range(rounds):
        time.sleep(POLL_SECONDS * numbers.uniform(1, 2))
        number, publication = _publish(figures, centre)
        refused = _join(sites.all("refused", number, _PATIENCE_SECONDS))
        figures.poll += [each - publication.began_at for each in refused]
    sites.all("stop")


def _join(lists: Sequence[list[Any]]) -> list[Any]:
    return [each for one in lists for each in one]


def percentile(times: Sequence[float], share: float) -> float:
    """Return a percentile."""
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]


def run(effort: Effort) -> Iterator[Row]:
    """Measure and yield the rows of the table."""
    scale = Scale(1_000) if effort is FULL else Scale(20)
    yield from describe(measure(scale, 3 if effort is FULL else 1))


def describe(figures: Figures) -> Iterator[Row]:
    """Yield what was measured as rows of the table."""
    what = f"{figures.scale.sites:,} sites"
    if figures.scale.parts > 1:
        what += f" with {figures.scale.parts} parts"
    publish = [each.ended_at - each.began_at for each in figures.publications]
    used = [each.processor_seconds for each in figures.publications]
    yield Row(f"{what}: one publish", f"{statistics.median(publish):.2f} s")
    yield Row(f"{what}: one publish, processor time", f"{statistics.median(used):.2f} s")
    for name, costs in (("first sync", figures.first), ("sync of one change", figures.next_one)):
        processor = statistics.median(each.processor_seconds for each in costs)
        seconds = statistics.median(each.seconds for each in costs)
        received = statistics.median(each.received_bytes for each in costs)
        yield Row(f"{what}: {name}, processor time", f"{processor * 1000:.0f} ms")
        yield Row(f"{what}: {name}, alone", f"{seconds * 1000:.0f} ms")
        yield Row(f"{what}: {name}, received", f"{received / 1000:.1f} kB")
    yield from _times(f"{what}: announcement heard", figures.heard, None)
    hosts = "composed for hosts of their own"
    here = f"{figures.scale.running or figures.scale.sites:,} on this machine"
    yield from _times(f"{what}: refused, push, {hosts}", figures.push_as_hosts, BUDGET_SECONDS)
    yield from _times(f"{what}: refused, push, {here}", figures.push, None)
    most = POLL_SECONDS * 1.1 + BUDGET_SECONDS
    yield from _times(f"{what}: refused, polls, {hosts}", figures.poll_as_hosts, most)
    yield from _times(f"{what}: refused, polls, {here}", figures.poll, None)


def _times(what: str, times: Sequence[float], budget: float | None) -> Iterator[Row]:
    if not times:
        return
    yield Row(f"{what}, p50", f"{percentile(times, 0.5):.2f} s")
    p99 = percentile(times, 0.99)
    if budget is None:
        yield Row(f"{what}, p99", f"{p99:.2f} s")
    else:
        yield Row(f"{what}, p99", f"{p99:.2f} s", budget=f"{budget:g} s", is_met=p99 <= budget)


def main() -> None:
    """Measure, print the rows, and keep what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sites", description=__doc__)
    parser.add_argument("--sites", type=int, default=1000)
    parser.add_argument("--parts", type=int, default=1, help="different parts that sites have")
    parser.add_argument("--running", type=int, help="so many sites run at the same time")
    parser.add_argument("--assignments", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--save", type=Path, metavar="FILE", help="all figures as JSON")
    arguments = parser.parse_args()
    from benchmarks.stage import silence_logs
    from benchmarks.table import format_text

    silence_logs()
    scale = Scale(arguments.sites, arguments.parts, arguments.assignments, arguments.running)

    def keep(figures: Figures) -> None:
        if arguments.save:
            arguments.save.write_text(json.dumps(dataclasses.asdict(figures)))

    figures = measure(scale, arguments.rounds, keep)
    print(format_text(describe(figures)))


if __name__ == "__main__":
    main()
