"""The service catalog of a token: endpoints, their URLs for one project, endpoint filters.

Identity API v3, "Service catalog and endpoints"; OS-EP-FILTER.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from authmw.bundle.facts import unpack_id
from authmw.bundle.records import Endpoint, FactsReader, Id

# `$(project_id)s` or `%(project_id)s`. A percent sign is doubled; any other one makes the URL
# unusable.
_PLACE = re.compile(r"[$%]\((\w+)\)s|%%|%|\$\(")

# Names that a URL may have substituted, besides those that the settings give.
_OF_THE_PROJECT = frozenset({"tenant_id", "project_id"})


def catalog_of(facts: FactsReader, user_id: str, project_id: Id | None) -> list[dict[str, Any]]:
    """Return the catalog of one user's token.

    Args:
        user_id: as in the URLs: in a trust, the trustor.
        project_id: None: the token has another scope; endpoints of projects are left out.
    """
    substitutions = {**facts.settings.get("url_substitutions", {}), "user_id": user_id}
    chosen: frozenset[Id] = frozenset()
    if project_id is not None:
        project = unpack_id(project_id)
        substitutions |= dict.fromkeys(_OF_THE_PROJECT, project)
        chosen = _filtered(facts, project_id)
    if not chosen and not facts.settings.get("return_all_endpoints_if_no_filter", True):
        return []
    of_services: dict[Id, list[dict[str, Any]]] = {each.id: [] for each in facts.services}
    for endpoint in facts.endpoints:
        members = of_services.get(endpoint.service_id)
        if members is None or not endpoint.enabled or (chosen and endpoint.id not in chosen):
            continue
        url = format_url(endpoint.url, substitutions)
        if url:
            members.append(_render(endpoint, url))
    return [
        {
            "endpoints": of_services[service.id],
            "id": unpack_id(service.id),
            "type": service.type,
            "name": service.name,
        }
        for service in facts.services
        # A service without endpoints is shown, unless the catalog is filtered.
        if of_services[service.id] or not chosen
    ]


def _render(endpoint: Endpoint, url: str) -> dict[str, Any]:
    region_id = None if endpoint.region_id is None else unpack_id(endpoint.region_id)
    return {
        **endpoint.extra,
        "id": unpack_id(endpoint.id),
        "interface": endpoint.interface,
        "region_id": region_id,
        "url": url,
        "region": region_id,
    }


def format_url(template: str, substitutions: Mapping[str, str]) -> str | None:
    """Return the URL of an endpoint; None if it has a name that nothing stands for."""
    if "%" not in template and "$(" not in template:
        return template
    parts: list[str] = []
    end = 0
    for place in _PLACE.finditer(template):
        name = place[1]
        if name is None:
            if place[0] != "%%":
                return None
            value = "%"
        elif name in substitutions:
            value = substitutions[name]
        else:
            return None
        parts += (template[end : place.start()], value)
        end = place.end()
    return "".join([*parts, template[end:]])


def _filtered(facts: FactsReader, project_id: Id) -> frozenset[Id]:
    """Return the endpoints that a project's catalog is limited to; none: it is not limited."""
    limits = facts.endpoint_filter(project_id)
    if not limits.endpoint_ids and not limits.group_ids:
        return frozenset()
    groups = [facts.endpoint_groups.get(each) for each in limits.group_ids]
    filters = [each for each in groups if each is not None]
    if len(filters) < len(groups):
        # One group that is not there turns off all of them.
        filters = []
    return frozenset(
        endpoint.id
        for endpoint in facts.endpoints
        if endpoint.id in limits.endpoint_ids
        or any(_has_members(endpoint, each) for each in filters)
    )


def _has_members(endpoint: Endpoint, wanted: Mapping[str, Any]) -> bool:
    members = _render(endpoint, endpoint.url)
    members["service_id"] = unpack_id(endpoint.service_id)
    members["enabled"] = endpoint.enabled
    return wanted.items() <= members.items()
