"""Revocation events (Identity API v3, OS-REVOKE): which tokens they cover, how they get here.

Pure: `facts` (what of a token events speak of), `attributes` (the rule table), `events`
(parsing), `index` (matching). Around it: `feed` (when to ask whom), `source` (who is
asked), `identity_source`, `since` (in which words), `knowledge` (how complete they are), and
for one poll for many processes `window`, `bulletin`, `board`, `store`, `file_store` and
`memcached_store`.
"""

from __future__ import annotations
