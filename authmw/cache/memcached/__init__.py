"""memcached as the cache that processes share.

`cache` is the door: it chooses a server for each key. `server` is one of them, with its
connections, alive or dead; `address` and `wire` open a connection, `text` and `binary` are
the two protocols spoken on it (binary only where memcached asks for a password).
"""

from __future__ import annotations

from authmw.cache.memcached.cache import MemcachedCache as MemcachedCache
from authmw.cache.memcached.cache import open_memcached as open_memcached
