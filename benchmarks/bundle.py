"""What a bundle costs: look-ups with evaluation, memory, deltas.

    python -m benchmarks bundle

A full run makes a bundle with five million assignments first, which takes minutes. If
AUTHMW_BENCH_BUNDLE names a file, it is made there, and used again by the next run.

A look-up is one evaluation of a project-scoped token of a user with ten groups, on a project five
deep. The users and projects of one run are all different ones. `Private_Dirty` is a worker's, its
interpreter included (`/proc/self/smaps_rollup`). A delta exchanges 0.1% of the assignments: as many
go as come. It is applied while as many workers as there are processors look up without a pause;
the first one copies the file, later ones use the file before the last one again.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import random
import re
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

from authmw.authority.keystone_claims import KeystoneClaims
from authmw.bundle.evaluate import evaluate
from authmw.bundle.facts import TABLES_BY_NAME
from authmw.bundle.file import (
    Bundle,
    Header,
    apply_delta,
    open_bundle,
    verify_bundle,
)
from authmw.bundle.file.database import open_for_reading
from authmw.bundle.file.delta import DeltaHeader, encode_delta
from authmw.bundle.file.header import read_header
from authmw.bundle.file.rows import encode_rows
from authmw.errors import InvalidToken
from benchmarks.bundle_world import DEPTH, READ_AT, TREE, World, identifier, write_world
from benchmarks.measure import FULL, Effort
from benchmarks.table import Row

LOOK_UP_BUDGET_US = 60
MEMORY_BUDGET_MIB = 64
DELTA_BUDGET_SHARE = 0.002
APPLY_BUDGET_SECONDS = 2.0
NOTICE_BUDGET_SECONDS = 1.0
CHANGED_SHARE = 0.001

_ASSIGNMENTS = {FULL: 5_000_000}
_QUICK_ASSIGNMENTS = 50_000
_LOOK_UPS = 20_000
_LOOK_INTERVAL_SECONDS = 0.25
_DELTAS = 4


@dataclass(frozen=True, slots=True)
class Report:
    """What a worker says at its end.

    Attributes:
        times_us: of each look-up, sorted.
        processor_us: of each look-up on average, which other processes do not disturb as much.
        noticed_at: `time.monotonic` when it first used another revision; None: never.
        private_dirty_mib: see the module.
    """

    times_us: list[float]
    processor_us: float
    noticed_at: float | None
    private_dirty_mib: float

    def percentile(self, share: float) -> float:
        return self.times_us[int(len(self.times_us) * share)]


def questions(world: World, seed: int) -> Iterator[KeystoneClaims]:
    """Yield the claims of random tokens, without end."""
    numbers = random.Random(seed)
    while True:
        project = numbers.randrange(world.projects // TREE) * TREE
        project += numbers.randrange(DEPTH - 1, TREE)
        user = numbers.choice(world.users_of(project))
        yield KeystoneClaims(
            user_id=identifier("user", user).hex(),
            methods=("password",),
            audit_ids=("audit",),
            project_id=identifier("project", project).hex(),
            **dict.fromkeys(_ABSENT),
            system=False,
        )


_ABSENT = (
    "domain_id",
    "group_ids",
    "trust_id",
    "application_credential_id",
    "access_token_id",
    "thumbprint",
    "identity_provider_id",
    "protocol_id",
)


def look_up(bundle: Bundle, claims: KeystoneClaims) -> None:
    """Evaluate a token; the delta may have taken its last role."""
    times = {"issued_at": READ_AT - 3600, "expires_at": READ_AT + 3600}
    with suppress(InvalidToken):
        evaluate(claims, **times, now=READ_AT + 60, facts=bundle.facts)


def work(path: Path, world: World, most: int | None, seed: int, pipe: Connection) -> None:
    """Look up until `most` is reached, or until told to stop; reopen the bundle if it changes."""
    bundle = open_bundle(path)
    asked = list(itertools.islice(questions(world, seed), most or _LOOK_UPS))
    times_us: list[float] = []
    noticed_at: float | None = None
    looked_at = time.monotonic()
    pipe.send(None)
    processor = time.process_time()
    for claims in itertools.cycle(asked):
        start = time.perf_counter_ns()
        look_up(bundle, claims)
        times_us.append((time.perf_counter_ns() - start) / 1000)
        if most is not None:
            if len(times_us) == most:
                break
        elif time.monotonic() > looked_at + _LOOK_INTERVAL_SECONDS:
            looked_at = time.monotonic()
            if bundle.is_replaced():
                bundle.close()
                bundle = open_bundle(path)
                noticed_at = time.monotonic()
            if pipe.poll():
                break
    processor_us = (time.process_time() - processor) / len(times_us) * 1e6
    pipe.send(Report(sorted(times_us), processor_us, noticed_at, _private_dirty_mib()))


def _private_dirty_mib() -> float:
    found = re.search(
        r"^Private_Dirty:\s*(\d+) kB", Path("/proc/self/smaps_rollup").read_text(), re.M
    )
    return int(found[1]) / 1024 if found else float("nan")


@contextmanager
def _workers(path: Path, world: World, count: int, most: int | None) -> Iterator[list[Connection]]:
    """Start workers, and wait until they look up."""
    context = multiprocessing.get_context("spawn")
    pipes: list[Connection] = []
    processes = []
    for seed in range(count):
        ours, theirs = context.Pipe()
        process = context.Process(target=work, args=(path, world, most, seed, theirs))
        process.start()
        pipes.append(ours)
        processes.append(process)
    try:
        for pipe in pipes:
            pipe.recv()
        yield pipes
    finally:
        for process in processes:
            process.join(60)


def make_change(path: Path, out: Path, count: int) -> None:
    """Write a delta that exchanges so many assignments for others."""
    table = TABLES_BY_NAME["assignments"]
    numbers = random.Random(0)
    file = open_for_reading(path, cache_kib=2048)
    connection = file.connection
    header, state = read_header(connection)
    removed: set[tuple[object, ...]] = set()
    while len(removed) < count:
        found = connection.execute(
            "SELECT * FROM assignments WHERE target_id > ? LIMIT 1", (numbers.randbytes(16),)
        )
        removed.update(found)
    file.close()
    went = encode_rows(table, removed)
    came = encode_rows(table, [(*row[:2], numbers.randbytes(16), *row[3:]) for row in removed])
    state.remove(table.name, went)
    state.add(table.name, came)
    origin = replace(
        header.origin, revision=header.origin.revision + 1, read_at=header.origin.read_at + 30
    )
    result = Header(origin, header.row_count, state.digest)
    delta = DeltaHeader(header.origin.revision, header.digest, result)
    out.write_bytes(b"".join(encode_delta(delta, [(table, went, came)])))


def run(effort: Effort) -> Iterator[Row]:
    """Measure and yield the rows of the table."""
    assignments = _ASSIGNMENTS.get(effort, _QUICK_ASSIGNMENTS)
    world = World(assignments)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bundle"
        kept = os.environ.get("AUTHMW_BENCH_BUNDLE") if effort is FULL else None
        if kept is None or not os.path.exists(kept):
            start = time.process_time()
            write_world(Path(kept or path), world)
            seconds = time.process_time() - start
            rows = verify_bundle(Path(kept or path)).row_count
            yield Row("bundle: rows written", f"{rows / seconds:,.0f} a second of processor time")
        if kept is not None:
            shutil.copy(kept, path)
        size = path.stat().st_size
        what = f"bundle of {assignments:,} assignments ({size / 1e6:.0f} MB): "
        for row in _measure(path, world, size):
            yield replace(row, what=what + row.what)


def _measure(path: Path, world: World, size: int) -> Iterator[Row]:
    yield from _opening(path)
    with _workers(path, world, 1, _LOOK_UPS) as pipes:
        report: Report = pipes[0].recv()
    p50 = report.percentile(0.5)
    yield _budget("look-up with evaluation, p50", p50, LOOK_UP_BUDGET_US, "µs")
    yield Row("look-up with evaluation, p99", f"{report.percentile(0.99):.0f} µs")
    yield Row("look-up with evaluation, processor time", f"{report.processor_us:.0f} µs")
    memory = report.private_dirty_mib
    yield _budget("Private_Dirty of a worker", memory, MEMORY_BUDGET_MIB, "MiB")
    yield from _change(path, world, size)


def _opening(path: Path) -> Iterator[Row]:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        open_bundle(path).close()
        times.append(time.perf_counter() - start)
    yield Row("opening", f"{statistics.median(times) * 1000:.1f} ms")


def _change(path: Path, world: World, size: int) -> Iterator[Row]:
    deltas = [path.with_name(f"delta-{number}") for number in range(_DELTAS)]
    seconds: list[float] = []
    with _workers(path, world, os.cpu_count() or 1, None) as pipes:
        for delta in deltas:
            make_change(path, delta, int(world.assignments * CHANGED_SHARE))
            # What was written for the benchmark is not to be paid for below.
            os.sync()
            start = time.monotonic()
            apply_delta(path, delta)
            applied_at = time.monotonic()
            seconds.append(applied_at - start)
            time.sleep(2)
        for pipe in pipes:
            pipe.send(None)
        reports: list[Report] = [pipe.recv() for pipe in pipes]
    share = deltas[0].stat().st_size / size
    yield _budget("delta of 0.1%", share * 100, DELTA_BUDGET_SHARE * 100, "% of the size", 3)
    usual = statistics.median(seconds[1:])
    yield _budget("delta applied under load", usual, APPLY_BUDGET_SECONDS, "s", 2)
    yield Row("first delta applied under load", f"{seconds[0]:.2f} s")
    late = [
        float("inf") if each.noticed_at is None else each.noticed_at - applied_at
        for each in reports
    ]
    yield _budget("every worker has it after", max(late), NOTICE_BUDGET_SECONDS, "s", 2)
    slowest = max(each.times_us[-1] for each in reports)
    yield Row("slowest look-up meanwhile", f"{slowest / 1000:.0f} ms")


def _budget(what: str, value: float, budget: float, unit: str, digits: int = 0) -> Row:
    shown, allowed = f"{value:.{digits}f} {unit}", f"{budget:g} {unit}"
    return Row(what, shown, budget=allowed, is_met=value <= budget)
