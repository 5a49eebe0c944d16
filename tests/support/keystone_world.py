"""One world in a Keystone of this process: what is in it, its tokens, and how it changes.

Descriptions are those of `tests/bundle/worlds.py`. What Keystone refuses to make is left out.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.keystone_world_builder import WorldBuilder

# Of users and application credentials; a bundle must not have it, nor its hash.
SECRET = "a secret that no bundle has"


class World:
    """What one description became: lists of ids, None where Keystone refused to make one."""

    def __init__(self, builder: WorldBuilder, world: dict[str, Any]) -> None:
        self.builder = builder
        self.apis = builder.apis
        self.name = uuid.uuid4().hex[:12]
        self.ignored = 0
        self.domains = [self._make_domain(index) for index in range(world["domains"])]
        self.roles = [self._make_role(index, each) for index, each in enumerate(world["roles"])]
        for prior, implied in world["implied"]:
            create = self.apis.role_api.create_implied_role
            self._try(create, self.roles[prior], self.roles[implied])
        self.projects: list[str | None] = [builder.admin_project_id]
        for index, each in enumerate(world["projects"]):
            self.projects.append(self._make_project(index, each))
        self.users = [self._make_user(index, each) for index, each in enumerate(world["users"])]
        self.groups = [self._make_group(index, each) for index, each in enumerate(world["groups"])]
        self.provider = self._make_provider(world) if world["federated"] else None
        self.federated = [
            self._make_federated(index, each) for index, each in enumerate(world["federated"])
        ]
        for grant in world["grants"]:
            self._grant(*grant)
        for kind, actor, role in world["system_grants"]:
            create = getattr(self.apis.assignment_api, f"create_system_grant_for_{kind}")
            self._try(create, self._actor(kind, actor), self.roles[role])
        self.trusts: list[str | None] = []
        for each in world["trusts"]:
            self.trusts.append(self._make_trust(each))
        self.credentials = [
            self._make_credential(index, each) for index, each in enumerate(world["credentials"])
        ]
        self.access_tokens = [self._make_access_token(each) for each in world["access_tokens"]]
        self._make_catalog(world["catalog"])

    def _try(self, act: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if None in args:
            return None
        made = self.builder.attempt(lambda: act(*args, **kwargs) or True)
        self.ignored += made is None
        return made

    def _new(self, kind: str, act: Callable[..., Any], *args: Any) -> str | None:
        made = self._try(act, *args)
        return None if made is None else made["id"]

    def _actor(self, kind: str, index: int) -> str | None:
        if kind == "group":
            return self.groups[index]
        everyone = [*self.users, *self.federated]
        return everyone[index]

    def _make_domain(self, index: int) -> str:
        domain = {"id": uuid.uuid4().hex, "name": f"domain-{self.name}-{index}", "enabled": True}
        self.apis.resource_api.create_domain(domain["id"], domain)
        return str(domain["id"])

    def _make_role(self, index: int, description: dict[str, Any]) -> str | None:
        role: dict[str, Any] = {"id": uuid.uuid4().hex, "name": f"role-{self.name}-{index}"}
        if description["domain"] is not None:
            role["domain_id"] = self.domains[description["domain"]]
        if description["described"]:
            role["description"] = "what it is for"
            role["shoe_size"] = 43
        if description["immutable"] is not None:
            role["options"] = {"immutable": description["immutable"]}
        return self._new("role", self.apis.role_api.create_role, role["id"], role)

    def _make_project(self, index: int, description: dict[str, Any]) -> str | None:
        parent = description["parent"]
        domain_id = self.domains[description["domain"]]
        parent_id: str | None = domain_id
        if parent is not None:
            parent_id = self.projects[parent + 1]
            if parent_id is None:
                return None
            domain_id = self.apis.resource_api.get_project(parent_id)["domain_id"]
        project = {
            "id": uuid.uuid4().hex,
            "name": f"project-{index}",
            "domain_id": domain_id,
            "parent_id": parent_id,
            "enabled": True,
            "is_domain": False,
        }
        return self._new("project", self.apis.resource_api.create_project, project["id"], project)

    def _make_user(self, index: int, description: dict[str, Any]) -> str | None:
        user: dict[str, Any] = {
            "name": f"user-{index}",
            "domain_id": self.domains[description["domain"]],
            "enabled": True,
        }
        if description["password"]:
            user["password"] = SECRET
        return self._new("user", self.apis.identity_api.create_user, user)

    def _make_group(self, index: int, description: dict[str, Any]) -> str | None:
        group = {"name": f"group-{index}", "domain_id": self.domains[description["domain"]]}
        group_id = self._new("group", self.apis.identity_api.create_group, group)
        for member in description["members"]:
            self._try(self.apis.identity_api.add_user_to_group, self.users[member], group_id)
        return group_id

    def _make_provider(self, world: dict[str, Any]) -> str:
        provider_id = f"provider-{self.name}"
        federation = self.apis.federation_api
        federation.create_idp(
            provider_id,
            {
                "domain_id": self.domains[0],
                "enabled": True,
                "authorization_ttl": world["membership_minutes"],
            },
        )
        federation.create_mapping(provider_id, {"rules": []})
        federation.create_protocol(provider_id, "mapped", {"mapping_id": provider_id})
        return provider_id

    def _make_federated(self, index: int, description: dict[str, Any]) -> str:
        user = {
            "id": f"federated-{index}",
            "name": f"federated-{index}",
            "email": None,
            "domain": {"id": self.domains[0]},
        }
        groups = [self.groups[each] for each in description["memberships"]]
        made = self.apis.identity_api.shadow_federated_user(
            self.provider, "mapped", user, group_ids=[each for each in groups if each]
        )
        return str(made["id"])

    def _target(self, kind: str, index: int) -> dict[str, str | None]:
        target = self.domains[index] if kind == "domain" else self.projects[index]
        return {f"{kind}_id": target}

    def _grant(
        self, kind: str, actor: int, target_kind: str, target: int, role: int, *flags: bool
    ) -> None:
        [inherited] = flags
        grant: dict[str, Any] = {f"{kind}_id": self._actor(kind, actor)}
        if target_kind == "domain as project":
            grant["project_id"] = self.domains[target]
        else:
            grant.update(self._target(target_kind, target))
        if None in grant.values():
            return
        self._try(
            self.apis.assignment_api.create_grant,
            self.roles[role],
            inherited_to_projects=inherited,
            **grant,
        )

    def _role_refs(self, roles: list[int]) -> list[dict[str, str | None]]:
        return [{"id": self.roles[each]} for each in roles if self.roles[each] is not None]

    def _make_trust(self, description: dict[str, Any]) -> str | None:
        parent = description["from"]
        trust: dict[str, Any] = {
            "id": uuid.uuid4().hex,
            "trustor_user_id": self._actor("user", description["trustor"]),
            "trustee_user_id": self._actor("user", description["trustee"]),
            "project_id": self.projects[description["project"]],
            "impersonation": description["impersonation"],
            "expires_at": None,
            "allow_redelegation": description["redelegation_count"] > 0,
            "redelegation_count": description["redelegation_count"],
            "remaining_uses": description["uses"],
            "roles": self._role_refs(description["roles"]),
        }
        if description["expires"]:
            trust["expires_at"] = _utc_now() + datetime.timedelta(hours=description["expires"])
        redelegated = None
        if parent is not None and parent < len(self.trusts) and self.trusts[parent] is not None:
            redelegated = self.builder.attempt(
                lambda: self.apis.trust_api.get_trust(self.trusts[parent])
            )
        if None in (trust["trustor_user_id"], trust["trustee_user_id"], trust["project_id"]):
            return None
        return self._new(
            "trust",
            lambda trust_id: self.apis.trust_api.create_trust(
                trust_id, trust, trust["roles"], redelegated
            ),
            trust["id"],
        )

    def _make_credential(self, index: int, description: dict[str, Any]) -> str | None:
        credential: dict[str, Any] = {
            "id": uuid.uuid4().hex,
            "name": f"credential-{index}",
            "secret": SECRET,
            "user_id": self.users[description["user"]],
            "project_id": self.projects[description["project"]],
            "unrestricted": description["unrestricted"],
            "roles": self._role_refs(description["roles"]),
            "expires_at": None,
        }
        if description["rules"]:
            credential["access_rules"] = [
                {"id": uuid.uuid4().hex, "service": "compute", "path": path, "method": "GET"}
                for path in description["rules"]
            ]
        if None in (credential["user_id"], credential["project_id"]):
            return None
        create = self.apis.application_credential_api.create_application_credential
        return self._new("credential", create, credential)

    def _make_access_token(self, description: dict[str, Any]) -> str | None:
        user_id = self.users[description["user"]]
        project_id = self.projects[description["project"]]
        if None in (user_id, project_id):
            return None
        api = self.apis.oauth_api
        consumer = api.create_consumer({"id": uuid.uuid4().hex, "description": "consumer"})
        request = api.create_request_token(consumer["id"], project_id, 3600)
        roles = [each["id"] for each in self._role_refs(description["roles"])]
        api.authorize_request_token(request["id"], user_id, roles)
        return str(api.create_access_token(request["id"], 3600)["id"])

    # --- the catalog, which all worlds share: what one adds is taken away with the next

    def _make_catalog(self, description: dict[str, Any]) -> None:
        api = self.apis.catalog_api
        services = [each["id"] for each in api.list_services() if each.get("of_a_world")]
        for endpoint in api.list_endpoints():
            # Not with its service: Keystone would fail at the endpoint filters that name it.
            if endpoint["service_id"] in services:
                api.delete_endpoint(endpoint["id"])
        for service_id in services:
            api.delete_service(service_id)
        for provider in self.apis.federation_api.list_sps():
            self.apis.federation_api.delete_sp(provider["id"])
        endpoints: list[str] = []
        for service in description["services"]:
            service_id = uuid.uuid4().hex
            members = {"id": service_id, "type": service["type"], "of_a_world": True}
            if service["name"] is not None:
                members["name"] = service["name"]
            api.create_service(service_id, {**members, "enabled": service["enabled"]})
            for endpoint in service["endpoints"]:
                endpoint_id = uuid.uuid4().hex
                api.create_endpoint(
                    endpoint_id,
                    {
                        "id": endpoint_id,
                        "service_id": service_id,
                        "region_id": "RegionOne" if endpoint["region"] else None,
                        "interface": endpoint["interface"],
                        "url": endpoint["url"],
                        "enabled": endpoint["enabled"],
                        **({"name": "called"} if endpoint["extra"] else {}),
                    },
                )
                endpoints.append(endpoint_id)
        for project, endpoint in description["project_endpoints"]:
            if endpoint < len(endpoints):
                self._try(api.add_endpoint_to_project, endpoints[endpoint], self.projects[project])
        for project, filters in description["project_groups"]:
            group_id = uuid.uuid4().hex
            api.create_endpoint_group(
                group_id, {"id": group_id, "name": group_id, "filters": filters}
            )
            self._try(api.add_endpoint_group_to_project, group_id, self.projects[project])
        for index, enabled in enumerate(description["service_providers"]):
            self.apis.federation_api.create_sp(
                f"sp-{self.name}-{index}",
                {
                    "auth_url": "https://there.example/v3/auth",
                    "sp_url": "https://there.example/sp",
                    "enabled": enabled,
                    "relay_state_prefix": "ss:mem:",
                },
            )

    # --- tokens

    def sign(self, description: dict[str, Any]) -> str:
        """Sign a token with the key of this Keystone, by its own formatter."""
        kind, index = description["scope"]
        claims: dict[str, Any] = {"system": "all"} if kind == "system" else {}
        if kind == "project":
            claims["project_id"] = self.projects[index]
        elif kind == "domain as project":
            claims["project_id"] = self.domains[index]
        elif kind == "domain":
            claims["domain_id"] = self.domains[index]
        user = self._actor("user", description["user"])
        methods = ["password"]
        if description["trust"] is not None:
            claims["trust_id"] = self.trusts[description["trust"]]
        if description["credential"] is not None:
            methods = ["application_credential"]
            claims["app_cred_id"] = self.credentials[description["credential"]]
        if description["access_token"] is not None:
            methods = ["oauth1"]
            claims["access_token_id"] = self.access_tokens[description["access_token"]]
        if description["groups"] is not None and self.provider is not None:
            methods = ["mapped"]
            claims["federated_group_ids"] = [
                {"id": self.groups[each]} for each in description["groups"] if self.groups[each]
            ]
            claims["identity_provider_id"] = self.provider
            claims["protocol_id"] = "mapped"
        if description["thumbprint"]:
            claims["thumbprint"] = "dGh1bWJwcmludA"
        from keystone.token import provider as token_provider

        expires_at = token_provider.utils.isotime(
            token_provider.default_expire_time(), subsecond=True
        )
        audit_ids = [token_provider.random_urlsafe_str() for _ in range(description["audit_ids"])]
        formatter = self.apis.token_provider_api.driver.token_formatter
        token, _ = formatter.create_token(
            user or uuid.uuid4().hex, expires_at, audit_ids, methods, **claims
        )
        return str(token)

    # --- what happens after the tokens were issued

    def change(self, what: str, index: int, *more: Any) -> None:
        """Change the world, unless Keystone refuses to."""
        everyone = [*self.users, *self.federated]
        resource, identity = self.apis.resource_api, self.apis.identity_api
        enabled = {"enabled": what == "enable user"}
        if what in ("disable user", "enable user"):
            self._try(identity.update_user, everyone[index], enabled)
        elif what == "delete user":
            self._try(identity.delete_user, everyone[index])
        elif what == "disable project":
            self._try(resource.update_project, self.projects[index + 1], enabled)
        elif what == "delete project":
            self._try(resource.delete_project, self.projects[index + 1])
        elif what == "disable domain":
            self._try(resource.update_domain, self.domains[index], enabled)
        elif what == "delete role":
            self._try(self.apis.role_api.delete_role, self.roles[index])
        elif what == "delete group":
            self._try(identity.delete_group, self.groups[index])
        elif what == "leave group":
            self._try(identity.remove_user_from_group, self.users[more[0]], self.groups[index])
        elif what == "stop implying":
            prior, implied = self.roles[index], self.roles[more[0]]
            self._try(self.apis.role_api.delete_implied_role, prior, implied)
        elif what == "delete trust":
            self._try(self.apis.trust_api.delete_trust, self.trusts[index])
        elif what == "use trust":
            self._try(self.apis.trust_api.consume_use, self.trusts[index])
        elif what == "delete credential":
            api = self.apis.application_credential_api
            self._try(api.delete_application_credential, self.credentials[index])
        elif what == "delete provider":
            self._try(self.apis.federation_api.delete_idp, self.provider)
        elif what == "revoke grant":
            self._revoke(*more)
        else:
            raise AssertionError(what)

    def _revoke(
        self, kind: str, actor: int, target_kind: str, target: int, role: int, *flags: bool
    ) -> None:
        [inherited] = flags
        grant = {f"{kind}_id": self._actor(kind, actor)}
        if target_kind == "domain as project":
            return
        grant.update(self._target(target_kind, target))
        if None in grant.values():
            return
        self._try(
            self.apis.assignment_api.delete_grant,
            self.roles[role],
            inherited_to_projects=inherited,
            **grant,
        )


def _utc_now() -> datetime.datetime:
    # Keystone's managers take times without a zone.
    return datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
