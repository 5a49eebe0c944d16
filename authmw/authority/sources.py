"""Several sources of authority, asked in the order of `jws_authority`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from authmw.authority.authorization import Authorization
from authmw.authority.signed_bearer import SignedBearer
from authmw.errors import IdentityUnavailable


class Authority(Protocol):
    """One source of names and roles."""

    def recall(self, key: str) -> Authorization | None:
        """Return the authorization cached under an authority key, however old; without I/O."""

    def look_up(self, bearer: SignedBearer, now: float) -> Authorization | None:
        """Find what a bearer may do.

        Returns None where this source has no names and roles for the bearer.

        Raises:
            InvalidToken: the bearer is refused; no other source is asked then.
            IdentityUnavailable: the source does not answer.
        """


class AuthoritySources:
    """Asks one source after the other.

    The next source is asked only if one has no answer or can't be reached: a refusal is final, and
    all names and roles of a token come from one source.
    """

    def __init__(self, sources: Sequence[Authority]) -> None:
        self._sources = tuple(sources)

    def recall(self, key: str) -> Authorization | None:
        """Return the first authorization that a source has cached; see `Authority`."""
        for source in self._sources:
            authorization = source.recall(key)
            if authorization is not None:
                return authorization
        return None

    def look_up(self, bearer: SignedBearer, now: float) -> Authorization | None:
        """Find what a bearer may do; see `Authority`.

        Raises IdentityUnavailable only if no source that could be reached has an answer; it names
        what each of the others lacks.
        """
        outages: list[IdentityUnavailable] = []
        for source in self._sources:
            try:
                authorization = source.look_up(bearer, now)
            except IdentityUnavailable as error:
                outages.append(error)
                continue
            if authorization is not None:
                return authorization
        if len(outages) == 1:
            raise outages[0]
        if outages:
            raise IdentityUnavailable(
                "; ".join(each.detail for each in outages), outages[0].retry_after
            ) from outages[-1]
        return None
