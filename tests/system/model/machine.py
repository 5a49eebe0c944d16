"""What may happen, drawn by hypothesis: it drives an `Estate` and asks the model beside it."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any, Literal

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.system.model.estate import NOBODY, PROCESSES, Estate, Park
from tests.system.model.happenings import (
    Configuration,
    CredentialMade,
    History,
    Outcome,
    Process,
    Request,
    Scope,
    Token,
    Told,
    TrustMade,
)
from tests.system.model.model import allowed
from tests.system.model.promises import Promises, promises_of

# Where users of the embedded identity server's population hold roles.
PLACES: tuple[tuple[str, Scope], ...] = (
    ("member", ("project", "inventory")),
    ("member", ("project", "billing")),
    ("reader", ("project", "inventory")),
    ("admin", ("domain", "Default")),
    ("reader", ("system", "all")),
    ("guest", ("project", "research")),
    ("member", None),
)
ASSIGNMENTS: tuple[tuple[str, str, Scope], ...] = (
    ("member", "member", ("project", "inventory")),
    ("member", "admin", ("project", "inventory")),
    ("member", "member", ("project", "billing")),
    ("reader", "reader", ("project", "inventory")),
    ("admin", "admin", ("domain", "Default")),
    ("reader", "reader", ("system", "all")),
)
USERS = ("member", "reader", "admin", "guest")
PROJECTS = ("inventory", "billing")
STEPS_OF_TIME = (1, 2, 5, 9, 15, 30, 50, 61, 70, 130, 310, 400, 700, 3000, 4000, 90_000)
AHEAD = (-3600, -90, -30, -3, 0, 3, 90, 3600)

CONFIGURATIONS = st.builds(
    Configuration,
    offline=st.booleans(),
    authority=st.sampled_from((("identity",), ("claims",), ("claims", "identity"))),
    sharing=st.sampled_from(("nothing", "plain", "sealed")),
    delay_auth_decision=st.booleans(),
    grace=st.sampled_from((300, 0)),
    max_events=st.sampled_from((1000, 12)),
    max_staleness=st.sampled_from((600, 120)),
)
_PROCESS = st.sampled_from(PROCESSES)
_ANY = st.integers(0, 40)
_SIGNED = st.booleans()


class Difference(AssertionError):
    """The filter decided what the model does not allow."""


class FilterBesideModel(RuleBasedStateMachine):
    """Real filters and the model, side by side; see `make_machine`."""

    park: Park
    promise: Callable[[Configuration], Promises] = staticmethod(promises_of)
    configurations: st.SearchStrategy[Configuration] = CONFIGURATIONS
    counts: dict[str, int]
    is_clock_set = True

    def __init__(self) -> None:
        super().__init__()
        self.estate: Estate | None = None

    @property
    def at(self) -> Estate:
        """The estate of this example."""
        assert self.estate is not None
        return self.estate

    @initialize(data=st.data())
    def build(self, data: st.DataObject) -> None:
        """Begin with a configuration."""
        self.estate = Estate(self.park, data.draw(self.configurations))

    def teardown(self) -> None:
        """End the estate."""
        if self.estate is not None:
            self.estate.close()

    def _pick(self, things: list[Any], number: int) -> Any:
        # The latest first: what an example is about is mostly what was made last.
        return things[-1 - number % len(things)]

    # Tokens

    @rule(place=st.sampled_from(PLACES), is_signed=_SIGNED, lifetime=st.sampled_from((3600, 120)))
    def log_in(self, place: tuple[str, Scope], is_signed: bool, lifetime: int) -> None:  # noqa: FBT001
        """Get a token for a user."""
        self.at.log_in(*place, is_signed=is_signed, lifetime=lifetime)

    @precondition(lambda self: self.at.configuration.offline)
    @rule(place=st.sampled_from(PLACES), key=st.sampled_from(("first", "second")))
    def log_in_signed(self, place: tuple[str, Scope], key: str) -> None:
        """Get a signed token that says itself whose it is, where that counts."""
        if key in self.at.issuers:
            has_claims = "claims" in self.at.configuration.authority
            self.at.log_in(*place, is_signed=True, has_claims=has_claims, key=key)

    @precondition(lambda self: self.at.tokens)
    @rule(number=_ANY)
    def exchange(self, number: int) -> None:
        """Get a token for another, as far as its chain of audit ids goes."""
        parent: Token = self._pick(self.at.tokens, number)
        if parent.is_genuine and parent.trust is None and parent.credential is None:
            self.at.log_in(parent.user, parent.scope, is_signed=parent.is_signed, parent=parent)

    @rule(is_signed=_SIGNED)
    def log_in_service(self, is_signed: bool) -> None:  # noqa: FBT001
        """Get a token of a service."""
        self.at.log_in("service", ("project", "service"), is_signed=is_signed)

    @rule(is_signed=_SIGNED, has_impersonation=st.booleans())
    def log_in_by_trust(self, is_signed: bool, has_impersonation: bool) -> None:  # noqa: FBT001
        """Let the reader act for the member."""
        if len(self.at.trusts) < 2:
            self.at.make_trust("member", "reader", "inventory", impersonation=has_impersonation)
        self.at.log_in_by_trust(self.at.trusts[-1], is_signed=is_signed)

    @rule(is_signed=_SIGNED)
    def log_in_by_credential(self, is_signed: bool) -> None:  # noqa: FBT001
        """Get a token of an application credential of the member."""
        if len(self.at.credentials) < 2:
            self.at.make_credential("member", "inventory")
        self.at.log_in_by_credential(self.at.credentials[-1], is_signed=is_signed)

    @rule(is_signed=_SIGNED, number=_ANY)
    def forge(self, is_signed: bool, number: int) -> None:  # noqa: FBT001
        """Make a token up."""
        victim = self._pick(self.at.tokens, number) if self.at.tokens else None
        self.at.forge(is_signed=is_signed, victim=victim)

    # Requests

    @precondition(lambda self: self.at.tokens)
    @rule(process=_PROCESS, number=_ANY)
    def request(self, process: Process, number: int) -> None:
        """Send a request with a user's token."""
        self._compare(Request(process, self._pick(self.at.tokens, number)))

    @precondition(lambda self: self.at.tokens)
    @rule(number=_ANY)
    def request_of_both(self, number: int) -> None:
        """Send it to both processes."""
        for process in PROCESSES:
            self._compare(Request(process, self._pick(self.at.tokens, number)))

    @precondition(lambda self: self.at.tokens)
    @rule(process=_PROCESS, number=_ANY, service=_ANY)
    def request_with_service_token(self, process: Process, number: int, service: int) -> None:
        """Send a request that a service sends on."""
        services = [token for token in self.at.tokens if token.user == "service"]
        by = self._pick(services or self.at.tokens, service)
        self._compare(Request(process, self._pick(self.at.tokens, number), by))

    @rule(process=_PROCESS)
    def request_without(self, process: Process) -> None:
        """Send a request without any token."""
        self._compare(Request(process, NOBODY))

    def _compare(self, request: Request) -> None:
        history = tuple(self.at.history)
        configuration = self.at.configuration
        promises = self.promise(configuration)
        outcome = self.at.send(request)
        may = allowed(configuration, history, request, self.at.now, promises)
        self.counts["requests"] += 1
        self.counts["decided"] += len(may) == 1
        if outcome not in may:
            raise Difference(describe(configuration, history, request, outcome, may, self.at.now))

    # Changes

    @precondition(lambda self: self.at.tokens)
    @rule(number=_ANY)
    def log_out(self, number: int) -> None:
        """Revoke a token."""
        token = self._pick(self.at.tokens, number)
        if token.is_genuine:
            self.at.revoke(token)

    @rule(user=st.sampled_from(USERS))
    def change_password(self, user: str) -> None:
        """Revoke all tokens of a user."""
        self.at.change_password(user)

    @rule(user=st.sampled_from(USERS))
    def disable_or_enable_user(self, user: str) -> None:
        """Disable a user, or enable a disabled one."""
        if self.at.server.directory.user(user).enabled:
            self.at.disable_user(user)
        else:
            self.at.enable("user", user)

    @rule(project=st.sampled_from(PROJECTS))
    def disable_or_enable_project(self, project: str) -> None:
        """Disable a project, or enable a disabled one."""
        if self.at.server.directory.project(project).enabled:
            self.at.disable_project(project)
        else:
            self.at.enable("project", project)

    @rule(assignment=st.sampled_from(ASSIGNMENTS))
    def take_or_give_role(self, assignment: tuple[str, str, Scope]) -> None:
        """Take a role away, or give it."""
        if self.at.is_held(*assignment):
            self.at.take_role(*assignment)
        else:
            self.at.give_role(*assignment)

    @precondition(lambda self: self.at.trusts)
    @rule(number=_ANY)
    def delete_trust(self, number: int) -> None:
        """Delete a trust."""
        trust: TrustMade = self._pick(self.at.trusts, number)
        self.at.trusts.remove(trust)
        self.at.delete_trust(trust)

    @precondition(lambda self: self.at.credentials)
    @rule(number=_ANY)
    def delete_credential(self, number: int) -> None:
        """Delete an application credential."""
        credential: CredentialMade = self._pick(self.at.credentials, number)
        self.at.credentials.remove(credential)
        self.at.delete_credential(credential)

    @rule(count=st.sampled_from((1, 6, 13, 30)))
    def emit_noise(self, count: int) -> None:
        """Let others log out."""
        self.at.emit_noise(count)

    @precondition(lambda self: self.at.configuration.offline)
    @rule(key=st.sampled_from(("first", "second")))
    def add_or_remove_key(self, key: str) -> None:
        """Put a key into the directory, or take it out."""
        if self.at.has_key(key):
            self.at.remove_key(key)
        else:
            self.at.add_key(key)

    # Time, outages, processes, memcached

    @rule(seconds=st.sampled_from(STEPS_OF_TIME))
    def pass_time(self, seconds: int) -> None:
        """Let time pass."""
        self.at.pass_time(seconds)

    @precondition(lambda self: self.is_clock_set)
    @rule(ahead=st.sampled_from(AHEAD))
    def set_clock(self, ahead: int) -> None:
        """Set the clock of the processes' host."""
        self.at.set_clock(ahead)

    @rule()
    def begin_or_end_outage(self) -> None:
        """Let Keystone be gone, or back."""
        if self.at.server.is_running:
            self.at.begin_outage()
        else:
            self.at.end_outage()

    @rule(process=_PROCESS)
    def restart(self, process: Process) -> None:
        """Start a process anew."""
        self.at.start(process)

    @precondition(lambda self: self.at.configuration.sharing != "nothing")
    @rule(how=st.sampled_from(("flush", "stop", "start")))
    def lose_values(self, how: Literal["flush", "stop", "start"]) -> None:
        """Let memcached forget."""
        if not self.at.has_memcached:
            self.at.start_memcached()
        elif how == "flush":
            self.at.flush_memcached()
        else:
            self.at.stop_memcached()

    @precondition(lambda self: self.at.configuration.sharing == "sealed" and self.at.has_memcached)
    @rule(how=st.sampled_from(("keep", "replay")))
    def replay_values(self, how: Literal["keep", "replay"]) -> None:
        """Put values back that were in memcached once."""
        if how == "keep" or not self.at.has_snapshot:
            self.at.keep_values()
        else:
            self.at.replay_values()


def make_machine(
    park: Park,
    *,
    promise: Callable[[Configuration], Promises] = promises_of,
    configurations: st.SearchStrategy[Configuration] = CONFIGURATIONS,
    is_clock_set: bool = True,
) -> type[FilterBesideModel]:
    """Return a state machine that uses these processes, and counts what it does."""

    class Machine(FilterBesideModel):
        pass

    Machine.park = park
    Machine.promise = staticmethod(promise)
    Machine.configurations = configurations
    Machine.is_clock_set = is_clock_set
    Machine.counts = {"requests": 0, "decided": 0}
    return Machine


def describe(
    configuration: Configuration,
    history: History,
    request: Request,
    outcome: Outcome,
    may: frozenset[Outcome],
    now: float,
) -> str:
    """Tell what happened in an example, and what came of it."""
    lines = [f"configuration: {configuration}"]
    begun = history[0].at
    for event in history:
        what = event.what
        told = f"{what.request} -> {what.outcome}" if isinstance(what, Told) else str(what)
        if event.at > begun or not told.startswith("RoleGiven"):
            lines.append(f"{event.at - begun:+9.0f} s  {told}")
    lines += [
        f"{now - begun:+9.0f} s  {request}",
        f"filter:  {outcome}",
        *(f"allowed: {one}" for one in sorted(may, key=repr)),
        f"({datetime.datetime.fromtimestamp(begun, datetime.UTC):%Y-%m-%d %H:%M:%S} UTC at first)",
    ]
    return "\n".join(lines)
