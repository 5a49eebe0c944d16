"""Token sources that stand in for the identity service while a service is tested.

The seam for `authmw.fixture`. It lies where a validator would be asked, and everything else
runs as in production: reading the request, memory, flights, parsing the token body, expiry,
roles, access rules, rendering. It is looked at when a token is validated and not when a
filter is built, since tests install a fixture before or after they load their app.

A request whose token is in memory never comes here, and what a stand-in answered is never
fresh, so that no token outlives the fixture it came from.
"""

from __future__ import annotations

from authmw.answers.source import EndpointAnswers
from authmw.answers.tokens import TokenLifetime
from authmw.errors import InvalidToken, Reason
from authmw.identity.token_response import TokenResponse, TokenSource
from authmw.revocation.verdict import NoRevocations
from authmw.token import Token
from authmw.validation import Strength, Validator
from authmw.validation.remote import RemoteValidator

# Of this process, latest first. Replaced whole, so that no reader needs a lock.
_installed: tuple[TokenSource, ...] = ()


def install(source: TokenSource) -> None:
    """Let a source answer for every filter of this process, before those installed earlier."""
    global _installed
    _installed = (source, *_installed)


def remove(source: TokenSource) -> None:
    """Undo `install`; with the last one gone filters validate as they are configured to."""
    global _installed
    _installed = tuple(other for other in _installed if other is not source)


class StandInValidator:
    """Asks the stand-ins where there are any, else the validator that was configured.

    While there is one nobody else is asked: a test never reaches an identity service by way
    of a token it forgot to add.

    Args:
        configured: the validator of the configuration.
        include_catalog: as the option `include_service_catalog`.
    """

    def __init__(self, configured: Validator, *, include_catalog: bool) -> None:
        self._configured = configured
        self._stand_in = RemoteValidator(
            EndpointAnswers(_Installed(include_catalog=include_catalog)),
            TokenLifetime(0, 0, 0),
            NoRevocations(),
        )

    def validate(self, token: str, strength: Strength, now: float, known: Token | None) -> Token:
        """Validate one token; see `authmw.validation.Validator`."""
        validator = self._stand_in if _installed else self._configured
        return validator.validate(token, strength, now, known)


class _Installed:
    """All stand-ins as one `TokenSource`."""

    def __init__(self, *, include_catalog: bool) -> None:
        self._include_catalog = include_catalog

    def fetch_token_response(self, token: str, *, allow_expired: bool, now: float) -> TokenResponse:
        for source in _installed:
            try:
                answer = source.fetch_token_response(token, allow_expired=allow_expired, now=now)
            except InvalidToken:
                continue
            if self._include_catalog:
                return answer
            return TokenResponse(answer.body, None, answer.answered_at)
        raise InvalidToken(Reason.NOT_FOUND, "no test fixture of this process knows it")
