"""The service catalog of a token: parsed once, shared by all tokens that carry it, read-only.

A catalog is by far the largest part of a token body and the same for every token of a
project, so equal catalogs are one object in a process. Services get it inside
`keystone.token_info`, where nobody may change it for somebody else: its lists and dicts
refuse to be changed, while copies (`copy.copy`, `copy.deepcopy`, pickle, JSON) are plain
lists and dicts.
"""

from __future__ import annotations

import copy
import json
import weakref
from collections.abc import Callable
from typing import Any, NoReturn

# Objects made from a JSON text of n bytes take about this many times n bytes of memory.
_MEMORY_PER_JSON_BYTE = 8


def _refuse_change(*_: object, **__: object) -> NoReturn:
    raise TypeError(
        "the service catalog is shared by all requests and read-only; copy.deepcopy() it first"
    )


class ReadOnlyList(list[Any]):
    """A list that refuses to be changed; its copies are plain lists."""

    __slots__ = ("__weakref__",)

    append = extend = insert = remove = reverse = sort = clear = pop = _refuse_change
    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse_change

    def __copy__(self) -> list[Any]:
        return list(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> list[Any]:
        return [copy.deepcopy(item, memo) for item in self]

    def __reduce_ex__(self, protocol: object) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return list, (list(self),)


class ReadOnlyDict(dict[str, Any]):
    """A dict that refuses to be changed; its copies are plain dicts."""

    __slots__ = ()

    update = setdefault = clear = pop = popitem = _refuse_change
    __setitem__ = __delitem__ = __ior__ = _refuse_change

    def __copy__(self) -> dict[str, Any]:
        return dict(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        return {name: copy.deepcopy(value, memo) for name, value in self.items()}

    def __reduce_ex__(self, protocol: object) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return dict, (dict(self),)


def _freeze(members: dict[str, Any]) -> ReadOnlyDict:
    for name, value in members.items():
        if type(value) is list:
            members[name] = _freeze_list(value)
    return ReadOnlyDict(members)


def _freeze_list(items: list[Any]) -> ReadOnlyList:
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

    __slots__ = ("__weakref__", "header", "service_types", "services", "size", "text")

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

    @classmethod
    def from_json(cls, text: bytes) -> ServiceCatalog:
        """Return the catalog of this JSON text: the one already there if a token holds it.

        Raises:
            ValueError: not JSON, or not a list of objects.
            RecursionError: nested too deep.
        """
        known = _in_use.get(text)
        if known is None:
            known = _in_use.setdefault(text, cls(text))
        return known

    @classmethod
    def from_services(cls, services: object) -> ServiceCatalog:
        """Return the catalog of a parsed v3 catalog; raises as `from_json` does."""
        return cls.from_json(json.dumps(services, separators=(",", ":")).encode())


_in_use: weakref.WeakValueDictionary[bytes, ServiceCatalog] = weakref.WeakValueDictionary()


def _to_v2(services: list[Any]) -> list[dict[str, Any]]:
    """Convert to the v2 shape: a region's endpoints become one object with a URL each."""
    return [_service_to_v2(service) for service in services]


def _service_to_v2(service: dict[str, Any]) -> dict[str, Any]:
    by_region: dict[str | None, dict[str, Any]] = {}
    for endpoint in service.get("endpoints") or ():
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
