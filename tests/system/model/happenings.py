"""What can happen to a deployment, and what is known about it: the input of the model.

Names stand for ids: "member" is the user of that name. Times are epoch seconds of the identity
service's clock; whole seconds where a token or an event carries them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Scope = tuple[Literal["project", "domain", "system"], str] | None
Process = Literal["A", "B"]
Sharing = Literal["nothing", "plain", "sealed"]


@dataclass(frozen=True, slots=True)
class Configuration:
    """How both processes are configured.

    Attributes:
        offline: whether signed tokens are verified by the keys of a directory.
        authority: `jws_authority`.
        sharing: what goes through memcached: nothing, unsealed entries, sealed ones.
        grace: `identity_outage_grace`; the others are named as their options are.
    """

    offline: bool = False
    authority: tuple[str, ...] = ("identity",)
    sharing: Sharing = "nothing"
    delay_auth_decision: bool = False
    grace: int = 300
    max_events: int = 1000
    max_staleness: int = 600
    poll_interval: int = 1
    token_cache_time: int = 300
    authority_cache_time: int = 60

    def options(self) -> dict[str, str]:
        """Return this as [keystone_authtoken] options, without places and credentials."""
        options = {
            "delay_auth_decision": str(self.delay_auth_decision),
            "identity_outage_grace": str(self.grace),
            "revocation_max_events": str(self.max_events),
            "revocation_max_staleness": str(self.max_staleness),
            "revocation_poll_interval": str(self.poll_interval),
            "token_cache_time": str(self.token_cache_time),
            "authority_cache_time": str(self.authority_cache_time),
            "http_request_max_retries": "0",
        }
        if self.offline:
            options["jws_authority"] = ",".join(self.authority)
        return options


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is calling: the user a service sees, the scope, the names of the roles."""

    user: str
    scope: Scope
    roles: frozenset[str]


@dataclass(frozen=True, slots=True)
class Token:
    """One token string and what it stands for.

    Attributes:
        name: tells it from all others; "" for none.
        is_signed: a JWS; else an opaque one.
        user: who authenticated; with a trust, the trustee.
        audit_ids: its own, and that of the first of its chain where it was made from another.
        signed_by: the key; None for an opaque one.
        claims: what it says itself of its bearer (`jws_authority = claims`).
        is_genuine: Keystone issued it; else it is made up, and signed by who knows whom.
    """

    name: str
    is_signed: bool = False
    user: str = ""
    scope: Scope = None
    trust: str | None = None
    credential: str | None = None
    audit_ids: tuple[str, ...] = ()
    issued_at: int = 0
    expires_at: int = 0
    signed_by: str | None = None
    claims: Identity | None = None
    is_genuine: bool = True

    @property
    def bearer(self) -> tuple[object, ...]:
        """What two tokens have in common that are told the same about their bearer."""
        return (self.user, self.scope, self.trust, self.credential, self.claims)


@dataclass(frozen=True, slots=True)
class Request:
    """A request to one process; `service` is the token a service sends along."""

    process: Process
    user: Token
    service: Token | None = None


Decision = Identity | Literal[401, 503]
"""On one token."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a client and the service behind the filter see of one request.

    Attributes:
        status: of the answer; 200 is the service's own.
        user, service: as whom they are confirmed; "Invalid", where the service is told so; None
            where it is told nothing.
    """

    status: int
    user: Identity | Literal["Invalid"] | None = None
    service: Identity | Literal["Invalid"] | None = None


# What happens. Every one is an event at a time; nothing else changes the world.


@dataclass(frozen=True, slots=True)
class RoleGiven:
    """A user holds a role on a scope from now on."""

    user: str
    role: str
    scope: Scope


@dataclass(frozen=True, slots=True)
class RoleTaken:
    """A user no longer holds that role; no event tells of it."""

    user: str
    role: str
    scope: Scope


@dataclass(frozen=True, slots=True)
class Enabled:
    """A user or a project is enabled again."""

    kind: Literal["user", "project"]
    name: str


@dataclass(frozen=True, slots=True)
class Disabled:
    """A user (an event tells of it) or a project (none does) is disabled."""

    kind: Literal["user", "project"]
    name: str


@dataclass(frozen=True, slots=True)
class TrustMade:
    """A trustor lets a trustee use a role on a project."""

    trust: str
    trustor: str
    trustee: str
    scope: Scope
    role: str
    impersonation: bool


@dataclass(frozen=True, slots=True)
class CredentialMade:
    """A user has an application credential with a role on a project."""

    credential: str
    user: str
    scope: Scope
    role: str


@dataclass(frozen=True, slots=True)
class Deleted:
    """A trust (an event tells of it) or an application credential (none does) is gone."""

    kind: Literal["trust", "credential"]
    name: str


@dataclass(frozen=True, slots=True)
class Revocation:
    """Keystone emits a revocation event: all tokens with this attribute issued until now."""

    attribute: Literal["audit_id", "audit_chain_id", "user_id", "trust_id"]
    value: str


@dataclass(frozen=True, slots=True)
class KeyAdded:
    """A public key is put into the directory of both processes."""

    key: str


@dataclass(frozen=True, slots=True)
class KeyRemoved:
    """A public key is removed from it."""

    key: str


@dataclass(frozen=True, slots=True)
class OutageBegan:
    """Both processes can no longer reach the identity service."""


@dataclass(frozen=True, slots=True)
class OutageEnded:
    """They can again."""


@dataclass(frozen=True, slots=True)
class ClockSet:
    """The clock of the processes' host is ahead of Keystone's by so many seconds from now on."""

    ahead: int


@dataclass(frozen=True, slots=True)
class CacheChanged:
    """memcached is emptied, stopped or started; or old values are put back (`replayed`)."""

    how: Literal["flushed", "stopped", "started", "replayed"]


@dataclass(frozen=True, slots=True)
class Started:
    """A process is started anew and remembers nothing of its own."""

    process: Process


@dataclass(frozen=True, slots=True)
class Told:
    """A request was answered so."""

    request: Request
    outcome: Outcome

    def accepted(self, token: Token) -> bool:
        """Whether a token was confirmed by it."""
        return (self.request.user == token and isinstance(self.outcome.user, Identity)) or (
            self.request.service == token and isinstance(self.outcome.service, Identity)
        )


Happening = (
    RoleGiven
    | RoleTaken
    | Enabled
    | Disabled
    | TrustMade
    | CredentialMade
    | Deleted
    | Revocation
    | KeyAdded
    | KeyRemoved
    | OutageBegan
    | OutageEnded
    | ClockSet
    | CacheChanged
    | Started
    | Told
)


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened at a time."""

    at: float
    what: Happening


History = tuple[Event, ...]
"""In the order in which it happened."""


@dataclass(frozen=True, slots=True)
class World:
    """What Keystone and the key directory know at one moment.

    `all_trusts` has the deleted ones, too: their tokens are still around.
    """

    held: frozenset[tuple[str, str, Scope]] = frozenset()
    disabled: frozenset[tuple[str, str]] = frozenset()
    trusts: Mapping[str, TrustMade] = field(default_factory=dict)
    all_trusts: Mapping[str, TrustMade] = field(default_factory=dict)
    credentials: Mapping[str, CredentialMade] = field(default_factory=dict)
    revocations: tuple[tuple[float, Revocation], ...] = ()
    keys: frozenset[str] = frozenset()
    is_reachable: bool = True
    host_ahead: int = 0
