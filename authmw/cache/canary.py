"""An entry by which services notice that they share a memcached server, and not its entries.

The names of entries depend on secret and sealing, so a service never meets what another one seals
otherwise. The canary's name does not: whoever finds one that can't be opened shares the server with
a service of another `memcache_secret_key` or `memcache_security_strategy`.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Sequence

from authmw.cache.shared import BytesCache, SealedNamespace
from authmw.errors import CacheError

# A secret that was changed is not taken for another service's for longer than this.
LIFETIME_SECONDS = 3600

_CONTENT = b"authmw canary"


class Canary(enum.Enum):
    """What was found under the canary's name."""

    NONE = enum.auto()
    OURS = enum.auto()
    FOREIGN = enum.auto()


def leave_canary(cache: BytesCache, namespaces: Sequence[SealedNamespace], endpoint: str) -> Canary:
    """Look for a canary, and leave ours.

    Args:
        cache: one server.
        namespaces: of this service; see `SharedCache`.
        endpoint: names the identity service; services of another one share nothing anyway.

    Raises:
        CacheError: the cache can't be used.
    """
    key = f"authmw:canary:{hashlib.sha256(endpoint.encode()).hexdigest()[:32]}"
    found = cache.get(key)
    cache.set(key, namespaces[0].seal(key, _CONTENT), LIFETIME_SECONDS)
    if found is None:
        return Canary.NONE
    for namespace in namespaces:
        try:
            if namespace.open(key, found) == _CONTENT:
                return Canary.OURS
        except CacheError:
            continue
    return Canary.FOREIGN
