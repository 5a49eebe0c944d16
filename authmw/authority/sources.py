"""Several sources of authority, asked in the order of `jws_authority`."""

from __future__ import annotations

from collections.abc import Sequence

from authmw.authority import Answer, Authority, Question
from authmw.errors import IdentityUnavailable


class AuthoritySources:
    """Asks one source after the other.

    Only a source that knows nothing, or can't be reached, passes on to the next: a refusal
    is final, and names and roles come whole from one source.
    """

    def __init__(self, sources: Sequence[Authority]) -> None:
        self._sources = tuple(sources)

    def recall(self, key: str) -> Answer | None:
        """Return what the first source that remembers anything remembers; see `Authority`."""
        for source in self._sources:
            answer = source.recall(key)
            if answer is not None:
                return answer
        return None

    def look_up(self, question: Question, now: float) -> Answer:
        """Answer a question.

        Raises:
            InvalidToken: a source refused the bearer.
            IdentityUnavailable: no source could say.
        """
        outage: IdentityUnavailable | None = None
        for source in self._sources:
            try:
                answer = source.look_up(question, now)
            except IdentityUnavailable as error:
                outage = outage or error
                continue
            if answer is not None:
                return answer
        raise outage or IdentityUnavailable(
            "no source of jws_authority knows names and roles for this token"
        )
