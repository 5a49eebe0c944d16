"""The rules of an identity service, in memory: issue, validate, revoke; no socket.

What Keystone revokes by an event, what it only forgets, and what it refuses at validation
follow Keystone 30, including that a role taken away emits no event.
"""

from __future__ import annotations

import collections
import dataclasses
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Unpack

from authmw.runtime.clock import wall_clock
from authmw.testing.api_errors import not_found
from authmw.testing.catalog import make_catalog
from authmw.testing.directory import Directory
from authmw.testing.grants import Wanted, assert_grantable, make_grant
from authmw.testing.issuer import Issuer, make_authority_claims, make_claims
from authmw.testing.population import make_directory
from authmw.testing.records import Grant, OnProject
from authmw.testing.revocations import RevocationEvent, RevokedAttributes, revocable_values
from authmw.testing.token_bodies import render_token_body

Provider = Literal["fernet", "jws"]

# Keystone keeps an event this much longer than the tokens it can concern.
_EVENT_BUFFER_SECONDS = 1800


@dataclass(kw_only=True, eq=False, repr=False)
class Identity:
    """An identity service without the network; every method may be called from any thread.

    Args:
        directory: domains, users and so on; by default those of `make_directory`.
        issuer: makes tokens; by default one with a fresh key.
        clock: returns epoch seconds.
        provider: Keystone's name for the kind of token that is issued. Tokens of fernet only look
            like Keystone's: they are random.
        token_lifetime_seconds: the default lifetime of tokens.
        allow_expired_window_seconds: how long after expiry a token can still be validated
            with allow_expired.
        endpoint_count: endpoints in the catalog besides the identity service's own; 450 make
            a token body of about 93 KB.
        admin_project: (project name, domain name) of the admin project, if there is one.
        url: the identity endpoint, for the catalog.
    """

    directory: Directory = field(default_factory=make_directory)
    issuer: Issuer = field(default_factory=Issuer)
    clock: Callable[[], float] = wall_clock
    provider: Provider = "fernet"
    token_lifetime_seconds: float = 3600
    allow_expired_window_seconds: float = 172_800
    endpoint_count: int = 0
    admin_project: tuple[str, str] | None = None
    url: str = "http://identity.invalid"

    # Held by authentication over HTTP too, which reads the directory in several steps.
    lock: threading.RLock = field(default_factory=threading.RLock, init=False)
    _grants: dict[str, Grant] = field(default_factory=dict, init=False)
    _events: collections.deque[RevocationEvent] = field(
        default_factory=collections.deque, init=False
    )
    _catalogs: dict[tuple[str, str | None], list[dict[str, object]]] = field(
        default_factory=dict, init=False
    )

    # Tokens

    def issue(self, user: str = "member", **wanted: Unpack[Wanted]) -> str:
        """Issue a token to a user (id or name) with the properties of `Wanted`.

        Raises:
            IdentityApiError: the user holds no role there, or something is disabled.
            LookupError: something of that name is not in the directory.
        """
        with self.lock:
            return self.issue_granted(self.grant(user, wanted))

    def issue_jws(
        self,
        user: str = "member",
        *,
        names_and_roles: bool = False,
        extra_claims: Mapping[str, object] | None = None,
        **wanted: Unpack[Wanted],
    ) -> str:
        """Issue a signed token, whatever the `provider`.

        Args:
            user: id or name.
            names_and_roles: whether the token itself names user, scope and roles
                (`jws_authority = claims`).
            extra_claims: added last; a claim set to None is left out of the token.
            wanted: as for `issue`.
        """
        with self.lock:
            grant = self.grant(user, wanted)
            claims = make_claims(grant)
            if names_and_roles:
                claims |= make_authority_claims(grant, self.directory)
            claims |= extra_claims or {}
            token = self.issuer.sign(
                {name: value for name, value in claims.items() if value is not None}
            )
            self._grants[token] = grant
            return token

    def issue_granted(self, grant: Grant) -> str:
        """Issue a token for a grant, of the kind `provider` names."""
        with self.lock:
            assert_grantable(grant, self.directory)
            if self.provider == "jws":
                token = self.issuer.sign(make_claims(grant))
            else:
                token = self.issuer.make_opaque()
            self._grants[token] = grant
            return token

    def grant_of(self, token: str, *, allow_expired: bool = False) -> Grant:
        """Return the grant of a valid token.

        Raises:
            IdentityApiError: 404 if the token is unknown, expired, revoked, or its user or scope is
                gone or disabled; 403 if a trustor lost what the trust delegates.
        """
        with self.lock:
            grant = self._grants.get(token)
            if grant is None:
                raise not_found("Could not recognize this token.")
            window = self.allow_expired_window_seconds if allow_expired else 0
            if self.clock() >= grant.expires_at + window:
                raise not_found("This token has expired.")
            try:
                values = revocable_values(grant, self.directory)
            except LookupError:
                raise not_found("What this token was made from is gone.") from None
            if any(event.is_covering(grant.issued_at, values) for event in self._events):
                raise not_found("This token has been revoked.")
            assert_grantable(grant, self.directory)
            return grant

    def grant_issued(self, token: str) -> Grant:
        """Return the grant of a token issued here, valid or not; LookupError for others."""
        with self.lock:
            return self._grants[token]

    def render(self, grant: Grant, *, include_catalog: bool = True) -> dict[str, object]:
        """Return the v3 token body of a grant, with names and roles as they are now."""
        with self.lock:
            project_id = grant.target.project_id if isinstance(grant.target, OnProject) else None
            return render_token_body(
                grant,
                self.directory,
                catalog=self._catalog(project_id) if include_catalog else None,
                admin_project=self.admin_project,
            )

    def validate(
        self, token: str, *, allow_expired: bool = False, include_catalog: bool = True
    ) -> dict[str, object]:
        """Return the v3 token body of a valid token; raises as `grant_of` does."""
        with self.lock:
            grant = self.grant_of(token, allow_expired=allow_expired)
            return self.render(grant, include_catalog=include_catalog)

    def expire(self, token: str) -> None:
        """Expire an opaque token issued here.

        A signed token carries its expiry: issue it with `expires_in=-1` instead.
        """
        if "." in token:
            raise ValueError("a signed token carries its expiry: issue it with expires_in=-1")
        with self.lock:
            grant = self._grants[token]
            self._grants[token] = dataclasses.replace(grant, expires_at=int(self.clock()) - 1)

    # Revocation

    def revoke(self, token: str, *, cascade: bool = True) -> None:
        """Revoke one token and, with `cascade`, those made from it."""
        with self.lock:
            audit_id = self.grant_of(token).audit_ids[0]
            self.emit(RevokedAttributes(audit_id=audit_id))
            if cascade:
                self.emit(RevokedAttributes(audit_chain_id=audit_id))

    def emit(
        self,
        attributes: RevokedAttributes,
        *,
        issued_before: float | None = None,
        revoked_at: float | None = None,
    ) -> RevocationEvent:
        """Add a revocation event; its times (epoch seconds) are now unless given."""
        with self.lock:
            now = self.clock() if revoked_at is None else revoked_at
            event = RevocationEvent(
                attributes, int(now if issued_before is None else issued_before), int(now)
            )
            kept_for = self.token_lifetime_seconds + _EVENT_BUFFER_SECONDS
            while self._events and self._events[0].revoked_at < self.clock() - kept_for:
                self._events.popleft()
            self._events.append(event)
            return event

    def events_since(self, since: float | None = None) -> list[RevocationEvent]:
        """Return the events revoked in a later second than `since`; all of them for None."""
        with self.lock:
            return [
                event for event in self._events if since is None or event.revoked_at > int(since)
            ]

    # Changes, and the events Keystone emits for them

    def disable_user(self, user: str) -> None:
        """Disable a user; emits an event."""
        with self.lock:
            row = self.directory.user(user)
            self.directory.users[row.id] = dataclasses.replace(row, enabled=False)
            self.emit(RevokedAttributes(user_id=row.id))

    def delete_user(self, user: str) -> None:
        """Delete a user and what it holds; emits an event."""
        with self.lock:
            row = self.directory.users.pop(self.directory.user(user).id)
            self.directory.assignments = {
                held for held in self.directory.assignments if held.user_id != row.id
            }
            self.emit(RevokedAttributes(user_id=row.id))

    def change_password(self, user: str, password: str) -> None:
        """Give a user another password; emits an event."""
        with self.lock:
            row = self.directory.user(user)
            self.directory.users[row.id] = dataclasses.replace(row, password=password)
            self.emit(RevokedAttributes(user_id=row.id))

    def disable_project(self, project: str) -> None:
        """Disable a project; emits no event."""
        with self.lock:
            row = self.directory.project(project)
            self.directory.projects[row.id] = dataclasses.replace(row, enabled=False)

    def delete_project(self, project: str) -> None:
        """Delete a project; emits an event."""
        with self.lock:
            row = self.directory.projects.pop(self.directory.project(project).id)
            self.emit(RevokedAttributes(project_id=row.id))

    def disable_domain(self, domain: str) -> None:
        """Disable a domain; emits no event."""
        with self.lock:
            row = self.directory.domain(domain)
            self.directory.domains[row.id] = dataclasses.replace(row, enabled=False)

    def remove_role(
        self,
        role: str,
        user: str,
        *,
        project: str | None = None,
        domain: str | None = None,
        system: bool = False,
    ) -> None:
        """Take a role away from a user; emits no event."""
        with self.lock:
            self.directory.unassign(role, user, project=project, domain=domain, system=system)

    def delete_application_credential(self, credential_id: str) -> None:
        """Delete an application credential; emits no event."""
        with self.lock:
            del self.directory.application_credentials[credential_id]

    def delete_trust(self, trust_id: str) -> None:
        """Delete a trust; emits an event."""
        with self.lock:
            del self.directory.trusts[trust_id]
            self.emit(RevokedAttributes(trust_id=trust_id))

    def delete_consumer(self, consumer_id: str) -> None:
        """Delete an OAuth1 consumer and its access tokens; emits an event."""
        with self.lock:
            self.directory.oauth1_accesses = {
                access.id: access
                for access in self.directory.oauth1_accesses.values()
                if access.consumer_id != consumer_id
            }
            self.emit(RevokedAttributes(consumer_id=consumer_id))

    def grant(self, user: str, wanted: Wanted) -> Grant:
        """Return the grant for a `Wanted`; see `make_grant`."""
        return make_grant(
            self.directory,
            user,
            wanted,
            now=self.clock(),
            lifetime_seconds=self.token_lifetime_seconds,
        )

    def _catalog(self, project_id: str | None) -> list[dict[str, object]]:
        key = (self.url, project_id)
        if key not in self._catalogs:
            self._catalogs[key] = make_catalog(f"{self.url}/v3", self.endpoint_count, project_id)
        return self._catalogs[key]
