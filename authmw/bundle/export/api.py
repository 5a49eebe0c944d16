"""Facts read from Keystone's API, for small clouds whose database is out of reach.

Each list is another request, so what changes meanwhile may be read half: this is no consistent
cut. Every user takes three requests, every trust one (doc/bundles.rst has what that costs).
The API does not say when a user will count as inactive, nor which identity provider gave an
expiring membership.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import quote

from authmw.bundle.export.api_client import ApiClient, Item
from authmw.bundle.export.directory_users import (
    GROUP_MEMBERS,
    USER_MEMBERS,
    make_group,
    make_user,
)
from authmw.bundle.facts import Table
from authmw.bundle.keystone_configuration import Configuration
from authmw.bundle.packing import Row, pack_rows, parse_time
from authmw.errors import BundleUnreadable

_INTERFACES_AND_URLS = ("id", "service_id", "interface", "region_id", "region", "url", "enabled")


class ApiFacts:
    """The facts that the API shows; a `FactsSource`.

    Args:
        client: with credentials that may list everything: an administrator's.
        configuration: what Keystone's configuration file says.
    """

    def __init__(self, client: ApiClient, configuration: Configuration) -> None:
        self._client = client
        self._configuration = configuration
        self.read_at = int(time.time())
        self._tables: Mapping[str, Callable[[], Iterator[Row]]] = {
            "projects": self._projects,
            "users": lambda: map(make_user, self._users()),
            "groups": self._groups,
            "memberships": self._memberships,
            "expiring_memberships": self._expiring_memberships,
            "roles": self._roles,
            "implied_roles": self._implied_roles,
            "assignments": self._assignments,
            "system_assignments": self._system_assignments,
            "trusts": self._trusts,
            "trust_roles": self._trust_roles,
            "application_credentials": self._credentials,
            "application_credential_roles": self._credential_roles,
            "application_credential_access_rules": self._credential_rules,
            "access_tokens": self._access_tokens,
            "access_token_roles": self._access_token_roles,
            "services": self._services,
            "endpoints": self._endpoints,
            "project_endpoints": self._project_endpoints,
            "endpoint_groups": self._endpoint_groups,
            "project_endpoint_groups": self._project_endpoint_groups,
            "identity_providers": self._identity_providers,
            "federation_protocols": self._protocols,
            "service_providers": self._service_providers,
            "revocation_events": self._events,
            "settings": lambda: iter(self._configuration.settings.items()),
        }

    def rows(self, table: Table) -> Iterator[Row]:
        """Yield the rows of one table, packed."""
        return pack_rows(table, self._checked(table))

    def _checked(self, table: Table) -> Iterator[Row]:
        try:
            yield from self._tables[table.name]()
        except (KeyError, TypeError, ValueError) as error:
            raise BundleUnreadable(
                f"{table.name!r}: the API's answer can't be read: {error!r}"
            ) from error

    # --- projects, users, groups

    def _domains(self) -> list[Item]:
        return self._client.list_all("/domains", "domains", ("id", "name", "enabled"))

    def _projects(self) -> Iterator[Row]:
        for each in self._domains():
            yield each["id"], each["name"], None, None, each["enabled"], True
        members = ("id", "name", "domain_id", "parent_id", "enabled")
        for each in self._client.list_all("/projects", "projects", members):
            yield (
                each["id"],
                each["name"],
                each["domain_id"],
                each["parent_id"],
                each["enabled"],
                False,
            )

    def _of_each_domain(self, name: str, members: tuple[str, ...] | None) -> Iterator[Item]:
        for domain in self._domains():
            path = f"/{name}?domain_id={_quote(domain['id'])}"
            yield from self._client.list_all(path, name, members)

    def _users(self) -> Iterator[Item]:
        return self._of_each_domain("users", USER_MEMBERS)

    def _groups(self) -> Iterator[Row]:
        return map(make_group, self._of_each_domain("groups", GROUP_MEMBERS))

    def _groups_of_users(self) -> Iterator[tuple[str, str, str | None]]:
        for user_id, path in self._paths_of_users():
            members = ("id", "membership_expires_at")
            for group in self._client.list_all(f"{path}/groups", "groups", members):
                yield user_id, group["id"], group.get("membership_expires_at")

    def _memberships(self) -> Iterator[Row]:
        return (row[:2] for row in self._groups_of_users() if row[2] is None)

    def _expiring_memberships(self) -> Iterator[Row]:
        for user_id, group_id, expires_at in self._groups_of_users():
            if expires_at is not None:
                yield user_id, group_id, "", parse_time(expires_at)

    def _paths_of_users(self) -> Iterator[tuple[str, str]]:
        for user in self._users():
            yield user["id"], f"/users/{_quote(user['id'])}"

    # --- roles and assignments

    def _roles(self) -> Iterator[Row]:
        listed = self._client.list_all("/roles", "roles")
        for role in [*listed, *self._of_each_domain("roles", None)]:
            extra = {
                name: value
                for name, value in role.items()
                if name not in ("id", "name", "domain_id")
            }
            yield role["id"], role["name"], role.get("domain_id"), extra

    def _implied_roles(self) -> Iterator[Row]:
        members = ("prior_role", "implies")
        for each in self._client.list_all("/role_inferences", "role_inferences", members):
            for implied in each["implies"]:
                yield each["prior_role"]["id"], implied["id"]

    def _listed_assignments(self) -> list[Item]:
        members = ("role", "user", "group", "scope")
        return self._client.list_all("/role_assignments", "role_assignments", members)

    def _assignments(self) -> Iterator[Row]:
        for each in self._listed_assignments():
            scope = each["scope"]
            if "system" in scope:
                continue
            is_group, is_domain = "group" in each, "domain" in scope
            yield (
                scope["domain" if is_domain else "project"]["id"],
                "OS-INHERIT:inherited_to" in scope,
                each["group" if is_group else "user"]["id"],
                is_group,
                is_domain,
                each["role"]["id"],
            )

    def _system_assignments(self) -> Iterator[Row]:
        for each in self._listed_assignments():
            if "system" in each["scope"]:
                is_group = "group" in each
                yield each["group" if is_group else "user"]["id"], is_group, each["role"]["id"]

    # --- delegations

    def _listed_trusts(self) -> list[Item]:
        members = (
            "id",
            "trustor_user_id",
            "trustee_user_id",
            "project_id",
            "impersonation",
            "expires_at",
            "remaining_uses",
            "redelegated_trust_id",
            "redelegation_count",
        )
        return self._client.list_all("/OS-TRUST/trusts", "trusts", members)

    def _trusts(self) -> Iterator[Row]:
        for each in self._listed_trusts():
            yield (
                each["id"],
                each["trustor_user_id"],
                each["trustee_user_id"],
                each["project_id"],
                each["impersonation"],
                parse_time(each["expires_at"]),
                each["remaining_uses"],
                each.get("redelegated_trust_id"),
                each.get("redelegation_count"),
            )

    def _trust_roles(self) -> Iterator[Row]:
        for trust in self._listed_trusts():
            path = f"/OS-TRUST/trusts/{_quote(trust['id'])}/roles"
            for role in self._client.list_all(path, "roles", ("id",)):
                yield trust["id"], role["id"]

    def _listed_credentials(self) -> Iterator[tuple[str, Item]]:
        members = (
            "id",
            "name",
            "project_id",
            "unrestricted",
            "expires_at",
            "roles",
            "access_rules",
        )
        for user_id, path in self._paths_of_users():
            for each in self._client.list_all(
                f"{path}/application_credentials", "application_credentials", members
            ):
                yield user_id, each

    def _credentials(self) -> Iterator[Row]:
        for user_id, each in self._listed_credentials():
            yield (
                each["id"],
                each["name"],
                user_id,
                each["project_id"],
                each["unrestricted"],
                parse_time(each["expires_at"]),
            )

    def _credential_roles(self) -> Iterator[Row]:
        for _, each in self._listed_credentials():
            for role in each["roles"]:
                yield each["id"], role["id"]

    def _credential_rules(self) -> Iterator[Row]:
        for _, each in self._listed_credentials():
            for rule in each.get("access_rules") or ():
                yield each["id"], rule["id"], rule["service"], rule["path"], rule["method"]

    def _listed_access_tokens(self) -> Iterator[tuple[str, Item]]:
        members = ("id", "consumer_id", "authorizing_user_id", "project_id")
        for _, path in self._paths_of_users():
            path += "/OS-OAUTH1/access_tokens"
            for each in self._client.list_all(path, "access_tokens", members):
                yield f"{path}/{_quote(each['id'])}/roles", each

    def _access_tokens(self) -> Iterator[Row]:
        for _, each in self._listed_access_tokens():
            yield each["id"], each["consumer_id"], each["authorizing_user_id"], each["project_id"]

    def _access_token_roles(self) -> Iterator[Row]:
        for path, each in self._listed_access_tokens():
            for role in self._client.list_all(path, "roles", ("id",)):
                yield each["id"], role["id"]

    # --- catalog and federation

    def _services(self) -> Iterator[Row]:
        members = ("id", "type", "name", "enabled")
        for each in self._client.list_all("/services", "services", members):
            yield each["id"], each.get("type"), each.get("name", ""), each["enabled"]

    def _listed_endpoints(self) -> list[Item]:
        return self._client.list_all("/endpoints", "endpoints")

    def _endpoints(self) -> Iterator[Row]:
        for each in self._listed_endpoints():
            extra = {
                name: value for name, value in each.items() if name not in _INTERFACES_AND_URLS
            }
            yield (
                each["id"],
                each["service_id"],
                each["interface"],
                each["region_id"],
                each["url"],
                each["enabled"],
                extra,
            )

    def _project_endpoints(self) -> Iterator[Row]:
        for each in self._listed_endpoints():
            path = f"/OS-EP-FILTER/endpoints/{_quote(each['id'])}/projects"
            for project in self._client.list_all(path, "projects", ("id",)):
                yield project["id"], each["id"]

    def _listed_endpoint_groups(self) -> list[Item]:
        path = "/OS-EP-FILTER/endpoint_groups"
        return self._client.list_all(path, "endpoint_groups", ("id", "filters"))

    def _endpoint_groups(self) -> Iterator[Row]:
        return ((each["id"], each["filters"]) for each in self._listed_endpoint_groups())

    def _project_endpoint_groups(self) -> Iterator[Row]:
        for each in self._listed_endpoint_groups():
            path = f"/OS-EP-FILTER/endpoint_groups/{_quote(each['id'])}/projects"
            for project in self._client.list_all(path, "projects", ("id",)):
                yield project["id"], each["id"]

    def _listed_providers(self) -> list[Item]:
        path = "/OS-FEDERATION/identity_providers"
        return self._client.list_all(path, "identity_providers", ("id", "domain_id", "enabled"))

    def _identity_providers(self) -> Iterator[Row]:
        for each in self._listed_providers():
            yield each["id"], each["domain_id"], each["enabled"]

    def _protocols(self) -> Iterator[Row]:
        for each in self._listed_providers():
            path = f"/OS-FEDERATION/identity_providers/{_quote(each['id'])}/protocols"
            for protocol in self._client.list_all(path, "protocols", ("id",)):
                yield each["id"], protocol["id"]

    def _service_providers(self) -> Iterator[Row]:
        path = "/OS-FEDERATION/service_providers"
        members = ("id", "auth_url", "sp_url", "enabled")
        for each in self._client.list_all(path, "service_providers", members):
            yield each["id"], each["auth_url"], each["sp_url"], each["enabled"]

    def _events(self) -> Iterator[Row]:
        seen = set()
        for event in self._client.list_all("/OS-REVOKE/events", "events"):
            row = (parse_time(event["revoked_at"]), event)
            name = repr(sorted(event.items()))
            if name not in seen:
                seen.add(name)
                yield row


def _quote(identifier: str) -> str:
    return quote(identifier, safe="")
