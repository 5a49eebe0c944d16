"""Several sources of authority, asked in the order of `jws_authority`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from authmw.authority.authorization import Authorization
from authmw.authority.signed_bearer import SignedBearer
from authmw.errors import IdentityUnavailable


class Authority(Protocol):
    """One source of answers."""

    def recall(self, key: str) -> Authorization | None:
        """Return what is remembered under an authority key, however old; without I/O."""

    def look_up(self, bearer: SignedBearer, now: float) -> Authorization | None:
        """Find what a bearer may do.

        Returns None where this source knows nothing of the bearer.

        Raises:
            InvalidToken: the bearer is refused; no other source is asked then.
            IdentityUnavailable: the source is out of reach.
        """


class AuthoritySources:
    """Asks one source after the other.

    Only a source that knows nothing, or can't be reached, passes on to the next: a refusal
    is final, and names and roles come whole from one source.
    """

    def __init__(self, sources: Sequence[Authority]) -> None:
        self._sources = tuple(sources)

    def recall(self, key: str) -> Authorization | None:
        """Return what the first source that remembers anything remembers; see `Authority`."""
        for source in self._sources:
            answer = source.recall(key)
            if answer is not None:
                return answer
        return None

    def look_up(self, bearer: SignedBearer, now: float) -> Authorization:
        """Find what a bearer may do.

        Raises:
            InvalidToken: a source refused the bearer.
            IdentityUnavailable: no source could say.
        """
        outage: IdentityUnavailable | None = None
        for source in self._sources:
            try:
                answer = source.look_up(bearer, now)
            except IdentityUnavailable as error:
                outage = outage or error
                continue
            if answer is not None:
                return answer
        raise outage or IdentityUnavailable(
            "no source of jws_authority knows names and roles for this token"
        )
