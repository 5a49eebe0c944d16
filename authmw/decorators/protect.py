"""`protect`: the middleware as a decorator of WSGI callables."""

from __future__ import annotations

import contextlib
import functools
import inspect
import logging
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar, overload

from authmw.config.option_names import verify_option_names
from authmw.decorators.configuration import Configuration, find_configuration
from authmw.decorators.registered import find_optional_view
from authmw.decorators.wrapping import decorate_class
from authmw.errors import ConfigurationError
from authmw.wsgi.asgi import refuse_asgi

if TYPE_CHECKING:
    from authmw.build import FilterParts

_log = logging.getLogger(__name__)

WsgiApp = Callable[..., Iterable[bytes]]
C = TypeVar("C", bound=type[Any])


class Protected:
    """A WSGI callable behind the middleware; in a class body it becomes a method.

    It has the name, docstring and attributes of the wrapped callable (`__wrapped__`).
    """

    __name__: str

    def __init__(self, app: WsgiApp, configuration: Configuration) -> None:
        # An instance's attributes are its state; copies of them would become stale.
        updated = functools.WRAPPER_UPDATES if hasattr(app, "__code__") else ()
        functools.update_wrapper(self, app, updated=updated)
        self._app = app
        self._configuration = configuration
        self._middleware: WsgiApp | None = None
        self._logged_error = ""

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        """Handle one request (PEP 3333).

        A wrong configuration is found at the first request; it is logged and answered with 503.
        Call `build_filter_parts` to find it at start.
        """
        try:
            middleware = self._middleware or self._open()
        except ConfigurationError as error:
            # Logged once for each error; the next request tries again, as it may be corrected.
            if str(error) != self._logged_error:
                self._logged_error = str(error)
                _log.critical("%s", error)
            return _answer_misconfigured(environ, start_response)
        return middleware(environ, start_response)

    def __get__(self, instance: object, owner: type[Any] | None = None) -> Protected:
        bind = getattr(type(self._app), "__get__", None)
        bound = self._app if bind is None else bind(self._app, instance, owner)
        return self if bound is self._app else type(self)(bound, self._configuration)

    def build_filter_parts(self) -> FilterParts:
        """Return the parts of the filter, building them if need be; call it at start to fail early.

        Raises:
            ConfigurationError: an option is wrong.
        """
        return self._configuration.filter_parts()

    def _open(self) -> WsgiApp:
        self._middleware = self._make_middleware(self._configuration.filter_parts())
        return self._middleware

    def _make_middleware(self, parts: FilterParts) -> WsgiApp:
        from authmw.middleware import AuthMiddleware

        return AuthMiddleware.from_parts(self._app, parts)


class Protector:
    """The decorator for one configuration; it may be used many times."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration

    @overload
    def __call__(self, app: C) -> C: ...

    @overload
    def __call__(self, app: WsgiApp) -> Protected: ...

    def __call__(self, app: Any) -> Any:
        """Protect a function, a method, an instance or a class; see `protect`."""
        if isinstance(app, type):
            decorated = decorate_class(app, self._protect)
            if decorated is not None:
                return decorated
        return self._protect(app)

    def _protect(self, app: Any) -> Protected:
        # A classmethod can't be called before it is bound.
        if not callable(app) and not isinstance(app, classmethod):
            raise TypeError(f"{type(app).__qualname__} is no WSGI app: it can't be called")
        refuse_asgi(app)
        verify_arguments(app)
        _refuse_optional_views(app)
        return Protected(app, self._configuration)


@overload
def protect(app: C, /) -> C: ...


@overload
def protect(app: WsgiApp, /) -> Protected: ...


@overload
def protect(
    *,
    config_file: str | os.PathLike[str] | None = None,
    config: Any = None,
    **options: Any,
) -> Protector: ...


def protect(
    app: Any = None,
    /,
    *,
    config_file: str | os.PathLike[str] | None = None,
    config: Any = None,
    **options: Any,
) -> Any:
    """Put the middleware in front of a WSGI callable.

        @authmw.protect(config_file="/etc/inventory.conf")
        def app(environ, start_response): ...

    It decorates functions, methods, instances with `__call__`, and classes. Of a class, it protects
    the instances, or the class itself if that is the app. Apps decorated with an equal
    configuration share one filter, built at the first request.

    Args:
        config_file: with a section `[keystone_authtoken]`.
        config: an oslo.config object; by default, with no file either, `oslo_config.cfg.CONF`.
        options: any of `[keystone_authtoken]`; they override the file and the object.

    Raises:
        TypeError: an option does not exist, a file and an object were given, or the decorated
            object is no WSGI app.
    """
    verify_option_names(options)
    protector = Protector(find_configuration(options, config_file, config))
    return protector if app is None else protector(app)


def _refuse_optional_views(app: Any) -> None:
    view = find_optional_view(app)
    if view is not None:
        raise TypeError(
            f"the view {view!r} is @authmw.flask.optional, which authmw.protect can't let pass"
            " without a token: protect the app by authmw.flask.Authmw(app, ...)"
        )


def verify_arguments(app: Any) -> None:
    """Refuse a callable without the arguments of a WSGI app, such as a view or a factory.

    Raises:
        TypeError: it has others.
    """
    try:
        parameters = inspect.signature(app)
    except (TypeError, ValueError):  # no signature, as of some callables in C
        return
    # A function in a class body has `self` first.
    for arguments in (("environ", "start_response"), ("self", "environ", "start_response")):
        with contextlib.suppress(TypeError):
            parameters.bind(*arguments)
            return
    name = getattr(app, "__qualname__", type(app).__qualname__)
    raise TypeError(
        f"{name}{parameters} is no WSGI app, which is called with (environ, start_response):"
        " protect what the server calls; for one view there is authmw.require"
    )


def _answer_misconfigured(
    environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    from authmw.rejection import MISCONFIGURED, respond

    return respond(MISCONFIGURED, (), (), environ, start_response)
