"""Authentication and permissions for Django REST framework.

    REST_FRAMEWORK = {
        "DEFAULT_AUTHENTICATION_CLASSES": ["authmw.django.rest.TokenAuthentication"],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    }

    class Items(APIView):
        permission_classes = [HasRole("member") & InScope("project")]

A middleware in front validates the token: `authmw.django.AuthMiddleware`, or the one of WSGI.
"""

from __future__ import annotations

import sys
from typing import Any, Self

from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission, OperationHolderMixin

from authmw.checks.requirements import Requirement, ScopeName, parse_requirement
from authmw.decorators.check import judge, refuse, warn_of_no_middleware
from authmw.django.conf import read_permissions
from authmw.django.user import TokenUser
from authmw.errors import Refusal
from authmw.rejection import PLACEHOLDER_CHALLENGE
from authmw.runtime.request import current_environ
from authmw.token import Token, headers
from authmw.wsgi.requirement_answers import (
    refuse_excess,
    refuse_unauthenticated,
    refuse_without_token,
)


class TokenAuthentication(BaseAuthentication):  # type: ignore[misc]
    """Sets `request.user` to a `TokenUser` and `request.auth` to the `Token` of the request.

    A request without a valid token is left to the next authentication class. List this class
    first: the first one decides that the answer to nobody is a 401, with a challenge.
    """

    def authenticate(self, request: Any) -> tuple[TokenUser, Token] | None:
        """Return user and token, None if the request has no valid token.

        Raises:
            Refused: (503) nobody could validate the token.
        """
        django_request = getattr(request, "_request", request)
        token: Token | None = django_request.META.get(headers.TOKEN)
        if token is None:
            if headers.UNDECIDED in django_request.META:
                raise refuse(django_request.META, refuse_without_token(django_request.META))
            return None
        user: Any = getattr(django_request, "user", None)
        # Not isinstance(): it would look up the user of a session.
        if type(user) is not TokenUser or user.token is not token:
            user = TokenUser(token, read_permissions())
        return user, token

    def authenticate_header(self, request: Any) -> str:  # noqa: ARG002
        """Return the challenge of a 401, which the middleware in front replaces by its own."""
        return PLACEHOLDER_CHALLENGE


class TokenPermission(OperationHolderMixin, BasePermission):  # type: ignore[misc]
    """A permission that the token of a request must meet; see `authmw.require`.

    An instance is what `permission_classes` lists and `get_permissions` returns, and it combines
    with others by `&`, `|` and `~`. `~HasRole("guest")` takes a token without the role; a request
    without a token has no permission of either kind.

    It judges the token behind `request.user`: the user of a session, or of another authentication
    class, has none.

    REST framework gets a refusal with the JSON body of `authmw.require`. Within a combination it
    gets False, and answers by itself.
    """

    def __init__(self, requirement: Requirement) -> None:
        self.requirement = requirement

    def __invert__(self) -> TokenPermission:
        return _Without(self.requirement)

    def __call__(self) -> Self:
        """Return itself: REST framework calls what `permission_classes` lists."""
        return self

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, TokenPermission)
            and not isinstance(other, _Without)
            and self.requirement == other.requirement
        )

    def __hash__(self) -> int:
        return hash(self.requirement)

    def has_permission(self, request: Any, view: Any) -> bool:  # noqa: ARG002
        """Tell whether the token meets the requirement.

        Raises:
            Refused: it does not, and REST framework's `APIView` asks.
        """
        return self._meets(request, sys._getframe(1).f_globals.get("__name__"))

    def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:  # noqa: ARG002
        """Tell the same of every object, so that `~` holds for objects too.

        Raises:
            Refused: as `has_permission`.
        """
        return self._meets(request, sys._getframe(1).f_globals.get("__name__"))

    def _meets(self, request: Any, asking: str | None) -> bool:
        refusal = self._find_refusal(request)
        if refusal is None:
            return True
        if asking != "rest_framework.views":
            return False
        raise refuse(getattr(request, "_request", request).META, refusal)

    def _find_refusal(self, request: Any) -> Refusal | None:
        token = _find_token(request)
        if token is None and current_environ() is None:
            warn_of_no_middleware()
            return refuse_unauthenticated(is_challenged=False)
        if token is None:
            return refuse_without_token(getattr(request, "_request", request).META)
        return self._judge(token)

    def _judge(self, token: Token) -> Refusal | None:
        return judge(self.requirement, token)


class _Without(TokenPermission):
    """The token does not meet a requirement: what `~` makes of another permission."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Without) and self.requirement == other.requirement

    def __hash__(self) -> int:
        return hash((_Without, self.requirement))

    def __invert__(self) -> TokenPermission:
        return TokenPermission(self.requirement)

    def _judge(self, token: Token) -> Refusal | None:
        if judge(self.requirement, token) is not None:
            return None
        return refuse_excess(self.requirement)


def _find_token(request: Any) -> Token | None:
    user = getattr(request, "user", None)
    if isinstance(user, TokenUser):
        return user.token
    if user is not None and user.is_authenticated:
        return None
    # Nobody else acts: the view has no authentication class that would have read the token.
    token: Token | None = getattr(request, "_request", request).META.get(headers.TOKEN)
    return token


class HasRole(TokenPermission):
    """The token has one of some roles: `HasRole("member", "admin")`.

    Raises:
        ValueError: no role is named.
    """

    def __init__(self, *roles: str) -> None:
        super().__init__(
            parse_requirement(roles=roles, scope=None, admin_project=False, methods=None)
        )


class InScope(TokenPermission):
    """The token is scoped to one of "project", "domain" and "system": `InScope("project")`.

    Raises:
        ValueError: a scope does not exist, or none is named.
    """

    def __init__(self, *scopes: ScopeName) -> None:
        super().__init__(
            parse_requirement(roles=None, scope=scopes, admin_project=False, methods=None)
        )


class HasOAuthScope(TokenPermission):
    """The token was issued for all of some values of an OAuth scope (RFC 6749 §3.3).

    A 403 tells the client which to ask for (RFC 6750 §3.1).

    Raises:
        ValueError: no value is named, or one that no OAuth scope can have.
    """

    def __init__(self, *values: str) -> None:
        super().__init__(
            parse_requirement(
                roles=None, scope=None, admin_project=False, methods=None, oauth_scope=values
            )
        )
