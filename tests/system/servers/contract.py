"""What a service must be told about a token, worked out from what Keystone says of it.

Written from the contract, not from `authmw.token.headers`: this is what that is measured by.
"""

from __future__ import annotations

from typing import Any

Body = dict[str, Any]


def sort_roles(headers: dict[str, str]) -> dict[str, str]:
    """Return headers with role names in order: Keystone lists them in another one each time."""
    return {
        key: ",".join(sorted(value.split(",")))
        if key.endswith(("_ROLES", "_ROLE")) and value
        else value
        for key, value in headers.items()
    }


def sort_role_assignments(info: Any) -> Any:
    """Return a copy of `keystone.token_info` with its roles in order."""
    if info is None or "roles" not in info["token"]:
        return info
    roles = sorted(info["token"]["roles"], key=lambda role: role["id"])
    return {**info, "token": {**info["token"], "roles": roles}}


def expected_headers(body: Body) -> dict[str, str]:
    """Return the identity headers of a user token, but for X-Service-Catalog.

    Args:
        body: the object under "token" in the answer of GET /v3/auth/tokens.
    """
    headers = {f"HTTP_X_{name}": value for name, value in _identity(body).items()}
    headers["HTTP_X_IS_ADMIN_PROJECT"] = str(body.get("is_admin_project", True))
    headers |= {"HTTP_X_USER": body["user"]["name"], "HTTP_X_ROLE": headers["HTTP_X_ROLES"]}
    if "project" in body:
        headers["HTTP_X_TENANT_ID"] = body["project"]["id"]
        headers["HTTP_X_TENANT_NAME"] = headers["HTTP_X_TENANT"] = body["project"]["name"]
    if "system" in body:
        headers["HTTP_OPENSTACK_SYSTEM_SCOPE"] = "all"
    return headers


def expected_service_headers(body: Body) -> dict[str, str]:
    """Return the identity headers of a service token."""
    return {f"HTTP_X_SERVICE_{name}": value for name, value in _identity(body).items()}


def expected_catalog(body: Body) -> list[dict[str, Any]]:
    """Return what X-Service-Catalog holds as JSON: the catalog in version 2's shape."""
    catalog = []
    for service in body["catalog"]:
        regions: dict[str, dict[str, str]] = {}
        for endpoint in service["endpoints"]:
            region = regions.setdefault(endpoint["region"], {"region": endpoint["region"]})
            region[endpoint["interface"] + "URL"] = endpoint["url"]
        catalog.append(
            {
                "type": service["type"],
                "name": service["name"],
                "endpoints": list(regions.values()),
            }
        )
    return catalog


def _identity(body: Body) -> dict[str, str]:
    said = {
        "IDENTITY_STATUS": "Confirmed",
        "USER_ID": body["user"]["id"],
        "USER_NAME": body["user"]["name"],
        "USER_DOMAIN_ID": body["user"]["domain"]["id"],
        "USER_DOMAIN_NAME": body["user"]["domain"]["name"],
        "ROLES": ",".join(sorted(role["name"] for role in body.get("roles", []))),
    }
    if "project" in body:
        said |= {
            "PROJECT_ID": body["project"]["id"],
            "PROJECT_NAME": body["project"]["name"],
            "PROJECT_DOMAIN_ID": body["project"]["domain"]["id"],
            "PROJECT_DOMAIN_NAME": body["project"]["domain"]["name"],
        }
    if "domain" in body:
        said |= {"DOMAIN_ID": body["domain"]["id"], "DOMAIN_NAME": body["domain"]["name"]}
    return said
