"""What the filter may decide: a function of what was configured, what happened, and the request.

No caches, no threads, no HTTP, and nothing of authmw. Where the documentation promises a delay,
both what was true before and what is true now is allowed for as long; see `promises`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Literal

from tests.system.model import promises as bounds
from tests.system.model.happenings import (
    CacheChanged,
    ClockSet,
    Configuration,
    CredentialMade,
    Decision,
    Deleted,
    Disabled,
    Enabled,
    Event,
    History,
    Identity,
    KeyAdded,
    KeyRemoved,
    OutageBegan,
    OutageEnded,
    Outcome,
    Process,
    Request,
    Revocation,
    RoleGiven,
    RoleTaken,
    Started,
    Token,
    Told,
    TrustMade,
    World,
)
from tests.system.model.promises import Promises, promises_of

# What Keystone's bootstrap makes of its default roles.
IMPLIED = {"admin": ("manager",), "manager": ("member",), "member": ("reader",)}

_EVER = float("inf")


def allowed(
    configuration: Configuration,
    history: History,
    request: Request,
    now: float,
    promises: Promises | None = None,
) -> frozenset[Outcome]:
    """Return every outcome that a request may have.

    Args:
        configuration: of both processes.
        history: what happened until now, in that order.
        request: to one of the processes.
        now: by the identity service's clock, epoch seconds.
        promises: other bounds than those of the documentation.
    """
    past = _Past(configuration, history, now, promises or promises_of(configuration))
    if request.service is None:
        return frozenset(
            _compose(configuration, user, None, has_service_token=False)
            for user in past.decide(request.process, request.user, allow_expired=False)
        )
    outcomes: set[Outcome] = set()
    for decided in past.decide(request.process, request.service, allow_expired=False):
        # service_token_roles_required is the default: the token of a user is no service's.
        is_user = isinstance(decided, Identity) and "service" not in decided.roles
        service: Decision = 401 if is_user else decided
        allow_expired = isinstance(service, Identity)
        for user in past.decide(request.process, request.user, allow_expired=allow_expired):
            outcomes.add(_compose(configuration, user, service, has_service_token=True))
    return frozenset(outcomes)


def _compose(
    configuration: Configuration,
    user: Decision,
    service: Decision | None,
    *,
    has_service_token: bool,
) -> Outcome:
    if configuration.delay_auth_decision:
        told = None if not has_service_token else _or_invalid(service)
        return Outcome(200, _or_invalid(user), told)
    if isinstance(service, int):
        return Outcome(service)
    if isinstance(user, int):
        return Outcome(user)
    return Outcome(200, user, service)


def _or_invalid(decision: Decision | None) -> Identity | Literal["Invalid"]:
    return decision if isinstance(decision, Identity) else "Invalid"


def keystone_says(
    token: Token, world: World, at: float, *, allow_expired: bool = False
) -> Identity | None:
    """Return whom Keystone says a token stands for; None: it refuses it.

    Args:
        token: what is asked about.
        world: what Keystone knows.
        at: when it is asked.
        allow_expired: whether an expired token is good enough.
    """
    if not token.is_genuine:
        return None
    window = bounds.ALLOW_EXPIRED_WINDOW_SECONDS if allow_expired else 0
    if at >= token.expires_at + window:
        return None
    if any(is_covered(token, event, world) for event in _kept_by_keystone(world)):
        return None
    return bearer_of(token, world)


def bearer_of(token: Token, world: World) -> Identity | None:
    """Return whom Keystone takes the bearer of a token for, whatever became of this token."""
    if ("user", token.user) in world.disabled:
        return None
    if token.scope is not None and token.scope in world.disabled:
        return None
    if token.trust is not None:
        trust = world.trusts.get(token.trust)
        if trust is None:
            return None
        delegated = _expand({trust.role})
        if not delegated <= _roles(world, trust.trustor, token.scope):
            return None
        user = trust.trustor if trust.impersonation else trust.trustee
        return Identity(user, token.scope, delegated)
    held = _roles(world, token.user, token.scope)
    if token.credential is not None:
        credential = world.credentials.get(token.credential)
        if credential is None:
            return None
        held &= _expand({credential.role})
    if token.scope is not None and not held:
        return None
    return Identity(token.user, token.scope, held)


def _roles(world: World, user: str, scope: object) -> frozenset[str]:
    return _expand({role for who, role, where in world.held if (who, where) == (user, scope)})


def _expand(roles: set[str]) -> frozenset[str]:
    found: set[str] = set()
    waiting = list(roles)
    while waiting:
        role = waiting.pop()
        found.add(role)
        waiting.extend(IMPLIED.get(role, ()))
    return frozenset(found)


def is_covered(token: Token, revocation: tuple[float, Revocation], world: World) -> bool:
    """Whether a revocation event covers a token (Identity API v3, OS-REVOKE)."""
    at, event = revocation
    if token.issued_at > int(at):
        return False
    users = {token.user}
    if token.trust is not None and token.trust in world.all_trusts:
        trust = world.all_trusts[token.trust]
        users |= {trust.trustor, trust.trustee}
    match event.attribute:
        case "audit_id":
            return event.value == token.audit_ids[0]
        case "audit_chain_id":
            return event.value == token.audit_ids[-1]
        case "user_id":
            return event.value in users
        case "trust_id":
            return event.value == token.trust


def _kept_by_keystone(world: World) -> Iterator[tuple[float, Revocation]]:
    """Yield what Keystone has not dropped: it looks for old events when one is added."""
    last = max((at for at, _ in world.revocations), default=0.0)
    for at, event in world.revocations:
        if int(at) >= last - bounds.KEYSTONE_KEEPS_EVENTS_SECONDS:
            yield at, event


@dataclass(frozen=True, slots=True)
class _Span:
    """A world, and the time for which it stood; `position` counts what had happened by then."""

    begin: float
    end: float
    position: int
    world: World


class _Past:
    """Everything that was, seen from one moment."""

    def __init__(
        self, configuration: Configuration, history: History, now: float, promises: Promises
    ) -> None:
        self._configuration = configuration
        self._history = history
        self._now = now
        self._promises = promises

    @cached_property
    def _spans(self) -> tuple[_Span, ...]:
        world = World()
        worlds = [world]
        times = [self._history[0].at if self._history else self._now]
        for event in self._history:
            world = _after(world, event)
            worlds.append(world)
            times.append(event.at)
        times.append(self._now)
        return tuple(
            _Span(begin, end, position, world)
            for position, ((begin, end), world) in enumerate(
                zip(pairwise(times), worlds, strict=True)
            )
        )

    @property
    def _world(self) -> World:
        return self._spans[-1].world

    @property
    def _host_now(self) -> float:
        return self._now + self._world.host_ahead

    # One token

    def decide(self, process: Process, token: Token, *, allow_expired: bool) -> frozenset[Decision]:
        """Return every decision that is allowed on one token."""
        if not token.name:
            return frozenset({401})
        if not (self._configuration.offline and token.is_signed):
            return self._decide_remotely(process, token, allow_expired=allow_expired)
        return self._decide_offline(process, token, allow_expired=allow_expired)

    def _decide_remotely(
        self, process: Process, token: Token, *, allow_expired: bool
    ) -> frozenset[Decision]:
        is_expired = self._host_now >= token.expires_at
        refused: set[Decision] = set()
        if not self._is_steady:
            refused.add(503)
        if is_expired and not allow_expired and token.is_genuine:
            # Refused without asking where its expiry is known already.
            return frozenset(refused | {401})
        accepted: set[Decision] = set()
        for span in self._sources(process, token, is_bearer=False, is_expired=is_expired):
            if self._may_be_good(process, token, span, allow_expired=allow_expired):
                said = bearer_of(token, span.world)
                accepted |= set() if said is None else {said}
        if self._is_reachable and (
            keystone_says(token, self._world, self._now, allow_expired=allow_expired) is None
        ):
            refused.add(401)
        if self._is_revoked_for_sure(process, token):
            accepted = set()
        if self._may_be_revoked(token):
            refused.add(401)
        if not self._is_steady and self._must_go_on(process, token, is_expired=is_expired):
            refused.discard(503)
        return frozenset(accepted | refused)

    def _may_be_good(
        self, process: Process, token: Token, span: _Span, *, allow_expired: bool
    ) -> bool:
        """Whether Keystone may have accepted this very token then, or has and is believed.

        That it was revoked since then only events tell; its expiry is judged by our own clock.
        """
        if not token.is_genuine:
            return False
        at = token.issued_at if self._world.host_ahead < 0 else span.begin
        if keystone_says(token, span.world, at, allow_expired=allow_expired) is not None:
            return True
        window = bounds.ALLOW_EXPIRED_WINDOW_SECONDS if allow_expired else 0
        return at < token.expires_at + window and self._was_accepted(token)

    def _was_accepted(self, token: Token) -> bool:
        since = self._now - self._configuration.token_cache_time
        if not self._is_steady:
            since -= self._configuration.grace
        return any(
            isinstance(event.what, Told) and event.at >= since and event.what.accepted(token)
            for event in self._history
        )

    def _decide_offline(
        self, process: Process, token: Token, *, allow_expired: bool
    ) -> frozenset[Decision]:
        by_key = self._key_allows(token)
        decisions: set[Decision] = set()
        if False in by_key:
            decisions.add(401)
        if True not in by_key:
            return frozenset(decisions)
        if self._host_now >= token.expires_at:
            if not allow_expired:
                return frozenset({401})
            return frozenset(decisions | self._decide_remotely(process, token, allow_expired=True))
        if token.issued_at > self._host_now + bounds.CLOCK_SKEW_TOLERANCE_SECONDS:
            return frozenset({401})
        told = self._bearer_by_claims(token)
        accepted: set[Decision]
        if told is not None:
            accepted = {told}
        elif self._asks_for_bearers:
            accepted = {
                said
                for span in self._sources(process, token, is_bearer=True, is_expired=False)
                if (said := bearer_of(token, span.world)) is not None
            }
            if self._is_reachable and keystone_says(token, self._world, self._now) is None:
                decisions.add(401)
            if not self._is_steady and not self._must_go_on(process, token, is_expired=False):
                decisions.add(503)
        else:
            accepted = set()
            decisions.add(503)
        if self._may_be_revoked(token):
            decisions.add(401)
        if self._may_be_undecidable(process, token):
            decisions.add(503)
        if self._is_revoked_for_sure(process, token) or self._is_undecidable(process, token):
            accepted = set()
        return frozenset(accepted | decisions)

    # Keystone's word

    def _sources(
        self, process: Process, token: Token, *, is_bearer: bool, is_expired: bool
    ) -> Iterator[_Span]:
        """Yield the worlds in which Keystone may have been asked, for what is still believed."""
        promises = self._promises
        if self._is_steady:
            seconds = promises.bearer_seconds if is_bearer else promises.remote_bearer_seconds
        elif is_bearer:
            seconds = promises.bearer_outage_seconds
        elif is_expired:
            seconds = promises.expired_seconds
        else:
            seconds = promises.remote_outage_seconds
        if self._set_back_within(seconds):
            seconds += bounds.CLOCK_SKEW_TOLERANCE_SECONDS
        refused_at = self._refused_at(process, token) if promises.is_refusal_final else -1
        for span in self._spans:
            if span.position <= refused_at or not span.world.is_reachable:
                continue
            if span.end > self._now - seconds or span.position == len(self._history):
                yield replace(span, begin=max(span.begin, self._now - seconds))

    def _refused_at(self, process: Process, token: Token) -> int:
        """Return after how much of history this process last learned that Keystone refuses."""
        last = -1
        for span, event in zip(self._spans, self._history, strict=False):
            match event.what:
                # With a service token the refusal may have been that one's.
                case Told(Request(asked, user, None), Outcome(401)) if (
                    asked == process and span.world.is_reachable and _are_alike(user, token)
                ):
                    if bearer_of(token, span.world) is None:
                        last = span.position
                case _:
                    pass
        return last

    @property
    def _is_reachable(self) -> bool:
        return self._world.is_reachable

    @cached_property
    def _is_steady(self) -> bool:
        """Whether Keystone could be asked for long enough that the circuit breaker is closed."""
        if not self._is_reachable:
            return False
        return self._now - self._reachable_since >= self._promises.recovery_seconds

    @cached_property
    def _reachable_since(self) -> float:
        times = [event.at for event in self._history if isinstance(event.what, OutageEnded)]
        return max(times, default=-_EVER)

    @cached_property
    def _unreachable_since(self) -> float:
        times = [event.at for event in self._history if isinstance(event.what, OutageBegan)]
        return max(times, default=-_EVER)

    def _must_go_on(self, process: Process, token: Token, *, is_expired: bool) -> bool:
        """Whether an outage may not be felt.

        doc/offline.rst: "Tokens of bearers who were seen before are accepted, also tokens never
        seen here, until the answer about their bearer is authority_cache_time +
        identity_outage_grace old". It was less than the first of them old when somebody was
        accepted.
        """
        if is_expired or self._may_be_revoked(token):
            return False
        until = min(self._configuration.grace, self._configuration.max_staleness)
        until -= bounds.WHOLE_SECONDS
        is_shared = self._configuration.offline and token.is_signed
        seen = False
        steady_since = quiet_since = -_EVER
        for span, event in zip(self._spans, self._history, strict=False):
            if span.world.is_reachable and bearer_of(token, span.world) is None:
                seen = False
            match event.what:
                case Told(Request(asked, user, service), outcome) if asked == process:
                    if not (_are_alike(user, token) if is_shared else user == token):
                        continue
                    if not isinstance(outcome.user, Identity):
                        seen = False
                    elif (
                        service is None
                        and span.world.is_reachable
                        and event.at - steady_since >= self._promises.recovery_seconds
                        and event.at - quiet_since >= self._promises.event_seconds
                    ):
                        seen = event.at + until > self._now
                case Started(started) if started == process:
                    seen = False
                case ClockSet() | CacheChanged("replayed"):
                    seen = False
                case OutageEnded():
                    steady_since = event.at
                    seen = False
                case Revocation() | Disabled() | Deleted() | RoleTaken():
                    # A renewal may have found out, and forgotten what was known.
                    if span.world.is_reachable:
                        quiet_since = event.at
                        seen = False
                case _:
                    pass
        return seen

    def _set_back_within(self, seconds: float) -> bool:
        ahead = 0
        for event in self._history:
            if isinstance(event.what, ClockSet):
                if event.what.ahead < ahead and event.at > self._now - seconds:
                    return True
                ahead = event.what.ahead
        return False

    # Keys, claims

    def _key_allows(self, token: Token) -> set[bool]:
        """Return whether the token's key is in the directory, as it was lately."""
        seconds = self._promises.key_seconds
        if not self._promises.is_key_felt_in_memory:
            seconds = self._promises.bearer_seconds
        return {
            token.signed_by in span.world.keys
            for span in self._spans
            if span.end > self._now - seconds or span.position == len(self._history)
        }

    def _bearer_by_claims(self, token: Token) -> Identity | None:
        if "claims" not in self._configuration.authority or token.credential is not None:
            return None
        return token.claims

    @property
    def _asks_for_bearers(self) -> bool:
        return "identity" in self._configuration.authority

    # Revocation events

    def _may_be_revoked(self, token: Token) -> bool:
        return token.is_genuine and any(
            is_covered(token, event, self._world) for event in self._world.revocations
        )

    def _is_revoked_for_sure(self, process: Process, token: Token) -> bool:
        """Whether this process has to know an event that covers a token, and not to forget it."""
        if not token.is_genuine:
            return False
        forgotten = self._forgotten_before(is_certain=False)
        return any(
            is_covered(token, event, self._world)
            and int(event[0]) > forgotten
            and self._is_heard(process, event[0])
            for event in self._world.revocations
        )

    def _is_heard(self, process: Process, at: float) -> bool:
        """Whether a process has to know what Keystone emitted at a time."""
        needed = self._promises.event_seconds
        if self._replayed_since(at):
            needed += self._promises.replay_seconds
        since = max(at, self._started_at(process))
        for span in self._reachable_times():
            begin, end = max(span[0], since), span[1]
            if end - begin >= needed:
                return self._is_still_listed(process, at, end)
        return False

    def _is_still_listed(self, process: Process, at: float, asked_at: float) -> bool:
        """Whether Keystone had not dropped the event when this process began to ask."""
        if at >= self._started_at(process):
            return True
        later = [when for when, _ in self._world.revocations if when <= asked_at]
        last = max(later, default=at)
        return int(at) >= last - bounds.KEYSTONE_KEEPS_EVENTS_SECONDS

    def _reachable_times(self) -> Iterator[tuple[float, float]]:
        begin: float | None = -_EVER
        for event in self._history:
            if isinstance(event.what, OutageBegan) and begin is not None:
                yield begin, event.at
                begin = None
            elif isinstance(event.what, OutageEnded):
                begin = event.at
        if begin is not None:
            yield begin, self._now

    def _started_at(self, process: Process) -> float:
        times = [
            event.at
            for event in self._history
            if isinstance(event.what, Started) and event.what.process == process
        ]
        return max(times, default=-_EVER)

    def _replayed_since(self, at: float) -> bool:
        return any(
            event.what == CacheChanged("replayed")
            and event.at > max(at, self._now - 2 * self._promises.replay_seconds)
            for event in self._history
        )

    def _forgotten_before(self, *, is_certain: bool) -> float:
        """Return up to which second events were forgotten for `revocation_max_events`.

        Where an event was repeated, only its latest counts for certain.
        """
        latest: dict[object, float] = {}
        for position, (at, event) in enumerate(self._world.revocations):
            latest[event if is_certain else position] = at
        times = sorted(map(int, latest.values()), reverse=True)
        most = self._configuration.max_events
        return times[most] if len(times) > most else -_EVER

    def _is_undecidable(self, process: Process, token: Token) -> bool:
        """Whether a signed token has to get 503: an event may be missing."""
        late = self._promises.event_seconds
        dark_seconds = 0.0 if self._is_reachable else self._now - self._unreachable_since
        if dark_seconds > self._promises.staleness_seconds + late:
            return True
        if not self._promises.is_overflow_felt_in_memory:
            return False
        forgotten = self._forgotten_before(is_certain=True)
        if token.issued_at > forgotten:
            return False
        last = max(at for at, _ in self._world.revocations)
        overflowed_at = self._overflowed_at(token.issued_at)
        return self._is_heard(process, overflowed_at) and last >= overflowed_at

    def _overflowed_at(self, issued_at: int) -> float:
        """Return when so many events were there that one from this second on was forgotten."""
        seen: dict[object, float] = {}
        for at, event in self._world.revocations:
            seen[event] = at
            times = sorted(map(int, seen.values()), reverse=True)
            most = self._configuration.max_events
            if len(times) > most and times[most] >= issued_at:
                return at
        return _EVER

    def _may_be_undecidable(self, process: Process, token: Token) -> bool:
        if token.issued_at <= self._forgotten_before(is_certain=False):
            return True
        # doc/revocation.rst: "A service that has just started gives 503 until the first answer".
        answered_at = self._answered_at(process)
        if answered_at is None:
            return True
        if (
            self._now - answered_at
            > self._promises.staleness_seconds - self._promises.event_seconds
        ):
            return True
        # doc/revocation.rst, "Clocks": "signed tokens get 503 until the next poll".
        if self._set_back_within(self._promises.event_seconds):
            return True
        # Ibid.: how old the last answer is nobody knows any more.
        return not self._is_reachable and self._clock_set_since(self._unreachable_since)

    def _answered_at(self, process: Process) -> float | None:
        """Return when this process got its last answer about events at the earliest.

        A process that starts is waited for until it has polled, if there is anybody to answer.
        """
        answered_at: float | None = None
        reachable_since = -_EVER  # never, while it is infinite
        for span, event in zip(self._spans, self._history, strict=False):
            if event.at - reachable_since >= self._promises.event_seconds:
                answered_at = event.at
            match event.what:
                case Started(started) if started == process:
                    answered_at = event.at if span.world.is_reachable else None
                    reachable_since = max(reachable_since, event.at)
                case OutageBegan():
                    reachable_since = _EVER
                case OutageEnded():
                    reachable_since = event.at
                case _:
                    pass
        if self._now - reachable_since >= self._promises.event_seconds:
            answered_at = self._now
        return answered_at

    def _clock_set_since(self, at: float) -> bool:
        return any(isinstance(event.what, ClockSet) and event.at >= at for event in self._history)


def _are_alike(one: Token, other: Token) -> bool:
    """Whether Keystone's word about one is believed for the other."""
    if one.is_signed and other.is_signed:
        return one.bearer == other.bearer
    return one == other


def _after(world: World, event: Event) -> World:
    """Return the world after something happened."""
    match event.what:
        case RoleGiven(user, role, scope):
            return replace(world, held=world.held | {(user, role, scope)})
        case RoleTaken(user, role, scope):
            return replace(world, held=world.held - {(user, role, scope)})
        case Enabled(kind, name):
            return replace(world, disabled=world.disabled - {(kind, name)})
        case Disabled(kind, name):
            return replace(world, disabled=world.disabled | {(kind, name)})
        case TrustMade(trust):
            return replace(
                world,
                trusts={**world.trusts, trust: event.what},
                all_trusts={**world.all_trusts, trust: event.what},
            )
        case CredentialMade(credential):
            return replace(world, credentials={**world.credentials, credential: event.what})
        case Deleted(kind, name):
            if kind == "trust":
                left = {key: trust for key, trust in world.trusts.items() if key != name}
                return replace(world, trusts=left)
            kept = {key: row for key, row in world.credentials.items() if key != name}
            return replace(world, credentials=kept)
        case Revocation():
            return replace(world, revocations=(*world.revocations, (event.at, event.what)))
        case KeyAdded(key):
            return replace(world, keys=world.keys | {key})
        case KeyRemoved(key):
            return replace(world, keys=world.keys - {key})
        case OutageBegan():
            return replace(world, is_reachable=False)
        case OutageEnded():
            return replace(world, is_reachable=True)
        case ClockSet(ahead):
            return replace(world, host_ahead=ahead)
        case _:
            return world
