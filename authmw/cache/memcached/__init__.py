"""memcached as the cache that processes share.

`cache` chooses a server for each key. `server` is one server, with its connections, alive or
dead; `address` reads its name, `sockets` and `tls` make connections, `text` and `binary` are the
two protocols (binary only where memcached asks for a password).
"""

from __future__ import annotations

from authmw.cache.memcached.cache import MemcachedCache as MemcachedCache
from authmw.cache.memcached.cache import open_memcached as open_memcached
