"""The shared cache of one filter, put together from its configuration."""

from __future__ import annotations

from authmw.cache.environ import EnvironCache
from authmw.cache.keys import KeyMaker
from authmw.cache.memcached import open_memcached
from authmw.cache.sealing import EncryptSealing, MacSealing, NoSealing, Sealing
from authmw.cache.secret import Secret
from authmw.cache.shared import BytesCache, SharedCache, Shelf
from authmw.config.settings import SecurityStrategy, Settings


def open_shared_cache(settings: Settings, endpoint: str) -> SharedCache | None:
    """Return the cache that the configuration asks for; None: it asks for none.

    Args:
        settings: of the filter.
        endpoint: which identity service is asked; see `KeyMaker`.

    Nothing is sent yet. Raises ConfigurationError where the options can't be followed.
    """
    cache: BytesCache | None = None
    if settings.memcached_servers:
        cache = open_memcached(settings)
    if settings.cache is not None:
        cache = EnvironCache(settings.cache, otherwise=cache)
    return None if cache is None else SharedCache(cache, make_shelves(settings, endpoint))


def make_shelves(settings: Settings, endpoint: str) -> list[Shelf]:
    """Return how entries are named and sealed: under the secret in use, then the previous one.

    Raises ConfigurationError where that can't be done.
    """
    strategy = settings.memcache_security_strategy
    if strategy is None:
        return [_make_shelf(endpoint, None, NoSealing())]
    texts = (settings.memcache_secret_key, settings.memcache_secret_key_previous)
    secrets = [Secret(text) for text in texts if text]
    return [_make_shelf(endpoint, secret, _make_sealing(strategy, secret)) for secret in secrets]


def _make_shelf(endpoint: str, secret: Secret | None, sealing: Sealing) -> Shelf:
    return Shelf(KeyMaker(endpoint, secret, sealing), sealing)


def _make_sealing(strategy: SecurityStrategy, secret: Secret) -> Sealing:
    return EncryptSealing(secret) if strategy == "ENCRYPT" else MacSealing(secret)
