"""`check`: requires roles, scope or methods of the token in the middle of a request."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from authmw.checks.requirements import (
    NotFromRequest,
    Requirement,
    ScopeName,
    parse_requirement,
)
from authmw.decorators.checked import note_check
from authmw.decorators.frameworks import make_exception
from authmw.errors import Refusal, Refused
from authmw.rejection import REFUSED
from authmw.runtime import request
from authmw.token import Token, headers
from authmw.wsgi.requirement_answers import (
    refuse_missing,
    refuse_unauthenticated,
    refuse_without_token,
)

_log = logging.getLogger(__name__)

_ANY = Requirement(frozenset(), frozenset(), admin_project=False, methods=frozenset())


def check(
    *,
    roles: str | Iterable[str] | NotFromRequest | None = None,
    scope: ScopeName | Iterable[ScopeName] | None = None,
    admin_project: bool = False,
    methods: str | Iterable[str] | None = None,
    oauth_scope: str | Iterable[str] | None = None,
) -> Token:
    """Return the token of this request if it meets a requirement, else raise; see `require`.

        def delete_item(item):
            authmw.check(roles="admin", scope=item.scope)
            ...

    Args:
        roles, scope, admin_project, methods, oauth_scope: as for `require`.

    Raises:
        Refused: there is no token (401), it does not meet the requirement (403), or nobody could
            validate it (503, with `delay_auth_decision`). The exception is also one of the web
            framework in use, which answers it if the app does not catch it.
        ValueError: a scope does not exist, or an argument names nothing ("" or an empty list).
    """
    return verify(
        parse_requirement(
            roles=roles,
            scope=scope,
            admin_project=admin_project,
            methods=methods,
            oauth_scope=oauth_scope,
        )
    )


def current_token() -> Token:
    """Return the token of this request, else raise: `authmw.current` where there has to be one.

    Raises:
        Refused: (401 or 503) there is none, as for `check`.
    """
    return verify(_ANY)


note_check(current_token)  # as a dependency of FastAPI's


def verify(requirement: Requirement) -> Token:
    """Return the token of this request if it meets the requirement.

    Raises:
        Refused: it does not, or there is none.
    """
    environ = request.current_environ()
    if environ is None:
        warn_of_no_middleware()
        raise make_exception(refuse_unauthenticated(is_challenged=False))
    token: Token | None = environ.get(headers.TOKEN)
    if token is None:
        raise refuse(environ, refuse_without_token(environ))
    refusal = judge(requirement, token)
    if refusal is not None:
        raise refuse(environ, refusal)
    return token


def judge(requirement: Requirement, token: Token) -> Refusal | None:
    """Return why a token does not meet a requirement; None: it does."""
    missing = requirement.find_missing(token)
    return refuse_missing(missing) if missing else None


def refuse(environ: dict[str, Any], refusal: Refusal) -> Refused:
    """Return the exception to raise for a refusal, and tell the middleware in front of it."""
    refused = environ[REFUSED] = make_exception(refusal, is_wsgi=request.IS_ASGI not in environ)
    return refused


def warn_of_no_middleware() -> None:
    """Log that no middleware was in front of a check."""
    _log.error(
        "authmw refused a request that came past no authmw middleware: put one in front"
        " (authmw.protect, AuthMiddleware, or the paste filter)"
    )
