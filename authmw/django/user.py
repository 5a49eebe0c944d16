"""`request.user` of a request with a valid token; no row of a database stands behind it."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, Final

from authmw.checks.requirements import Requirement
from authmw.token import ProjectScope, Scope, Token


class TokenUser:
    """The user of a token, with the members that Django's code expects of a user.

    Two are equal if their tokens say the same of user, scope and roles: what is remembered for a
    user of one project is not found for the same user on another.

    Args:
        token: of the request.
        permissions: what each permission requires; see `AUTHMW_PERMISSIONS`.

    Attributes:
        id: the user's id, as X-User-Id has it.
        pk: unique among users of all issuers: `id`, or `issuer:id` with a token of an OAuth2
            issuer, since two issuers may know different users by one id.
        username: the user's name, or the id where the token has no name.
        token: the caller's.
        roles: the names of the token's roles.
        scope: of the token.
        project: of a token scoped to a project; else None.
    """

    is_authenticated: Final = True
    is_anonymous: Final = False
    is_active: Final = True
    # The admin site's rights, which no token gives.
    is_staff: Final = False
    is_superuser: Final = False

    def __init__(self, token: Token, permissions: Mapping[str, Requirement] | None = None) -> None:
        self.token = token
        self._permissions: Mapping[str, Requirement] = {} if permissions is None else permissions

    @property
    def id(self) -> str:
        return self.token.user.id

    @property
    def pk(self) -> str:
        issuer = self.token.issuer
        return self.id if issuer is None else f"{issuer}:{self.id}"

    @property
    def username(self) -> str:
        return self.token.user.name or self.id

    @property
    def roles(self) -> frozenset[str]:
        return self.token.principal.role_names

    @property
    def scope(self) -> Scope:
        return self.token.scope

    @property
    def project(self) -> ProjectScope | None:
        scope = self.token.scope
        return scope if isinstance(scope, ProjectScope) else None

    def get_username(self) -> str:
        """Return the user's name."""
        return self.username

    get_full_name = get_short_name = get_username

    def __str__(self) -> str:
        return self.username

    def __repr__(self) -> str:
        return f"<TokenUser {self.pk!r} on {self.scope!r}>"

    def _identity(self) -> Hashable:
        token = self.token
        return (self.pk, token.user, token.scope, self.roles, token.client_id, token.oauth_scope)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TokenUser) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def has_perm(self, perm: str, obj: object = None) -> bool:
        """Tell whether the token meets what AUTHMW_PERMISSIONS requires for a permission.

        False for a permission that it does not list, and for one on an object, as with Django's
        `ModelBackend`.
        """
        requirement = None if obj is not None else self._permissions.get(perm)
        return requirement is not None and not requirement.find_missing(self.token)

    def has_perms(self, perm_list: Iterable[str], obj: object = None) -> bool:
        """Tell whether the user has all of several permissions."""
        if isinstance(perm_list, str):
            raise ValueError("perm_list must be an iterable of permissions, not one of them")
        return all(self.has_perm(perm, obj) for perm in perm_list)

    def has_module_perms(self, module: str) -> bool:
        """Tell whether the user has any permission of a Django app."""
        return any(name.startswith(f"{module}.") for name in self.get_all_permissions())

    def get_all_permissions(self, obj: object = None) -> set[str]:
        """Return the names of all permissions that the user has."""
        return {name for name in self._permissions if self.has_perm(name, obj)}

    get_user_permissions = get_all_permissions

    def get_group_permissions(self, obj: object = None) -> set[str]:  # noqa: ARG002
        """Return none: roles are no groups."""
        return set()

    async def ahas_perm(self, perm: str, obj: object = None) -> bool:
        """See `has_perm`."""
        return self.has_perm(perm, obj)

    async def ahas_perms(self, perm_list: Iterable[str], obj: object = None) -> bool:
        """See `has_perms`."""
        return self.has_perms(perm_list, obj)

    async def ahas_module_perms(self, module: str) -> bool:
        """See `has_module_perms`."""
        return self.has_module_perms(module)

    async def aget_all_permissions(self, obj: object = None) -> set[str]:
        """See `get_all_permissions`."""
        return self.get_all_permissions(obj)

    aget_user_permissions = aget_all_permissions

    async def aget_group_permissions(self, obj: object = None) -> set[str]:
        """See `get_group_permissions`."""
        return self.get_group_permissions(obj)

    @property
    def groups(self) -> Any:
        """No groups, as of Django's AnonymousUser; needs django.contrib.auth."""
        from django.contrib.auth.models import AnonymousUser

        return AnonymousUser().groups

    @property
    def user_permissions(self) -> Any:
        """No rows, as of Django's AnonymousUser; needs django.contrib.auth."""
        from django.contrib.auth.models import AnonymousUser

        return AnonymousUser().user_permissions

    def save(self, *_arguments: Any, **_named: Any) -> None:
        """Raise NotImplementedError: nothing is stored, as with Django's AnonymousUser."""
        raise NotImplementedError("the user of a token has no row in the database")

    delete = set_password = check_password = save


class Nobody:
    """`request.user` of a request without a valid token, where django.contrib.auth is not used."""

    id: Final = None
    pk: Final = None
    username: Final = ""
    is_authenticated: Final = False
    is_anonymous: Final = True
    is_active: Final = False
    is_staff: Final = False
    is_superuser: Final = False
    token: Final = None
    roles: Final[frozenset[str]] = frozenset()
    scope: Final = None
    project: Final = None

    def __str__(self) -> str:
        return "Nobody"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Nobody)

    def __hash__(self) -> int:
        return 1

    def get_username(self) -> str:
        """Return ""."""
        return ""

    def has_perm(self, perm: str, obj: object = None) -> bool:  # noqa: ARG002
        """Return False."""
        return False

    def has_perms(self, perm_list: Iterable[str], obj: object = None) -> bool:  # noqa: ARG002
        """Return False, but for no permissions at all."""
        return not list(perm_list)

    def has_module_perms(self, module: str) -> bool:  # noqa: ARG002
        """Return False."""
        return False


def make_anonymous() -> Any:
    """Return the user of a request without a valid token: Django's, where its app is installed."""
    from django.apps import apps

    if apps.is_installed("django.contrib.auth"):
        from django.contrib.auth.models import AnonymousUser

        return AnonymousUser()
    return Nobody()
