"""The identity endpoint, asked over HTTP: the only room that opens connections to it.

`client` asks. `outcomes` is the table of everything that can happen, `meaning` its columns;
`outage` makes the exception of a row, `json_response` reads a response. `breaker` keeps requests
from waiting for an endpoint that does not answer, which `outage_watch` probes meanwhile. `session`
is the keystoneauth1 side (our own credentials, the catalog, discovery), `renewal_limit` limits how
often those credentials are replaced. `transport` has the rules for every request, `connections`
gives urllib3 the sockets of `authmw.net`, `http_messages` reads headers. `token_response` is what
callers get, `authenticate_uri` finds where clients get a token, and `documents` fetches what needs
no credentials.
"""

from __future__ import annotations
