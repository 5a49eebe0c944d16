"""What a revocation check costs, and what the events take, by their number.

    python -m benchmarks.revocation

Prints one table. `check` is `RevocationFeed.verify_not_revoked` of 2,000 project-scoped tokens
in turn, each with two roles, that no event covers; the events are mixed as Keystone makes
them: mostly of deleted tokens, some of users, projects, trusts, consumers, and of users on
projects. `poll` is one whole poll that brings 20 new events. Memory is what Python's
allocator handed out for good during the poll that brought the events.
"""

from __future__ import annotations

import datetime
import gc
import statistics
import time
import tracemalloc
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from authmw.revocation.facts import facts_of
from authmw.revocation.feed import RevocationFeed
from authmw.revocation.source import EventsAnswer
from authmw.token import Token
from benchmarks.measure import FULL, Effort
from benchmarks.table import Row

COUNTS = (1_000, 100_000, 1_000_000)
NOW = 1_700_000_000
RETENTION_SECONDS = 180_000
INTERVAL_SECONDS = 10
BUDGET_US = 5

_TOKENS = 2_000
_POLLS = 21
_NEWS = 20
_KINDS: tuple[tuple[int, tuple[str, ...]], ...] = (
    (40, ("audit_id",)),
    (40, ("audit_chain_id",)),
    (10, ("user_id",)),
    (3, ("project_id",)),
    (3, ("OS-TRUST:trust_id",)),
    (1, ("OS-OAUTH1:consumer_id",)),
    (3, ("user_id", "project_id")),
)


def make_events(count: int, until: int) -> list[dict[str, str]]:
    """Return events of all kinds as Keystone writes them, spread over the retention time."""
    kinds = [names for share, names in _KINDS for _ in range(share)]
    events = []
    for number in range(count):
        seconds = until - (count - number) * (RETENTION_SECONDS - 1000) // count
        time_ = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
        event = {name: uuid.uuid4().hex for name in kinds[number % len(kinds)]}
        events.append(event | {"issued_before": time_.strftime("%Y-%m-%dT%H:%M:%S.%fZ")})
    return events


def make_token() -> Token:
    """Return a token that no event covers."""
    body: dict[str, Any] = {
        "methods": ["password"],
        "user": {"id": uuid.uuid4().hex, "name": "u", "domain": {"id": "default", "name": "d"}},
        "project": {"id": uuid.uuid4().hex, "name": "p", "domain": {"id": "default", "name": "d"}},
        "roles": [{"id": uuid.uuid4().hex, "name": name} for name in ("member", "reader")],
        "audit_ids": [uuid.uuid4().hex[:22]],
        "issued_at": "2023-11-14T21:00:00.000000Z",
        "expires_at": "2023-11-15T21:00:00.000000Z",
    }
    return Token.from_body(body, None, answered_at=0, fresh_until=0, usable_until=0)


class Events:
    """Answers each question with so many new events."""

    def __init__(self, count: int) -> None:
        self.document = {"events": make_events(count, NOW)}

    def fetch_events(self, _since: str | None) -> EventsAnswer:
        """See `EventSource`."""
        return EventsAnswer(self.document, float(NOW))


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured with one number of events."""

    check_us: float
    poll_us: float
    memory_mib: float


def measure_events(count: int, effort: Effort) -> Figures:
    """Measure with so many events."""
    source = Events(count)
    feed = RevocationFeed(
        source,
        poll_interval_seconds=INTERVAL_SECONDS,
        max_staleness_seconds=600,
        retention_seconds=RETENTION_SECONDS,
        max_events=2 * max(COUNTS),
    )
    memory_mib = _measure_memory(feed, source)
    assert len(feed) == count
    return Figures(_measure_check(feed, effort), _measure_poll(feed, source), memory_mib)


def _measure_check(feed: RevocationFeed, effort: Effort) -> float:
    tokens = [make_token() for _ in range(_TOKENS)]
    turns = []
    for _ in range(effort.rounds):
        started = time.process_time_ns()
        for token in tokens:
            feed.verify_not_revoked(facts_of(token))
        turns.append((time.process_time_ns() - started) / len(tokens) / 1000)
    return statistics.median(turns)


def _measure_memory(feed: RevocationFeed, source: Events) -> float:
    # The document holds the strings that the index goes on to use: it is made anew inside.
    count = len(source.document["events"])
    source.document = {"events": []}
    gc.collect()
    tracemalloc.start(1)
    try:
        source.document = {"events": make_events(count, NOW)}
        feed.poll(NOW)
        source.document = {"events": []}
        gc.collect()
        return tracemalloc.get_traced_memory()[0] / 2**20
    finally:
        tracemalloc.stop()


def _measure_poll(feed: RevocationFeed, source: Events) -> float:
    times = []
    for number in range(1, _POLLS + 1):
        source.document = {"events": make_events(_NEWS, NOW)}
        started = time.perf_counter()
        feed.poll(NOW + number * INTERVAL_SECONDS)
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1e6


def run(effort: Effort) -> Iterator[Row]:
    """Yield a row for each number of events; there is no peer to these."""
    for count in COUNTS if effort is FULL else COUNTS[:2]:
        figures = measure_events(count, effort)
        yield Row(
            f"a revocation check with {count:,} events",
            f"{figures.check_us:.2f} µs",
            budget=f"{BUDGET_US} µs",
            is_met=figures.check_us <= BUDGET_US,
        )
        yield Row(f"memory of {count:,} revocation events", f"{figures.memory_mib:.1f} MiB")


def main() -> None:
    """Print the table."""
    print(f"{'events':>10} {'check, µs':>10} {'poll, µs':>9} {'memory, MiB':>12}")
    for count in COUNTS:
        figures = measure_events(count, FULL)
        print(
            f"{count:>10,} {figures.check_us:>10.2f} {figures.poll_us:>9.0f} "
            f"{figures.memory_mib:>12.1f}"
        )


if __name__ == "__main__":
    main()
