"""The one error of this room's own: an outage, by its row in the table of outcomes."""

from __future__ import annotations

import re

from authmw.errors import IdentityUnavailable
from authmw.identity.outcomes import Outcome

_LONGEST_NOTE = 200
# User and password before the host of an address (RFC 3986 §3.2.1).
_USERINFO = re.compile(r"//[^/\s]*@")


class Outage(IdentityUnavailable):
    """The endpoint could not be asked, or gave no answer that can be used.

    Args:
        outcome: the row of the table.
        where: method and address, without query, or "" where nothing was sent yet.
        note: what else is known; no token, no secret. A password in an address is taken out.
        retry_after: seconds.
    """

    def __init__(
        self, outcome: Outcome, where: str = "", note: str = "", retry_after: int = 5
    ) -> None:
        asked = f"{where}: " if where else ""
        known = f" ({_printable(_hide_userinfo(note))})" if note else ""
        super().__init__(f"{_hide_userinfo(asked)}{outcome.value.detail}{known}", retry_after)
        self.outcome = outcome


def _hide_userinfo(text: str) -> str:
    return _USERINFO.sub("//", text)


def _printable(text: str) -> str:
    """Return at most 200 printable characters: a server's words can't forge a log line."""
    return "".join(char if char.isprintable() else " " for char in text[:_LONGEST_NOTE])
