"""How late a filter may be, each bound beside the sentence of the documentation it comes from.

Nothing else may make the real filter differ from what is true at the moment of a request.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.system.model.happenings import Configuration

# doc/revocation.rst: "reads Keystone's revocation events every revocation_poll_interval";
# "the others look for word of it every second".
FOLLOWERS_LOOK_EVERY_SECONDS = 1

# doc/offline.rst: "Keys are read again within seconds when a file changes".
KEY_POLL_SECONDS = 3

# doc/revocation.rst: "for an answer that crossed ...": no. Here time is driven, and a thread
# that sleeps in real time does not notice. A request does the work of a thread that is late by
# two seconds (authmw.runtime.refresh), and the estate sends requests as time goes on, at least
# every four seconds of it: that is how late a poll can be for reasons of this test alone.
DRIVEN_TIME_SLACK_SECONDS = 6

# doc/migration.rst: "503 with Retry-After": while the circuit breaker pauses nobody asks, for
# ten seconds at the longest.
BREAKER_PAUSE_SECONDS = 10

# doc/offline.rst: answers have whole seconds.
WHOLE_SECONDS = 1

# doc/revocation.rst: "A signed token from the future is refused beyond clock_skew_tolerance",
# its default.
CLOCK_SKEW_TOLERANCE_SECONDS = 5

# Identity API v3, "allow_expired": Keystone's [token] allow_expired_window.
ALLOW_EXPIRED_WINDOW_SECONDS = 172_800

# Keystone drops an event so long after it was made: [token] expiration, and half an hour.
KEYSTONE_KEEPS_EVENTS_SECONDS = 3600 + 1800


@dataclass(frozen=True, slots=True, kw_only=True)
class Promises:
    """The bounds for one configuration, in seconds.

    Attributes:
        event_seconds: from a revocation event until nobody is accepted against it.
            doc/revocation.rst: "a revoked token is refused within revocation_poll_interval".
        key_seconds: from a change of the key directory until it holds for every token.
            doc/offline.rst: "a key was removed from the directory: within seconds".
        bearer_seconds: from a change that no event tells of until it is noticed, offline.
            doc/offline.rst: "a role taken away, a project or domain disabled, an application
            credential deleted: within authority_cache_time".
        remote_bearer_seconds: the same for tokens that are asked about. doc/revocation.rst:
            "Remote they take authority_cache_time as well".
        bearer_outage_seconds: how old what is known of a bearer may be in an outage.
            doc/offline.rst: "until the answer about their bearer is authority_cache_time +
            identity_outage_grace old".
        remote_outage_seconds: the same for a token that was asked about. options: "How long what
            is known goes on", beyond token_cache_time; "not past revocation_max_staleness".
        expired_seconds: how old an answer with allow_expired may be. It has no grace.
        staleness_seconds: doc/revocation.rst: signed tokens "are accepted for
            revocation_max_staleness from the last answer on".
        replay_seconds: how much later an event may be noticed after old values were put back in
            memcached: doc/revocation.rst, what sealing can't do.
        is_refusal_final: doc/offline.rst: "What Keystone refuses once is forgotten [...], and no
            outage brings it back".
        is_overflow_felt_in_memory: doc/revocation.rst: "signed tokens that were issued in the
            forgotten time get 503", whatever is remembered of them.
        is_key_felt_in_memory: doc/offline.rst: "A removed file is a revoked key", also for what is
            remembered.
    """

    event_seconds: float
    key_seconds: float
    bearer_seconds: float
    remote_bearer_seconds: float
    bearer_outage_seconds: float
    remote_outage_seconds: float
    expired_seconds: float
    staleness_seconds: float
    replay_seconds: float
    recovery_seconds: float
    is_refusal_final: bool = True
    is_overflow_felt_in_memory: bool = True
    is_key_felt_in_memory: bool = True


def promises_of(configuration: Configuration) -> Promises:
    """Return what the documentation promises for a configuration."""
    remote_grace = min(configuration.grace, configuration.max_staleness)
    return Promises(
        event_seconds=configuration.poll_interval
        + FOLLOWERS_LOOK_EVERY_SECONDS
        + DRIVEN_TIME_SLACK_SECONDS,
        key_seconds=KEY_POLL_SECONDS + DRIVEN_TIME_SLACK_SECONDS,
        bearer_seconds=configuration.authority_cache_time + WHOLE_SECONDS,
        remote_bearer_seconds=configuration.authority_cache_time + WHOLE_SECONDS,
        bearer_outage_seconds=configuration.authority_cache_time
        + configuration.grace
        + WHOLE_SECONDS,
        remote_outage_seconds=configuration.token_cache_time + remote_grace + WHOLE_SECONDS,
        expired_seconds=configuration.token_cache_time + WHOLE_SECONDS,
        staleness_seconds=configuration.max_staleness,
        replay_seconds=60,
        recovery_seconds=BREAKER_PAUSE_SECONDS + DRIVEN_TIME_SLACK_SECONDS,
    )
