"""The service catalog of a token: endpoints, their URLs for one project, endpoint filters.

Identity API v3, "Service catalog and endpoints"; OS-EP-FILTER.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from authmw.bundle.facts import unpack_id
from authmw.bundle.records import Endpoint, EndpointFilter, Id, Service

# `$(project_id)s` or `%(project_id)s`. A percent sign is doubled; any other one makes the URL
# unusable.
_PLACE = re.compile(r"[$%]\((\w+)\)s|%%|%|\$\(")

# Names that stand for the project; without one, endpoints that name it are left out.
_OF_THE_PROJECT = ("tenant_id", "project_id")


class SiteCatalog:
    """The services and endpoints of a site, from which the catalogs of tokens are made.

    What is the same for all tokens is rendered once. Catalogs share it: don't change one.

    Args:
        services: those that are enabled.
        endpoints: all.
        groups: the filters of endpoint groups, by id.
        settings: see `authmw.bundle.facts.SETTINGS`.
    """

    def __init__(
        self,
        services: Sequence[Service],
        endpoints: Sequence[Endpoint],
        groups: Mapping[Id, Mapping[str, Any]],
        settings: Mapping[str, Any],
    ) -> None:
        self._services = services
        self._endpoints = endpoints
        self._groups = groups
        self._substitutions: Mapping[str, str] = settings.get("url_substitutions", {})
        self._is_whole = settings.get("return_all_endpoints_if_no_filter", True)
        self._is_of_regions = "regions" in settings.get("filter", {})
        of_services: dict[Id, list[_Shown]] = {each.id: [] for each in services}
        for endpoint in endpoints:
            url = parse_url(endpoint.url)
            if endpoint.enabled and url and endpoint.service_id in of_services:
                shown = _Shown(endpoint.id, _render(endpoint, endpoint.url), *url)
                of_services[endpoint.service_id].append(shown)
        self._of_services = list(of_services.values())
        # A service is the same for all tokens if none of its URLs names anything.
        self._same: list[dict[str, Any]] = []
        self._others: list[tuple[int, Service, list[_Shown]]] = []
        nothing = _Values({})
        for place, (service, shown_) in enumerate(zip(services, self._of_services, strict=True)):
            self._same.append(_render_service(service, shown_, nothing))
            if any(each.names for each in shown_):
                self._others.append((place, service, shown_))

    def of_token(
        self, user_id: str, project_id: str | None, limits: EndpointFilter | None
    ) -> list[dict[str, Any]]:
        """Return the catalog of one user's token.

        Args:
            user_id: as in the URLs: in a trust, the trustor.
            project_id: None: the token has another scope; endpoints of projects are left out.
            limits: the endpoint filter of the project.
        """
        chosen = None if limits is None else self._choose(limits)
        if chosen is None and not self._is_whole:
            return []
        if chosen is None and not self._others:
            return self._same
        substitutions = {**self._substitutions, "user_id": user_id}
        if project_id is not None:
            for name in _OF_THE_PROJECT:
                substitutions[name] = project_id
        values = _Values(substitutions)
        if chosen is None:
            catalog = self._same.copy()
            for place, service, shown in self._others:
                catalog[place] = _render_service(service, shown, values)
            return catalog
        rendered = [
            _render_service(service, [each for each in shown if each.id in chosen], values)
            for service, shown in zip(self._services, self._of_services, strict=True)
        ]
        # A service without endpoints is shown, unless the catalog is filtered.
        return [each for each in rendered if each["endpoints"]]

    def _choose(self, limits: EndpointFilter) -> frozenset[Id] | None:
        """Return the endpoints that a project's catalog is limited to; none: it is not limited."""
        if not limits.endpoint_ids and not limits.group_ids:
            return None
        groups = [self._groups.get(each) for each in limits.group_ids]
        filters = [each for each in groups if each is not None]
        if len(filters) < len(groups):
            # One group that is not there turns off all of them.
            filters = []
        chosen = frozenset(
            endpoint.id
            for endpoint in self._endpoints
            if endpoint.id in limits.endpoint_ids
            or any(_has_members(endpoint, each) for each in filters)
        )
        # A filter that chooses no endpoint at all limits nothing. In a bundle of some regions it
        # may choose endpoints of others.
        return chosen if chosen or self._is_of_regions else None


def _has_members(endpoint: Endpoint, wanted: Mapping[str, Any]) -> bool:
    members = _render(endpoint, endpoint.url)
    members["service_id"] = unpack_id(endpoint.service_id)
    members["enabled"] = endpoint.enabled
    return wanted.items() <= members.items()


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


class UrlTemplate(NamedTuple):
    """The URL of an endpoint, parsed.

    Attributes:
        form: a format string, with `%s` for each name.
        names: what stands in it.
    """

    form: str
    names: tuple[str, ...]


class _Shown(NamedTuple):
    """An endpoint that is enabled; `members` has its URL as it is, `form` and `names` parsed."""

    id: Id
    members: dict[str, Any]
    form: str
    names: tuple[str, ...]


class _Values(dict[tuple[str, ...], tuple[str, ...] | None]):
    """What stands for the names in URLs, found once; None: nothing does for one of them."""

    def __init__(self, substitutions: Mapping[str, str]) -> None:
        self._substitutions = substitutions

    def __missing__(self, names: tuple[str, ...]) -> tuple[str, ...] | None:
        try:
            values = tuple([self._substitutions[name] for name in names])
        except KeyError:
            values = None
        self[names] = values
        return values


def _render_service(service: Service, shown: Iterable[_Shown], values: _Values) -> dict[str, Any]:
    endpoints = []
    for _, members, form, names in shown:
        found = values[names]
        url = None if found is None else form % found
        if url:
            rendered = members.copy()
            rendered["url"] = url
            endpoints.append(rendered)
    return {
        "endpoints": endpoints,
        "id": unpack_id(service.id),
        "type": service.type,
        "name": service.name,
    }


def parse_url(template: str) -> UrlTemplate | None:
    """Parse the URL of an endpoint; None if no URL can be made of it."""
    parts: list[str] = []
    names: list[str] = []
    end = 0
    for place in _PLACE.finditer(template):
        if place[1] is None and place[0] != "%%":
            return None
        parts.append(template[end : place.start()])
        if place[1] is None:
            parts.append("%%")
        else:
            parts.append("%s")
            names.append(place[1])
        end = place.end()
    return UrlTemplate("".join([*parts, template[end:]]), tuple(names))
