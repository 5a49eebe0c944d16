"""The identity endpoint, asked over HTTP: the only room that opens connections to it.

`client` is the door. `outcomes` is the table of everything that can happen (`outcome_row` its
columns), `judgement` finds the row, `outage` is the error it leaves as, and `breaker` keeps
requests from waiting for an endpoint that does not answer, which `outage_watch` probes meanwhile.
`session` is the keystoneauth1 side (our own credentials, the catalog, discovery),
`renewal_limit` says how often those credentials are replaced. `transport` has the rules every
request obeys, `sockets` and `deadline` what makes the total deadline hold, `json_answer` what is
read from a good answer. `answer` is what validators see of all this, `endpoint_source` the client
as they see it. `authenticate_uri` remembers where clients are sent for a token, and `documents`
fetches what needs no credentials.
"""

from __future__ import annotations
