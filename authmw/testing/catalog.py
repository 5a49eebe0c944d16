"""Service catalogs of any size, in the shape of the Identity API v3."""

from __future__ import annotations

from collections.abc import Callable

from authmw.testing.directory import make_id

_INTERFACES = ("public", "internal", "admin")
_REGIONS = ("one", "two", "three")
_PLACES = tuple((region, interface) for region in _REGIONS for interface in _INTERFACES)
_SERVICE_TYPES = ("compute", "image", "network", "block-storage", "object-store", "orchestration")


def make_catalog(
    identity_url: str, endpoint_count: int, project_id: str | None
) -> list[dict[str, object]]:
    """Return a catalog: the identity service, and `endpoint_count` endpoints of others.

    A service has up to nine endpoints: three interfaces in each of three regions. 450 of them
    make a token body of some 93 KB. Their URLs name the project, as many real ones do.
    """
    path = f"/v3/{project_id}" if project_id else "/v3"
    services = [_make_service("identity", len(_INTERFACES), lambda *_place: identity_url)]
    for first in range(0, endpoint_count, len(_PLACES)):
        repetition, place = divmod(first // len(_PLACES), len(_SERVICE_TYPES))
        service_type = _SERVICE_TYPES[place] + (f"-{repetition}" if repetition else "")
        template = f"https://{service_type}.{{}}.{{}}.example.org{path}"
        count = min(len(_PLACES), endpoint_count - first)
        services.append(_make_service(service_type, count, template.format))
    return services


def _make_service(
    service_type: str, endpoint_count: int, url_of: Callable[[str, str], str]
) -> dict[str, object]:
    return {
        "endpoints": [
            {
                "id": make_id("endpoint", f"{service_type}/{region}/{interface}"),
                "interface": interface,
                "region_id": region,
                "url": url_of(region, interface),
                "region": region,
            }
            for region, interface in _PLACES[:endpoint_count]
        ],
        "id": make_id("service", service_type),
        "type": service_type,
        "name": service_type,
    }
