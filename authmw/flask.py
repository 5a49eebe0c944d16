"""The Flask extension: it protects an app, whose error handlers see every refusal.

auth = authmw.flask.Authmw(config_file="/etc/inventory.conf")

def create_app():
    app = flask.Flask(__name__)
    auth.init_app(app)
    auth.require_for(admin_pages, roles="admin")   # a blueprint, before it is registered
    ...
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

import flask
from flask.sansio.scaffold import Scaffold

from authmw.checks.requirements import ScopeName
from authmw.config.option_names import verify_option_names
from authmw.decorators.configuration import find_configuration
from authmw.decorators.handed_over import HandsOver, raise_rejection
from authmw.decorators.registered import OPTIONAL, refuse_registered
from authmw.decorators.require import require

F = TypeVar("F", bound=Callable[..., Any])


class Authmw:
    """Protects Flask apps: `Authmw(app, ...)`, or `Authmw(...)` and `init_app(app)` later.

    A request without a valid token gets a 401 before any view, and a 503 if its token can't be
    validated. They are raised as `authmw.Refused` and as Werkzeug's exceptions, so that the app's
    error handlers (`@app.errorhandler(authmw.Refused)`, or of 401, 403 and 503) may answer them.
    `@app.before_request` functions do not run for such a request.

    Args:
        app: a Flask app; None: `init_app` comes later.
        config_file, config, options: as for `authmw.protect`. `app.config["AUTHMW"]`, a dict of
            the same, overrides them.

    Raises:
        ConfigurationError: (with `app`) an option is wrong.
        TypeError: an option does not exist, or (with `app`) a file and an object were given.
    """

    def __init__(
        self,
        app: flask.Flask | None = None,
        /,
        *,
        config_file: str | os.PathLike[str] | None = None,
        config: Any = None,
        **options: Any,
    ) -> None:
        verify_option_names(options)
        self._arguments = {"config_file": config_file, "config": config, **options}
        if app is not None:
            self.init_app(app)

    def init_app(self, app: flask.Flask) -> None:
        """Protect an app.

        Raises:
            ConfigurationError: an option is wrong.
            TypeError: the app is protected already, an option of `app.config["AUTHMW"]` does not
                exist, or a file and an object were given.
        """
        if "authmw" in app.extensions:
            raise TypeError("authmw protects this app already: call init_app once for each app")
        arguments: dict[str, Any] = {**self._arguments, **app.config.get("AUTHMW", {})}
        config_file = arguments.pop("config_file")
        config = arguments.pop("config")
        verify_option_names(arguments)
        protected = HandsOver(app.wsgi_app, find_configuration(arguments, config_file, config))
        protected.build_filter_parts()
        app.extensions["authmw"] = self
        app.wsgi_app = protected  # type: ignore[method-assign]
        # The first code of the app that Flask calls for a request, even if it fits no route.
        app.url_value_preprocessors[None].insert(0, _raise_rejection)

    def require_for(
        self,
        part: Scaffold,
        *,
        roles: str | Iterable[str] | None = None,
        scope: ScopeName | Iterable[ScopeName] | None = None,
        admin_project: bool = False,
        methods: str | Iterable[str] | None = None,
        oauth_scope: str | Iterable[str] | None = None,
    ) -> None:
        """Let the views of a blueprint, or of an app, run only for tokens that meet a requirement.

        Args:
            part: the blueprint or app. Blueprints within a blueprint are included.
            roles, scope, admin_project, methods, oauth_scope: as for `authmw.require`.

        Raises:
            ValueError: a scope does not exist, or an argument names nothing ("" or an empty list).
            AssertionError: (Flask's) the blueprint is registered already.
        """
        check = require(
            roles=roles,
            scope=scope,
            admin_project=admin_project,
            methods=methods,
            oauth_scope=oauth_scope,
        )
        part.before_request(check(_make_nothing()))


def optional(view: F) -> F:
    """Let a view of a protected app run without a token; `authmw.current()` is then None.

    It needs the extension: behind `authmw.protect` a request without a token does not get to Flask.
    It stands below the route, next to the function.

    A token that was sent must be valid: one that is refused gets a 401, as everywhere. A request
    without a token is logged and counted as rejected before the view lets it pass.

    Raises:
        TypeError: Flask already holds the undecorated view.
    """
    refuse_registered(view, "authmw.flask.optional")
    # Another function, as this one may be a view elsewhere.
    if inspect.iscoroutinefunction(view):

        @functools.wraps(view)
        async def run(*arguments: Any, **named: Any) -> Any:
            return await view(*arguments, **named)

    else:

        @functools.wraps(view)
        def run(*arguments: Any, **named: Any) -> Any:
            return view(*arguments, **named)

    setattr(run, OPTIONAL, True)
    made: Any = run
    return cast(F, made)


def _raise_rejection(endpoint: str | None, values: dict[str, Any] | None) -> None:  # noqa: ARG001
    view = None if endpoint is None else flask.current_app.view_functions.get(endpoint)
    raise_rejection(flask.request.environ, is_optional=getattr(view, OPTIONAL, False))


def _make_nothing() -> Callable[[], None]:
    def check_token() -> None:
        """Check the token of a request; see `Authmw.require_for`."""

    return check_token
