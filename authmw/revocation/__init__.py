"""Revocation events (Identity API v3, OS-REVOKE): which tokens they cover, how they get here.

`verdict` is what validation sees of all this, and `feed` implements it.

Pure: `facts` (the token fields that events match), `attributes` (the rule table), `events`
(parsing), `index` (matching). Polling: `polling` (asking, and up to when all is known), `source`
(the interface of what is asked), `identity_source` (the identity endpoint), `since` (the times in
questions), `jitter`. One poll for many processes: `sharing` (which of them asks), `shared_record`
(what it tells the others), `store` (what keeps the record: `file_store`, `memcached_store`).
"""

from __future__ import annotations
