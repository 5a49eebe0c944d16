"""Checks the catalog that came with our own token: where tokens are validated, and what we are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from authmw.doctor.deployment import Deployment, show
from authmw.doctor.result import Results, passed, skipped, warned

_IDENTITY = "identity"
_CHECK = "identity catalog"
_MOST_TYPES = 20


def check_catalog(deployment: Deployment) -> Results[None]:
    """Tell what the catalog has for us; that it has an identity endpoint is known already."""
    own, endpoint = deployment.own, find_endpoint(deployment)
    if own is None or endpoint is None:
        yield skipped(_CHECK, "the credentials come without a catalog")
        return
    services = _read_services(own)
    yield passed(
        _CHECK,
        f"tokens are validated at {show(endpoint)}; the catalog has "
        f"{_describe_endpoints(services)}",
    )
    yield from _check_service_type(deployment.settings.service_type, services)


def find_endpoint(deployment: Deployment) -> str | None:
    """Return the URL of the identity endpoint that the filter asks, as the catalog has it."""
    own, settings = deployment.own, deployment.settings
    if own is None or not own.has_service_catalog():
        return None
    urls = own.service_catalog.get_urls(
        service_type=_IDENTITY, interface=settings.interface, region_name=settings.region_name
    )
    return next((url for url in urls if url), None)


def _read_services(own: Any) -> list[Mapping[str, Any]]:
    if not own.has_service_catalog():
        return []
    return [one for one in own.service_catalog.normalize_catalog() if one.get("endpoints")]


def _describe_endpoints(services: Iterable[Mapping[str, Any]]) -> str:
    found = {
        f"{endpoint.get('interface')} in {endpoint.get('region_name') or 'no region'}": None
        for service in services
        if service.get("type") == _IDENTITY
        for endpoint in service["endpoints"]
    }
    return ", ".join(found)


def _check_service_type(
    service_type: str | None, services: Iterable[Mapping[str, Any]]
) -> Results[None]:
    check = "service_type"
    if service_type is None:
        yield skipped(check, "unset: application credentials with access rules are refused")
        return
    types = sorted({str(service.get("type")) for service in services})
    if service_type in types:
        yield passed(check, f"{service_type} is in the catalog")
        return
    yield warned(
        check,
        f"service_type = {service_type} is not in the catalog, which has "
        f"{', '.join(types[:_MOST_TYPES])}; application credentials with access rules are refused",
        "write this service's type as the catalog has it, or create the service there",
    )
