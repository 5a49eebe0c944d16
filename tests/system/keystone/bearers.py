"""Bearers of a real Keystone, one for each way in which a token gets its roles."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from authmw.testing.issuer import Issuer
from tests.support.identity_api import IdentityApi
from tests.support.identity_types import (
    SYSTEM_SCOPE,
    UNSCOPED,
    Json,
    Named,
    PasswordUser,
    Scope,
    domain_scope,
    project_scope,
    trust_scope,
)
from tests.support.keystone import Keystone

Issue = Callable[[], str]
"""Issues another token of the same bearer."""

SERVICE_TYPE = "inventory"
DEFAULT_DOMAIN = Named("default", "Default")
ACCESS_RULES = ({"service": SERVICE_TYPE, "method": "GET", "path": "/v1/items"},)


class Bearers:
    """Makes bearers in one Keystone, and what issues their tokens.

    Args:
        keystone: the site.
        api: of the process that issues.
    """

    def __init__(self, keystone: Keystone, api: IdentityApi) -> None:
        self.keystone = keystone
        self.api = api

    # In front of which service the filters stand

    @cached_property
    def service_options(self) -> dict[str, str]:
        """Options of a filter: its own user, who has the role `service`."""
        user, project = self.api.create_user(), self.api.create_project()
        self.api.grant(user, self.api.find_role("service"), project_scope(project))
        return {
            "www_authenticate_uri": self.api.url,
            "auth_type": "password",
            "auth_url": self.api.url,
            "username": user.name,
            "password": user.password,
            "user_domain_id": "default",
            "project_name": project.name,
            "project_domain_id": "default",
            "service_type": SERVICE_TYPE,
        }

    # Who calls

    @cached_property
    def project(self) -> Named:
        inventory = self.api.create_service(SERVICE_TYPE)
        self.api.create_endpoint(inventory, "http://inventory.example/$(project_id)s")
        return self.api.create_project()

    @cached_property
    def caller(self) -> PasswordUser:
        """A member of the project, a reader of the default domain and of the system."""
        user = self.make_member()
        for scope in (domain_scope(DEFAULT_DOMAIN), SYSTEM_SCOPE):
            self.api.grant(user, self.api.find_role("reader"), scope)
        return user

    def make_member(self, project: Named | None = None) -> PasswordUser:
        user = self.api.create_user()
        self.api.grant(user, self.api.find_role("member"), project_scope(project or self.project))
        return user

    def of(self, user: PasswordUser, scope: Scope) -> Issue:
        return lambda: self.api.issue(user, scope).id

    # How the tokens come to be

    def in_scope(self, scope: Scope) -> Issue:
        return self.of(self.caller, scope)

    def on_project(self) -> Issue:
        return self.in_scope(project_scope(self.project))

    def exchanged(self) -> Issue:
        def issue() -> str:
            unscoped = self.api.issue(self.caller)
            return self.api.issue_from_token(unscoped, project_scope(self.project)).id

        return issue

    def in_group(self) -> Issue:
        user, group_id = self.api.create_user(), self._make_group()
        self.api.call("PUT", f"/groups/{group_id}/users/{user.id}")
        return self.of(user, project_scope(self.project))

    def inheriting(self) -> Issue:
        user, domain = self.api.create_user(), self.api.create_domain()
        project = self.api.create_project(domain_id=domain.id)
        role = self.api.find_role("reader").id
        self.api.call(
            "PUT",
            f"/OS-INHERIT/domains/{domain.id}/users/{user.id}/roles/{role}/inherited_to_projects",
        )
        return self.of(user, project_scope(project))

    def with_implied_role(self) -> Issue:
        return self._with_prior_role(self.api.create_role())

    def with_domain_specific_role(self) -> Issue:
        """Such a role never shows in a token, only what it implies."""
        wanted = {"name": f"local-{uuid.uuid4().hex[:8]}", "domain_id": "default"}
        made = self.api.call("POST", "/roles", body={"role": wanted}).json()["role"]
        return self._with_prior_role(Named(made["id"], made["name"]))

    def by_trust(self, *, impersonation: bool) -> Issue:
        trustee = self.api.create_user()
        trust_id = self.api.create_trust(
            self.caller,
            trustee,
            self.project,
            [self.api.find_role("member")],
            impersonation=impersonation,
        )
        return self.of(trustee, trust_scope(trust_id))

    def by_credential(self, access_rules: Iterable[Json] | None) -> Issue:
        credential = self.api.create_application_credential(
            self.caller,
            self.project,
            access_rules=None if access_rules is None else [*access_rules],
        )
        return lambda: self.api.issue_from_application_credential(credential).id

    def federated(self, scope: Json) -> Issue:
        """As after a federated login: groups stand in the token, signed by Keystone's key."""
        idp_id, group_id = self._federate(), self._make_group()

        def issue() -> str:
            now = int(time.time())
            return self.keystone_issuer().sign(
                {
                    "sub": self.caller.id,
                    "iat": now,
                    "exp": now + 3600,
                    "openstack_methods": ["mapped"],
                    "openstack_audit_ids": [uuid.uuid4().hex[:22]],
                    "openstack_group_ids": [{"id": group_id}],
                    "openstack_idp_id": idp_id,
                    "openstack_protocol_id": "mapped",
                    **scope,
                }
            )

        return issue

    def keystone_issuer(self) -> Issuer:
        """Signs with the key that Keystone itself signs with."""
        pem = (self.keystone.directory / "jws-private" / "private.pem").read_bytes()
        key = load_pem_private_key(pem, None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return Issuer(key)

    def _with_prior_role(self, prior: Named) -> Issue:
        user, implied = self.api.create_user(), self.api.create_role()
        self.api.call("PUT", f"/roles/{prior.id}/implies/{implied.id}")
        self.api.grant(user, prior, project_scope(self.project))
        return self.of(user, project_scope(self.project))

    def _make_group(self) -> str:
        """Return the id of a group that reads the project."""
        name = f"group-{uuid.uuid4().hex[:8]}"
        made = self.api.call("POST", "/groups", body={"group": {"name": name}})
        group_id: str = made.json()["group"]["id"]
        reader = self.api.find_role("reader").id
        self.api.call("PUT", f"/projects/{self.project.id}/groups/{group_id}/roles/{reader}")
        return group_id

    def _federate(self) -> str:
        """Return the id of an identity provider with the protocol `mapped`."""
        idp_id = f"idp-{uuid.uuid4().hex[:8]}"
        local = [{"user": {"name": "{0}"}}]
        rules = [{"local": local, "remote": [{"type": "REMOTE_USER"}]}]
        federation = "/OS-FEDERATION"
        for path, body in (
            (f"/identity_providers/{idp_id}", {"identity_provider": {"enabled": True}}),
            (f"/mappings/{idp_id}", {"mapping": {"rules": rules}}),
            (
                f"/identity_providers/{idp_id}/protocols/mapped",
                {"protocol": {"mapping_id": idp_id}},
            ),
        ):
            self.api.call("PUT", federation + path, body=body)
        return idp_id


BEARERS: dict[str, Callable[[Bearers], Issue]] = {
    "project": Bearers.on_project,
    "domain": lambda bearers: bearers.in_scope(domain_scope(DEFAULT_DOMAIN)),
    "system": lambda bearers: bearers.in_scope(SYSTEM_SCOPE),
    "unscoped": lambda bearers: bearers.in_scope(UNSCOPED),
    "exchanged": Bearers.exchanged,
    "group-role": Bearers.in_group,
    "inherited-role": Bearers.inheriting,
    "implied-role": Bearers.with_implied_role,
    "domain-specific-role": Bearers.with_domain_specific_role,
    "trust-impersonating": lambda bearers: bearers.by_trust(impersonation=True),
    "trust-plain": lambda bearers: bearers.by_trust(impersonation=False),
    "credential": lambda bearers: bearers.by_credential(None),
    "credential-with-rules": lambda bearers: bearers.by_credential(ACCESS_RULES),
    "federated-project": lambda bearers: bearers.federated(
        {"openstack_project_id": bearers.project.id}
    ),
    "federated-unscoped": lambda bearers: bearers.federated({}),
}
"""By name: a bearer of each kind."""
