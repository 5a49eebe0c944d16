"""One poll for many processes.

`shared_polling` decides which process asks, `record` is what it tells the others, `store` the
interface of what keeps the record: `file_store` for one host, `memcached_store` for all.
"""

from __future__ import annotations
