"""Users, projects, trusts and tokens for the comparison, made once in a real Keystone."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property

from tests.support.identity_api import IdentityApi
from tests.support.identity_types import (
    SYSTEM_SCOPE,
    UNSCOPED,
    ApplicationCredential,
    IssuedToken,
    Json,
    Named,
    PasswordUser,
    Scope,
    domain_scope,
    project_scope,
    trust_scope,
)
from tests.support.keystone import Keystone

DEFAULT_DOMAIN = Named("default", "Default")

ACCESS_RULES = tuple(
    {"service": "inventory", "method": method, "path": path}
    for method, path in (
        ("GET", "/v1/items"),
        ("GET", "/v1/items/*"),
        ("POST", "/v1/items"),
        ("GET", "/v1/{namespace}/detail"),
        ("GET", "/v1/files/**"),
        ("GET", "/v1/list.json"),
    )
)


class Estate:
    """Users, projects and roles of one Keystone, and the tokens issued about them.

    Everything is made when it is first asked for, and only once.
    """

    def __init__(self, keystone: Keystone) -> None:
        self.keystone = keystone
        self.api: IdentityApi = keystone.fernet.api
        self._strings: dict[str, str] = {}
        self._roles: dict[str, Named] = {}

    def token(self, name: str) -> str:
        """Return what a client sends for a token of `TOKENS`."""
        if name not in self._strings:
            self._strings[name] = TOKENS[name](self)
        return self._strings[name]

    # What the services in front of which the filters stand are

    @cached_property
    def service_project(self) -> Named:
        return self.api.create_project()

    @cached_property
    def service_user(self) -> PasswordUser:
        """The filters' own user: the role `service` lets it validate tokens."""
        user = self.api.create_user()
        self.api.grant(user, self.role("service"), project_scope(self.service_project))
        return user

    @cached_property
    def powerless_user(self) -> PasswordUser:
        """A user that can log in, and may not validate other people's tokens."""
        return self.member_of(self.service_project)

    @cached_property
    def service_credential(self) -> ApplicationCredential:
        return self.api.create_application_credential(self.service_user, self.service_project)

    # Who calls

    @cached_property
    def project(self) -> Named:
        """Made with what a catalog has besides the identity service."""
        inventory = self.api.create_service("inventory", "namespaces")
        for interface in ("public", "internal"):
            self.api.create_endpoint(
                inventory, f"http://{interface}.example/$(project_id)s", interface=interface
            )
        self.api.create_service("empty")
        return self.api.create_project("Gödel 日本")

    @cached_property
    def caller(self) -> PasswordUser:
        """A member of the project, a reader of the default domain and of the system."""
        user = self.api.create_user("Zoë")
        self.api.grant(user, self.role("member"), project_scope(self.project))
        for scope in (domain_scope(DEFAULT_DOMAIN), SYSTEM_SCOPE):
            self.api.grant(user, self.role("reader"), scope)
        return user

    @cached_property
    def fellow(self) -> PasswordUser:
        """Whom trusts are given to."""
        return self.api.create_user()

    def role(self, name: str) -> Named:
        """Return one of the roles that every Keystone has."""
        if name not in self._roles:
            self._roles[name] = self.api.find_role(name)
        return self._roles[name]

    def member_of(self, project: Named) -> PasswordUser:
        """Make a user with the role `member`."""
        user = self.api.create_user()
        self.api.grant(user, self.role("member"), project_scope(project))
        return user

    # How tokens of each kind come to be

    def issue(self, scope: Scope) -> str:
        return self.api.issue(self.caller, scope).id

    def issue_project(self) -> IssuedToken:
        return self.api.issue(self.caller, project_scope(self.project))

    def issue_service(self, scope: Scope) -> str:
        user = self.api.create_user()
        self.api.grant(user, self.role("service"), scope if isinstance(scope, dict) else {})
        return self.api.issue(user, scope).id

    def issue_with_role(self, name: str) -> str:
        """A user whose roles are `member` and one of this name."""
        user = self.member_of(self.project)
        self.api.grant(user, self.api.create_role(name), project_scope(self.project))
        return self.api.issue(user, project_scope(self.project)).id

    def issue_in_group(self) -> str:
        user = self.api.create_user()
        group = self.api.call("POST", "/groups", body={"group": {"name": "shelvers"}})
        group_id = group.json()["group"]["id"]
        reader = self.role("reader").id
        self.api.call("PUT", f"/groups/{group_id}/users/{user.id}")
        self.api.call("PUT", f"/projects/{self.project.id}/groups/{group_id}/roles/{reader}")
        return self.api.issue(user, project_scope(self.project)).id

    def issue_inherited(self) -> str:
        user = self.api.create_user()
        domain = self.api.create_domain()
        project = self.api.create_project(domain_id=domain.id)
        role = self.role("reader").id
        self.api.call(
            "PUT",
            f"/OS-INHERIT/domains/{domain.id}/users/{user.id}/roles/{role}/inherited_to_projects",
        )
        return self.api.issue(user, project_scope(project)).id

    def issue_implied(self) -> str:
        user = self.api.create_user()
        prior, implied = self.api.create_role("prior"), self.api.create_role("implied")
        self.api.call("PUT", f"/roles/{prior.id}/implies/{implied.id}")
        self.api.grant(user, prior, project_scope(self.project))
        return self.api.issue(user, project_scope(self.project)).id

    def issue_trust(self, *, impersonation: bool) -> str:
        trust_id = self.api.create_trust(
            self.caller,
            self.fellow,
            self.project,
            [self.role("member")],
            impersonation=impersonation,
        )
        return self.api.issue(self.fellow, trust_scope(trust_id)).id

    def issue_credential(self, access_rules: tuple[Json, ...] | None) -> str:
        credential = self.api.create_application_credential(
            self.caller, self.project, access_rules=access_rules
        )
        return self.api.issue_from_application_credential(credential).id

    def issue_revoked(self) -> str:
        token = self.issue_project()
        self.api.revoke(token)
        return token.id

    def issue_of_disabled(self) -> str:
        user = self.member_of(self.project)
        token = self.api.issue(user, project_scope(self.project))
        self.api.update("user", user.id, enabled=False)
        return token.id

    def issue_without_role_left(self) -> str:
        user = self.member_of(self.project)
        token = self.api.issue(user, project_scope(self.project))
        self.api.withdraw(user, self.role("member"), project_scope(self.project))
        return token.id

    def issue_expiring(self) -> str:
        process = self.keystone.short_lived
        caller, scope = self.caller, project_scope(self.project)
        self._expiring = process.api.issue(caller, scope)
        return self._expiring.id

    def await_expiry(self) -> str:
        """The token that is good as `expiring`, once it is so no more."""
        string = self.token("expiring")
        time.sleep(max(0.0, self._expiring.expires_at.timestamp() + 1 - time.time()))
        return string

    def issue_jws(self, scope: Scope) -> str:
        return self.keystone.jws.api.issue(self.caller, scope).id


TOKENS: dict[str, Callable[[Estate], str]] = {
    # of every scope
    "project": lambda estate: estate.issue(project_scope(estate.project)),
    "domain": lambda estate: estate.issue(domain_scope(DEFAULT_DOMAIN)),
    "system": lambda estate: estate.issue(SYSTEM_SCOPE),
    "unscoped": lambda estate: estate.issue(UNSCOPED),
    "admin": lambda estate: (
        estate.api.issue_for_admin(project_scope(estate.api.find_project("admin"))).id
    ),
    # where roles come from
    "group-role": Estate.issue_in_group,
    "inherited-role": Estate.issue_inherited,
    "implied-role": Estate.issue_implied,
    "role-with-comma": lambda estate: estate.issue_with_role("stock,admin"),
    "role-beyond-ascii": lambda estate: estate.issue_with_role("größer"),
    # delegation
    "trust-impersonating": lambda estate: estate.issue_trust(impersonation=True),
    "trust-plain": lambda estate: estate.issue_trust(impersonation=False),
    "credential": lambda estate: estate.issue_credential(None),
    "credential-with-rules": lambda estate: estate.issue_credential(ACCESS_RULES),
    # the same as others, written otherwise
    "padded": lambda estate: f"  {estate.token('project')} \t",
    # JWS, which its own Keystone process validates
    "jws-project": lambda estate: estate.issue_jws(project_scope(estate.project)),
    "jws-domain": lambda estate: estate.issue_jws(domain_scope(DEFAULT_DOMAIN)),
    "jws-system": lambda estate: estate.issue_jws(SYSTEM_SCOPE),
    "jws-unscoped": lambda estate: estate.issue_jws(UNSCOPED),
    # good for a while
    "expiring": Estate.issue_expiring,
    "expired": Estate.await_expiry,
    # of services
    "service": lambda estate: estate.issue_service(project_scope(estate.service_project)),
    "service-padded": lambda estate: f" {estate.token('service')} ",
    "service-domain": lambda estate: estate.issue_service(domain_scope(DEFAULT_DOMAIN)),
    "service-system": lambda estate: estate.issue_service(SYSTEM_SCOPE),
    "shelver": lambda estate: estate.issue_with_role("shelver"),
    # no good
    "revoked": Estate.issue_revoked,
    "of-disabled-user": Estate.issue_of_disabled,
    "without-role-left": Estate.issue_without_role_left,
    "garbage": lambda _: "garbage",
    "garbage-like-fernet": lambda _: "gAAAAAB" + "x" * 180,
    "garbage-with-dots": lambda _: "a.b.c",
    "garbage-beyond-ascii": lambda _: "caf\xe9",
    "garbage-with-space": lambda _: "two words",
    "garbage-with-control": lambda _: "one\x01two",
    "garbage-with-newline": lambda _: "one\ntwo",
    "empty": lambda _: "",
    "blank": lambda _: "  \t ",
    "overlong": lambda _: "x" * 8100,
}
"""By name: how what a client sends is got."""
