"""`require_token`: what a FastAPI endpoint requires of the token, as a dependency."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from authmw.checks.requirements import NotFromRequest, ScopeName, parse_requirement
from authmw.decorators.check import verify
from authmw.decorators.checked import note_check
from authmw.token import Token


def require_token(
    *,
    roles: str | Iterable[str] | NotFromRequest | None = None,
    scope: ScopeName | Iterable[ScopeName] | None = None,
    admin_project: bool = False,
    methods: str | Iterable[str] | None = None,
    oauth_scope: str | Iterable[str] | None = None,
) -> Callable[[], Awaitable[Token]]:
    """Return a dependency that returns the token of the request, or refuses it; see `require`.

        Member = Annotated[authmw.Token, Depends(authmw.asgi.require_token(roles="member"))]

        @app.post("/items")
        async def add_item(token: Member): ...

    Don't make a dependency of `authmw.check`: what it requires would be read from the query.

    Args:
        roles, scope, admin_project, methods, oauth_scope: as for `authmw.require`.

    Raises:
        ValueError: a scope does not exist, or an argument names nothing ("" or an empty list).
        Refused: (the dependency) there is no token, or it lacks something.
    """
    requirement = parse_requirement(
        roles=roles,
        scope=scope,
        admin_project=admin_project,
        methods=methods,
        oauth_scope=oauth_scope,
    )

    # Without arguments, which would be read from the request; a coroutine, which needs no thread.
    async def verified_token() -> Token:
        return verify(requirement)

    note_check(verified_token)
    return verified_token
