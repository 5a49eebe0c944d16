"""Checks each memcached server with the filter's own connections and seals."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import Any

from authmw.build.cache import make_namespaces, name_endpoint
from authmw.cache.canary import Canary, leave_canary
from authmw.cache.memcached.address import parse_address
from authmw.cache.memcached.cache import make_connector, open_memcached
from authmw.cache.shared import MAX_VALUE_BYTES
from authmw.doctor.deployment import Deployment
from authmw.doctor.result import Results, failed, passed, skipped, warned
from authmw.errors import CacheError

_TRIES = 5
# A validation by Keystone takes ten and more; a cache that takes as long saves nothing.
_SLOW_MS = 20.0
# memcached's defaults leave evictions to services that keep much more than tokens.
_MANY_EVICTIONS = 0.05
# An item has a key, a header and a seal beside its value.
_ITEM_OVERHEAD_BYTES = 1024


def check_caches(deployment: Deployment) -> Results[None]:
    """Check each server."""
    settings = deployment.settings
    if settings.cache is not None:
        yield skipped("cache", f"cache = {settings.cache} is in each request's environ, not here")
    if not settings.memcached_servers:
        yield skipped("memcached", "memcached_servers is not set: each process remembers by itself")
        return
    for address in dict.fromkeys(map(parse_address, settings.memcached_servers)):
        yield from _check_server(deployment, str(address))


def _check_server(deployment: Deployment, address: str) -> Results[None]:
    check = f"memcached {address}"
    settings = deployment.settings
    # "unix:" stands before a path already.
    alone = dataclasses.replace(settings, memcached_servers=(address,), memcache_pool_dead_retry=0)
    cache = open_memcached(alone)
    try:
        took = []
        for _ in range(_TRIES):
            began = time.monotonic()
            cache.get("authmw:doctor")
            took.append((time.monotonic() - began) * 1000)
        canary = leave_canary(cache, make_namespaces(settings, ""), name_endpoint(settings))
    except CacheError as error:
        cause = str(error).removeprefix(f"{check}: ").removeprefix(f"{check} ")
        yield failed(check, cause, _find_fix(error, deployment))
        return
    milliseconds = min(took)
    if milliseconds > _SLOW_MS:
        yield warned(
            check,
            f"an answer takes {milliseconds:.0f} ms",
            "name servers in the same network, or look at the load of this one",
        )
    if canary is Canary.FOREIGN:
        yield warned(
            check,
            "another service seals its entries with another memcache_secret_key or "
            "memcache_security_strategy, or this one did within the hour: each validates every "
            "token by itself",
            "write the same secret and strategy for all services that are to share what they know. "
            "If this service's were changed just now, do nothing: this ends within the hour",
        )
    if settings.memcache_sasl_enabled:
        yield passed(check, f"answers in {milliseconds:.1f} ms, stores and returns our entries")
        return
    yield from _check_statistics(deployment, address, check, milliseconds)


def _find_fix(error: CacheError, deployment: Deployment) -> str:
    settings, cause = deployment.settings, error.__cause__
    if isinstance(cause, PermissionError):
        return "correct memcache_username and memcache_password"
    if settings.memcache_tls_enabled and "SSL" in type(cause).__name__:
        return "compare memcache_tls_cafile with the server's certificate, or write the TLS port"
    if isinstance(cause, OSError):
        return (
            "start memcached there, or correct memcached_servers; compare memcache_tls_enabled and "
            "memcache_sasl_enabled with the server's options"
        )
    return (
        "compare memcache_tls_enabled and memcache_sasl_enabled with the server's options, or "
        "correct memcached_servers"
    )


def _check_statistics(
    deployment: Deployment, address: str, check: str, milliseconds: float
) -> Results[None]:
    connection: Any = make_connector(deployment.settings)(parse_address(address))
    try:
        general, limits = _decode(connection.stats()), _decode(connection.stats("settings"))
    except Exception as error:  # noqa: BLE001 - pymemcache may raise anything
        yield passed(
            check,
            f"answers in {milliseconds:.1f} ms; its statistics can't be read "
            f"({type(error).__name__})",
        )
        return
    finally:
        connection.close()
    found = list(_judge(check, general, limits))
    yield from found
    if not found:
        yield passed(
            check,
            f"version {general.get('version', 'unknown')}, answers in {milliseconds:.1f} ms, "
            f"{general.get('curr_items', '?')} items, {general.get('evictions', '?')} evicted",
        )


def _judge(check: str, general: Mapping[str, str], limits: Mapping[str, str]) -> Results[None]:
    largest = _number(limits, "item_size_max")
    if largest and largest < MAX_VALUE_BYTES + _ITEM_OVERHEAD_BYTES:
        yield warned(
            check,
            f"items of more than {largest} bytes don't fit, and a token with a large catalog has "
            f"up to {MAX_VALUE_BYTES}",
            "start memcached with -I 1m, or set include_service_catalog = false if the service "
            "does not read X-Service-Catalog",
        )
    too_large = _number(general, "store_too_large")
    if too_large:
        yield warned(
            check,
            f"{too_large} items were too large to be stored, of whichever service",
            "start memcached with a larger -I",
        )
    evictions, sets = _number(general, "evictions"), _number(general, "cmd_set")
    if sets and evictions > sets * _MANY_EVICTIONS:
        yield warned(
            check,
            f"{evictions} of {sets} items were evicted before their time: its memory is too small",
            "start memcached with more memory (-m)",
        )
    refused = _number(general, "listen_disabled_num")
    if refused:
        yield warned(
            check,
            f"its limit of connections was reached {refused} times",
            "start memcached with a larger -c, or lower memcache_pool_maxsize",
        )


def _decode(found: Mapping[Any, Any]) -> dict[str, str]:
    return {_text(name): _text(value) for name, value in found.items()}


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _number(found: Mapping[str, str], name: str) -> int:
    try:
        return int(found.get(name, "0"))
    except ValueError:
        return 0
