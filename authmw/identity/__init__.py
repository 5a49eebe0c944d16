"""The identity endpoint, asked over HTTP: the only room that opens connections to it.

`client` is the door, `outcomes` the table of everything that can happen, `session` the
keystoneauth1 side (our own credentials, the catalog, discovery), `transport` the rules
every request obeys, `sockets` and `deadline` what makes the total deadline hold.
"""

from __future__ import annotations
