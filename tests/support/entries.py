"""One app for each framework behind its own entry to authmw; it answers `hello` to everything.

An entry is the extension, middleware or function by which a framework's apps are protected. Each
app hands the environ of every request that reached a view to `note`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tests.support.views import WsgiApp, set_django_up

Note = Callable[[dict[str, Any]], None]
Entry = Callable[[Mapping[str, Any], Note], WsgiApp]


def flask_extension(options: Mapping[str, Any], note: Note) -> WsgiApp:
    import flask

    import authmw.flask

    app = flask.Flask(__name__)
    authmw.flask.Authmw(app, **options)

    def view(**_values: Any) -> Any:
        note(dict(flask.request.environ))
        return flask.Response("hello", content_type="text/plain")

    app.add_url_rule("/", view_func=view, methods=_METHODS)
    return app


def falcon_middleware(options: Mapping[str, Any], note: Note) -> WsgiApp:
    import falcon

    import authmw.falcon

    class Resource:
        def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
            note(dict(req.env))
            resp.content_type, resp.text = "text/plain", "hello"

        on_head = on_post = on_options = on_get

    app = falcon.App()
    app.add_route("/", Resource())
    return authmw.falcon.protect(app, **options)


def pyramid_tween(options: Mapping[str, Any], note: Note) -> WsgiApp:
    from pyramid.config import Configurator
    from pyramid.response import Response

    import authmw.pyramid

    def view(request: Any) -> Any:
        note(dict(request.environ))
        return Response("hello", content_type="text/plain")

    with Configurator() as config:
        config.include("authmw.pyramid")
        config.add_route("all", "/")
        config.add_view(view, route_name="all")
        return authmw.pyramid.protect(config.make_wsgi_app(), **options)


def django_middleware(options: Mapping[str, Any], note: Note) -> WsgiApp:
    app: WsgiApp = make_django(options, _django_view(note), _DJANGO)
    return app


def django_with_sessions(options: Mapping[str, Any], note: Note) -> WsgiApp:
    app: WsgiApp = make_django(options, _django_view(note), DJANGO_WITH_SESSIONS)
    return app


_METHODS = ["GET", "HEAD", "POST", "OPTIONS"]
_DJANGO = ("authmw.django.AuthMiddleware",)
DJANGO_WITH_SESSIONS = (
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "authmw.django.AuthMiddleware",
)


def _django_view(note: Note) -> Callable[[Any], Any]:
    set_django_up()
    from django.http import HttpResponse

    def view(request: Any) -> Any:
        note(dict(request.META))
        return HttpResponse("hello", content_type="text/plain")

    return view


def make_django(
    options: Mapping[str, Any],
    view: Any,
    middleware: Iterable[str],
    *,
    is_async: bool = False,
    **settings: Any,
) -> Any:
    """Serve a view at `/`; settings hold while the handler is made and while it answers."""
    urls = set_django_up()
    from django.core.handlers.asgi import ASGIHandler
    from django.core.handlers.wsgi import WSGIHandler
    from django.test import override_settings
    from django.urls import clear_url_caches, path

    chosen = {"AUTHMW": dict(options), "MIDDLEWARE": list(middleware), **settings}
    with override_settings(**chosen):
        handler = ASGIHandler() if is_async else WSGIHandler()

    def route() -> None:
        urls.urlpatterns = [path("", view)]  # type: ignore[attr-defined]
        clear_url_caches()

    if is_async:

        async def serve_async(scope: Any, receive: Any, send: Any) -> None:
            route()
            with override_settings(**chosen):
                await handler(scope, receive, send)

        return serve_async

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        route()
        with override_settings(**chosen):
            answer: Iterable[bytes] = handler(environ, start_response)
            return answer

    return serve


ENTRIES: tuple[Entry, ...] = (
    flask_extension,
    falcon_middleware,
    pyramid_tween,
    django_middleware,
    django_with_sessions,
)
