"""The page with the results, and what its figures mean."""

from __future__ import annotations

import datetime
import importlib.metadata

from benchmarks import machine
from examples.real_services.contenders import (
    PEER_CACHE_DEFAULT_SECONDS,
    PEER_CACHE_SECONDS,
    POLL_DEFAULT_SECONDS,
)
from examples.real_services.figures import (
    NEW_TOKENS,
    REQUESTS_PER_ROUND,
    ROUNDS,
    STARTS,
)
from examples.real_services.instances import THREADS
from examples.real_services.outcome import Outcome

_SERVERS = ("keystone", "glance", "barbican", "gunicorn")

EXPLANATION = f"""\
first use
    A list, as the first request with a token after a start: the filter logs in at Keystone
    and finds its endpoint; the service opens its database. Median of {STARTS} starts.
new token
    A read with a token that nobody has seen, of a user who was seen. Median of {NEW_TOKENS},
    and quartiles.
requests/s
    Reads with one token, {THREADS} connections at once, one process with {THREADS} threads.
    Median of {ROUNDS} rounds of {REQUESTS_PER_ROUND}, and quartiles.
revocation
    From the revocation of a token that is in use until it is refused, measured once; it may
    come at any moment between two polls. All settings are defaults, but for the peer's
    token_cache_time: {PEER_CACHE_SECONDS} s, to keep the run short.
revocation, at most
    Calculated, with all settings at their defaults: the peer's token_cache_time, and
    revocation_poll_interval ({POLL_DEFAULT_SECONDS} s), to which the time of one poll comes.
"""

_PAGE = """\
.. Made by "python examples/real_services/run.py --rst"; don't edit.

Real services
=============

``make services`` installs Keystone, Glance and Barbican from PyPI and runs each service, with
its own paste file and policies, behind keystonemiddleware ("peer") and behind authmw, where it
asks Keystone about every new token ("remote") and where it verifies signed tokens itself
("offline"). Keystone signs its tokens in all three cases (``provider = jws``), and the same
requests are sent to all.

What changes
------------

One line of each paste file::

{changes}

What came of it
---------------

A run of {date}. The upper rows are statuses. A member of a project creates an image or a
secret; all others ask for its content, and what they get is the service's own answer: Glance
hides what exists (404), Barbican says that it is forbidden (403).

{table}

{explanation}
How to read the figures
-----------------------

*A new token* is where offline validation shows, as Keystone isn't asked: every login makes one.
*Requests per second* of a whole service say little about its filter: the service itself takes
several milliseconds, a filter that knows the token a fraction of one. Where the quartiles
overlap, there is no difference; and in the peer's figure is that its tokens have to be
validated again every {peer_cache} s, where its default is {peer_default} s.
:doc:`benchmarks` measures the filters alone.

In the outage a token comes that nobody has seen, of a user who was seen. Glance behind the
peer and behind authmw in remote mode says 401: its paste file has
``delay_auth_decision = true``, with which the service decides, and it takes all that is not
confirmed for unauthorized. Barbican says 503. Offline, both serve it.

Measured on: {versions}.
"""


def render(outcome: Outcome) -> str:
    """Return the page in reStructuredText; nothing in it names a host, a user or a path."""
    changes = "\n\n".join(outcome.changes).splitlines()
    return _PAGE.format(
        changes="\n".join(f"    {line}".rstrip() for line in changes),
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        table=outcome.format_table(),
        explanation=EXPLANATION,
        peer_cache=PEER_CACHE_SECONDS,
        peer_default=PEER_CACHE_DEFAULT_SECONDS,
        versions=_describe_versions(),
    )


def _describe_versions() -> str:
    servers = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _SERVERS)
    return f"{machine.describe()}, {servers}"
