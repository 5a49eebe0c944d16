"""authmw for Pyramid: a security policy, and refusals that exception views see.

    with Configurator(settings={"authmw.permissions": {"add": {"roles": "member"}}}) as config:
        config.include("authmw.pyramid")
        config.add_view(add_item, route_name="items", permission="add")
        app = authmw.pyramid.protect(config.make_wsgi_app(), config_file="/etc/inventory.conf")

The policy needs a middleware in front: that of `protect` here, `authmw.protect`, or the filter of
a paste pipeline.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import Any, Self

from pyramid.httpexceptions import HTTPForbidden
from pyramid.security import Allowed, Denied
from pyramid.tweens import EXCVIEW

from authmw.checks.requirements import Requirement
from authmw.config.option_names import verify_option_names
from authmw.decorators.check import judge, refuse
from authmw.decorators.configuration import find_configuration
from authmw.decorators.handed_over import HandsOver, raise_rejection
from authmw.decorators.permissions import parse_permissions
from authmw.errors import ConfigurationError, Refusal
from authmw.token import Token, headers
from authmw.wsgi.requirement_answers import refuse_without_token

_SETTING = "authmw.permissions"
_SECTION = "Pyramid settings"


class _Refused(Denied):  # type: ignore[misc]
    """A permission that the token of a request does not give."""

    def __new__(cls, refusal: Refusal) -> Self:
        made: Self = super().__new__(cls, "%s", refusal.missing or "there is no valid token")
        made.refusal = refusal
        return made

    refusal: Refusal


class SecurityPolicy:
    """Pyramid's security policy (`ISecurityPolicy`) for requests that authmw has authenticated.

    `request.identity` is the `Token`, `request.authenticated_userid` the user's id. A view with a
    `permission` runs for tokens that meet its requirement; a refusal is that of `authmw.require`.
    `request.has_permission` tells without refusing. A permission that is not listed is nobody's.

    Args:
        permissions: names, and the requirement of each.
    """

    def __init__(self, permissions: Mapping[str, Requirement]) -> None:
        self.permissions = permissions

    def identity(self, request: Any) -> Token | None:
        """Return the token of a request."""
        token: Token | None = request.environ.get(headers.TOKEN)
        return token

    def authenticated_userid(self, request: Any) -> str | None:
        """Return the id of the user, as X-User-Id has it."""
        token = self.identity(request)
        return None if token is None else token.user.id

    def permits(self, request: Any, context: Any, permission: str) -> Allowed | Denied:  # noqa: ARG002
        """Tell whether the token meets what a permission requires."""
        requirement = self.permissions.get(permission)
        if requirement is None:
            return Denied("%s does not list the permission %r", _SETTING, permission)
        token = self.identity(request)
        if token is None:
            return _Refused(refuse_without_token(request.environ))
        refusal = judge(requirement, token)
        if refusal is None:
            return Allowed("the token meets the requirement of %r", permission)
        return _Refused(refusal)

    def remember(self, request: Any, userid: str, **_named: Any) -> list[Any]:  # noqa: ARG002
        """Return no headers: who is calling comes with each request."""
        return []

    def forget(self, request: Any, **_named: Any) -> list[Any]:  # noqa: ARG002
        """Return no headers."""
        return []


def protect(
    app: Any,
    *,
    config_file: str | os.PathLike[str] | None = None,
    config: Any = None,
    **options: Any,
) -> HandsOver:
    """Return the app behind the middleware; serve what is returned.

    A request without a valid token gets a 401 before any view, and a 503 if its token can't be
    validated. Where `authmw.pyramid` is included they are raised as `authmw.Refused` and as
    Pyramid's exceptions, for which the app may have exception views. Tweens over Pyramid's
    exception views see such a request first, without an identity. Their answer is not used.

    Args:
        app: what `Configurator.make_wsgi_app` returned.
        config_file, config, options: as for `authmw.protect`.

    Raises:
        ConfigurationError: an option is wrong.
        TypeError: an option does not exist, or a file and an object were given.
    """
    verify_option_names(options)
    protected = HandsOver(app, find_configuration(options, config_file, config))
    protected.build_filter_parts()
    return protected


def includeme(config: Any) -> None:
    """Set the security policy, with the permissions of the setting `authmw.permissions`.

    The setting is a mapping of permissions to arguments of `authmw.require`, or that as JSON, for
    ini files.

    Raises:
        ConfigurationError: the setting is no such mapping.
    """
    permissions = config.get_settings().get(_SETTING, {})
    if isinstance(permissions, str):
        try:
            permissions = json.loads(permissions)
        except ValueError as error:
            fix = f"write a JSON object ({error})"
            raise ConfigurationError(_SETTING, permissions, fix, section=_SECTION) from error
    policy = SecurityPolicy(parse_permissions(_SETTING, permissions, section=_SECTION))
    config.set_security_policy(policy)
    # Below the exception views, which answer what it raises.
    config.add_tween("authmw.pyramid.make_tween", under=EXCVIEW)


def make_tween(handler: Callable[[Any], Any], registry: Any) -> Callable[[Any], Any]:  # noqa: ARG001
    """Return the tween that raises rejections, and refusals of the security policy."""

    def run(request: Any) -> Any:
        raise_rejection(request.environ)
        try:
            return handler(request)
        except HTTPForbidden as forbidden:
            result = getattr(forbidden, "result", None)
            if not isinstance(result, _Refused):
                raise
            raise refuse(request.environ, result.refusal) from forbidden

    return run
