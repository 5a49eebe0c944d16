"""The service catalog of a token: parsed once, shared by all tokens that carry it, read-only.

A catalog is by far the largest part of a token body and the same for every token of a project, so
equal catalogs are one object in a process. Services get it in `keystone.token_info`, where it is
read-only, since all requests share it (`authmw.token.read_only`).
"""

from __future__ import annotations

import json
import weakref
from typing import Any

from authmw.token.read_only import ReadOnlyDict, ReadOnlyList

# Objects made from a JSON text of n bytes take about this many times n bytes of memory.
_MEMORY_PER_JSON_BYTE = 8


def _freeze(members: dict[str, Any]) -> ReadOnlyDict[Any]:
    for name, value in members.items():
        if type(value) is list:
            members[name] = _freeze_list(value)
    return ReadOnlyDict(members)


def _freeze_list(items: list[Any]) -> ReadOnlyList[Any]:
    return ReadOnlyList(_freeze_list(item) if type(item) is list else item for item in items)


class ServiceCatalog:
    """One distinct service catalog.

    Attributes:
        services: the catalog in v3 shape (Identity API v3, "Service catalog"), read-only.
        header: the JSON of X-Service-Catalog, in the v2 shape that services expect there.
        service_types: the type of each service in it.
        size: an estimate of the memory it takes, in bytes.
        text: the JSON it was parsed from.
    """

    __slots__ = (
        "__weakref__",
        "_header_bytes",
        "header",
        "service_types",
        "services",
        "size",
        "text",
    )

    def __init__(self, text: bytes) -> None:
        self.text = text
        parsed = json.loads(text, object_hook=_freeze)
        if type(parsed) is not list or not all(isinstance(item, dict) for item in parsed):
            raise ValueError("a service catalog is a list of objects")
        self.services = _freeze_list(parsed)
        self.header = json.dumps(_to_v2(self.services), separators=(",", ":"))
        self.service_types = frozenset(
            service["type"] for service in self.services if isinstance(service.get("type"), str)
        )
        self.size = len(text) * _MEMORY_PER_JSON_BYTE
        self._header_bytes: bytes | None = None

    @property
    def header_bytes(self) -> bytes:
        """The header in UTF-8; made at first use, for all that have this catalog."""
        if self._header_bytes is None:
            self._header_bytes = self.header.encode()
        return self._header_bytes

    @classmethod
    def from_json(cls, text: bytes) -> ServiceCatalog:
        """Return the catalog of this JSON text: the one already there if a token holds it.

        Raises:
            ValueError: not JSON, or not a list of objects with lists of endpoints.
            RecursionError: nested too deep.
        """
        known = _catalog_by_text.get(text)
        if known is None:
            known = _catalog_by_text.setdefault(text, cls(text))
        return known

    @classmethod
    def from_services(cls, services: object) -> ServiceCatalog:
        """Return the catalog of a parsed v3 catalog; raises as `from_json` does."""
        return cls.from_json(json.dumps(services, separators=(",", ":")).encode())


_catalog_by_text: weakref.WeakValueDictionary[bytes, ServiceCatalog] = weakref.WeakValueDictionary()


def _to_v2(services: list[Any]) -> list[dict[str, Any]]:
    """Convert to the v2 shape: a region's endpoints become one object with a URL each."""
    return [_service_to_v2(service) for service in services]


def _service_to_v2(service: dict[str, Any]) -> dict[str, Any]:
    by_region: dict[str | None, dict[str, Any]] = {}
    endpoints = service.get("endpoints") or []
    if not isinstance(endpoints, list):
        raise ValueError("the endpoints of a service are a list")
    for endpoint in endpoints:
        if not isinstance(endpoint, dict):
            continue
        interface, url, region = (endpoint.get(key) for key in ("interface", "url", "region"))
        if not isinstance(interface, str) or not isinstance(region, str | None):
            continue
        urls = by_region.get(region)
        if urls is None:
            urls = by_region[region] = {"region": region} if region else {}
        urls[interface.lower() + "URL"] = url
    kept: dict[str, Any] = {key: service[key] for key in ("type", "name") if key in service}
    return {**kept, "endpoints": list(by_region.values())}
