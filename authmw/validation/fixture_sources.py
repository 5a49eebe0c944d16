"""Token sources of test fixtures, which answer in place of the configured validators.

`authmw.fixture` installs a source for the process; while there is one, no identity service is
asked. Only the validator of each filter is replaced, so all else runs as in production: reading
the request, memory, flights, parsing the token body, expiry, roles, access rules, rendering.
Nothing is refreshed meanwhile (keys, revocation events, what memcached holds), as the identity
service of a test's configuration rarely exists. A service's tests install a fixture before or
after they load its app: filters that exist are switched then, and later ones when they are built.
In production none of this runs.

A fixture's answer is never fresh, so that it is not cached: a token in memory would not be
validated again, and could outlive the fixture it came from.
"""

from __future__ import annotations

import weakref
from typing import NamedTuple, Protocol

from authmw.errors import InvalidToken, Reason
from authmw.identity.token_response import TokenResponse, TokenSource
from authmw.runtime.refresh import Refresher
from authmw.validation.validator import Validator


class ValidatorHolder(Protocol):
    """The part of a filter whose validator is replaced: the resolver."""

    validator: Validator


class _Configured(NamedTuple):
    """What a filter has without fixtures."""

    validator: Validator
    refresher: Refresher
    include_catalog: bool


# Sources of this process, latest first. Replaced as a whole, so that no reader needs a lock.
_installed: tuple[TokenSource, ...] = ()
_configured: weakref.WeakKeyDictionary[ValidatorHolder, _Configured] = weakref.WeakKeyDictionary()


def install(source: TokenSource) -> None:
    """Have a source answer for every filter of this process, before those installed earlier."""
    global _installed
    _installed = (source, *_installed)
    _switch_all()


def remove(source: TokenSource) -> None:
    """Undo `install`; with the last one gone filters validate as they are configured to."""
    global _installed
    _installed = tuple(other for other in _installed if other is not source)
    _switch_all()


def switch_with_fixtures(
    holder: ValidatorHolder, refresher: Refresher, *, include_catalog: bool
) -> None:
    """Have a filter's validator replaced, and nothing refreshed, while a source is installed.

    Args:
        holder: has the configured validator now.
        refresher: of the same filter.
        include_catalog: as the option `include_service_catalog`.
    """
    # Registered first: a source that is installed meanwhile then switches this filter too.
    _configured[holder] = _Configured(holder.validator, refresher, include_catalog)
    _switch(holder)


def _switch_all() -> None:
    for holder in list(_configured):
        _switch(holder)


def _switch(holder: ValidatorHolder) -> None:
    configured = _configured[holder]
    if _installed:
        configured.refresher.pause()
        holder.validator = _make_validator(include_catalog=configured.include_catalog)
    else:
        holder.validator = configured.validator
        configured.refresher.resume()


def _make_validator(*, include_catalog: bool) -> Validator:
    # Imported here, as only tests come here.
    from authmw.answers.source import EndpointAnswers
    from authmw.answers.tokens import TokenLifetime
    from authmw.revocation.revocations import NoRevocations
    from authmw.validation.remote import RemoteValidator

    return RemoteValidator(
        EndpointAnswers(_InstalledSources(include_catalog=include_catalog)),
        TokenLifetime(0, 0, 0),
        NoRevocations(),
    )


class _InstalledSources:
    """All installed sources as one `TokenSource`."""

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
