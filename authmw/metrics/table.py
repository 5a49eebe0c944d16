"""The table of all metrics: name, kind, labels, and what each counts.

Names follow Prometheus' conventions: base units, `_total` for counters, times as timestamps rather
than ages. doc/metrics.rst lists them; a test compares the two, and the dashboard and the alert
rules in etc/ with both. The values of a label are of a closed set or stand in the configuration,
so that no client can add a series.
"""

from __future__ import annotations

import enum
import operator
from collections.abc import Callable
from typing import NamedTuple


class Kind(enum.Enum):
    """The type of a metric, as Prometheus calls it."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Combine(enum.Enum):
    """How the values of several filters, or processes, make one."""

    SUM = "sum"
    MAX = "max"
    MIN = "min"

    def apply(self, one: float, other: float) -> float:
        """Return the value of two."""
        return _APPLY[self](one, other)


_APPLY: dict[Combine, Callable[[float, float], float]] = {
    Combine.SUM: operator.add,
    Combine.MAX: max,
    Combine.MIN: min,
}


class Metric(NamedTuple):
    """One metric.

    Attributes:
        name: without the suffixes that a histogram's series add.
        help: one line.
        labels: their names.
        combine: for a gauge; all others are added up.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    combine: Combine = Combine.SUM

    @property
    def base_name(self) -> str:
        """The name without `_total`, which the exporters add to counters themselves."""
        return self.name.removesuffix("_total")


def _counter(name: str, text: str, *labels: str) -> Metric:
    return Metric(name, Kind.COUNTER, text, labels)


def _gauge(name: str, text: str, *labels: str, combine: Combine) -> Metric:
    return Metric(name, Kind.GAUGE, text, labels, combine)


DECISIONS = _counter(
    "authmw_decisions_total",
    "Requests decided on, by outcome and reason.",
    *("outcome", "reason"),
)
HOOK_REFUSALS = _counter(
    "authmw_hook_refusals_total",
    "Accepted requests that on_authenticated of a subclass refused, by reason.",
    "reason",
)
REQUIREMENT_REFUSALS = _counter(
    "authmw_requirement_refusals_total",
    "Accepted requests that require or check refused for what their token lacks (403).",
)
LOOKUPS = _counter(
    "authmw_cache_lookups_total",
    "Look-ups of tokens and bearers by level (memory, shared, authority) and result.",
    *("level", "result"),
)
CACHE_FAULTS = _counter(
    "authmw_cache_faults_total",
    "Faults of the shared cache: no answer in time, or an entry that can't be read.",
)
VALIDATIONS = Metric(
    "authmw_validation_duration_seconds",
    Kind.HISTOGRAM,
    "Time of validations of tokens that memory does not hold, by kind, issuer and outcome.",
    ("kind", "issuer", "outcome"),
)
FLIGHTS_JOINED = _counter(
    "authmw_flights_joined_total",
    "Requests that used the validation of a concurrent request, by what was validated.",
    "subject",
)
IDENTITY_CALLS = _counter(
    "authmw_identity_calls_total",
    "Calls to the identity service or an issuer's introspection, by call and outcome.",
    *("issuer", "call", "outcome"),
)
IDENTITY_CALL_SECONDS = Metric(
    "authmw_identity_call_duration_seconds",
    Kind.HISTOGRAM,
    "Time of calls to the identity service or an issuer's introspection.",
    ("issuer", "call"),
)
BREAKER = _gauge(
    "authmw_identity_breaker_state",
    "State of the circuit breaker: 0 the endpoint answers, 1 it is in doubt, 2 it does not.",
    "issuer",
    combine=Combine.MAX,
)
REVOCATION_ANSWERED = _gauge(
    "authmw_revocation_last_answer_timestamp_seconds",
    "When the known revocation events were listed, in seconds since the epoch.",
    combine=Combine.MIN,
)
REVOCATION_EVENTS = _gauge(
    "authmw_revocation_events", "Revocation events that are kept.", combine=Combine.MAX
)
KEYS = _gauge(
    "authmw_keys",
    "Public keys in use, by issuer and the option that names their source.",
    *("issuer", "source"),
    combine=Combine.MIN,
)
KEYS_READ = _gauge(
    "authmw_keys_last_read_timestamp_seconds",
    "When the public keys in use were read, in seconds since the epoch.",
    *("issuer", "source"),
    combine=Combine.MIN,
)
BUNDLE_READ = _gauge(
    "authmw_bundle_last_read_timestamp_seconds",
    "When the centre read what is in force of the bundle, by part (facts, events of the hot file).",
    "part",
    combine=Combine.MIN,
)
BUNDLE_REVISION = _gauge(
    "authmw_bundle_revision",
    "Revision of what is in force of the bundle, a confirmed one included, by part.",
    "part",
    combine=Combine.MIN,
)
BUNDLE_UNUSABLE = _gauge(
    "authmw_bundle_unusable",
    "Whether the file of the bundle, or its hot file, can't be used as it is (1), by part.",
    "part",
    combine=Combine.MAX,
)
BUNDLE_EVENTS = _gauge(
    "authmw_bundle_revocation_events",
    "Revocation events of the bundle that are kept, by part.",
    "part",
    combine=Combine.MAX,
)
BUNDLE_WAITS = _counter(
    "authmw_bundle_waits_total",
    "Requests of services that waited for a fresher bundle, by outcome.",
    "outcome",
)
REFRESH_FAILURES = _counter(
    "authmw_refresh_failures_total",
    "Failed readings of public keys, revocation events and lists, by issuer.",
    *("what", "issuer"),
)
SHADOW_COMPARISONS = _counter(
    "authmw_shadow_comparisons_total",
    "Comparisons of shadow validation by result.",
    "result",
)
SHADOW_DIFFERENCES = _counter(
    "authmw_shadow_differences_total",
    "What differed in comparisons of shadow validation.",
    "what",
)
MEMORY_ENTRIES = _gauge(
    "authmw_memory_entries",
    "Entries of the process's own memory, by what they are about.",
    "subject",
    combine=Combine.SUM,
)
MEMORY_BYTES = _gauge(
    "authmw_memory_bytes",
    "Memory that those entries take, in bytes, by estimate.",
    "subject",
    combine=Combine.SUM,
)

METRICS: tuple[Metric, ...] = (
    DECISIONS,
    HOOK_REFUSALS,
    REQUIREMENT_REFUSALS,
    LOOKUPS,
    CACHE_FAULTS,
    VALIDATIONS,
    FLIGHTS_JOINED,
    IDENTITY_CALLS,
    IDENTITY_CALL_SECONDS,
    BREAKER,
    REVOCATION_ANSWERED,
    REVOCATION_EVENTS,
    KEYS,
    KEYS_READ,
    BUNDLE_READ,
    BUNDLE_REVISION,
    BUNDLE_UNUSABLE,
    BUNDLE_EVENTS,
    BUNDLE_WAITS,
    REFRESH_FAILURES,
    SHADOW_COMPARISONS,
    SHADOW_DIFFERENCES,
    MEMORY_ENTRIES,
    MEMORY_BYTES,
)

# --- of a process that syncs a site's bundle (`authmw bundle sync`), which writes them to a file

SYNC_SUCCESS = _gauge(
    "authmw_sync_last_success_timestamp_seconds",
    "When a sync came to its end last, in seconds since the epoch.",
    "site",
    combine=Combine.MIN,
)
SYNC_ATTEMPTS = _counter(
    "authmw_sync_attempts_total",
    "Syncs by outcome: success, or what failed.",
    *("site", "outcome"),
)
SYNC_BYTES = _counter(
    "authmw_sync_received_bytes_total", "Bytes of files that were fetched.", "site"
)
SYNC_REVISION = _gauge(
    "authmw_sync_revision",
    "The revision that the facts in force are known to be those of.",
    "site",
    combine=Combine.MIN,
)
SYNC_FACTS = _gauge(
    "authmw_sync_facts_timestamp_seconds",
    "When the centre read that revision, in seconds since the epoch.",
    "site",
    combine=Combine.MIN,
)
SYNC_EVENTS = _gauge(
    "authmw_sync_events_timestamp_seconds",
    "When the centre read the revocation events in force, in seconds since the epoch.",
    "site",
    combine=Combine.MIN,
)
SYNC_EXPIRY = _gauge(
    "authmw_sync_metadata_expiry_timestamp_seconds",
    "When the signed metadata of a role expires, in seconds since the epoch.",
    *("site", "role"),
    combine=Combine.MIN,
)

SYNC_METRICS: tuple[Metric, ...] = (
    SYNC_SUCCESS,
    SYNC_ATTEMPTS,
    SYNC_BYTES,
    SYNC_REVISION,
    SYNC_FACTS,
    SYNC_EVENTS,
    SYNC_EXPIRY,
)
