"""Revocation events (Identity API v3, OS-REVOKE): which tokens they cover, how they get here.

`verdict` is what validation sees of all this, and `feed` the door.

Pure: `facts` (what of a token events speak of), `attributes` (the rule table), `events`
(parsing), `index` (matching). Polling: `source` (who is asked), `identity_source` (the
identity endpoint is), `since` (in which words), `knowledge` (what is known, and how complete
it is), `progress` (how far polling has come), `jitter`. One poll for many processes:
`sharing` (whose turn it is), `board` (where they leave each other word), `bulletin` (in which
records), `window` (what a bulletin holds), `store` (what keeps records: `file_store`,
`memcached_store`).
"""

from __future__ import annotations
