"""Revocation events (Identity API v3, OS-REVOKE): which tokens they cover, how they get here.

`revocations` is the interface for validation, and `feed` implements it.

Pure: `facts` (the token fields that events match), `attributes` (the rule table), `events`
(parsing), `index` (matching). Polling: `source` (GET /v3/OS-REVOKE/events), `polling` (what to ask
for, and up to when all events are known), `jitter`; `sharing/` is one poll for many processes.
"""

from __future__ import annotations
