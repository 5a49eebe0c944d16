"""How fresh a decision has to be: what a service may demand for one request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from authmw.errors import IdentityUnavailable
from authmw.token import Token
from authmw.token.headers import to_environ_key

MIN_REVISION: Final = "X-Authmw-Min-Revision"
"""Header of a request with a service token: the least revision to decide from."""

_KEY: Final = to_environ_key(MIN_REVISION)
_MOST_DIGITS: Final = 12


class Freshness(Protocol):
    """Verifies that a decision is as fresh as a request demands."""

    def is_met(self, token: Token, environ: Mapping[str, Any]) -> bool:
        """Tell whether it is, for the token of a user that came with one of a service; no waiting.

        Args:
            token: decided about just now.
            environ: of the request.

        Raises:
            IdentityUnavailable: nobody can tell what the request demands.
        """

    def come_to(self, environ: Mapping[str, Any], *, may_wait: bool) -> bool:
        """Find out what is to be done where it is not met.

        Args:
            environ: of the request.
            may_wait: whether to wait for fresher facts.

        Returns:
            whether to go on; False: fresher facts came, by which the request is to be decided anew.

        Raises:
            IdentityUnavailable: no fresher facts came in time.
        """


def read_min_revision(environ: Mapping[str, Any]) -> int | None:
    """Return the least revision that a request demands; None: it demands none.

    Raises:
        IdentityUnavailable: it is no number of a revision, so nobody can tell what is demanded.
    """
    text = environ.get(_KEY)
    if text is None:
        return None
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise IdentityUnavailable(f"{MIN_REVISION} is no number of a revision")
    return int(text)
