"""One app for each framework: `/` asks for what a test wants, `/open` for a valid token."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

import authmw

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Decorator = Callable[[Any], Any]
HELLO = "hello"


def wsgi_function(required: Decorator) -> WsgiApp:
    @required
    def app(_environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [HELLO.encode()]

    served: WsgiApp = app
    return served


def wsgi_method(required: Decorator) -> WsgiApp:
    class Service:
        @required
        def serve(self, environ: Any, start_response: Any) -> Iterable[bytes]:
            return wsgi_function(lambda view: view)(environ, start_response)

    served: WsgiApp = Service().serve
    return served


def wsgi_class(required: Decorator) -> WsgiApp:
    @required
    class Service:
        def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
            return wsgi_function(lambda view: view)(environ, start_response)

    served: WsgiApp = Service()
    return served


def flask_view(required: Decorator) -> WsgiApp:
    import flask

    app = flask.Flask(__name__)

    @app.get("/")
    @required
    def hello() -> str:
        return HELLO

    return app


def flask_class(required: Decorator) -> WsgiApp:
    import flask
    import flask.views

    class Hello(flask.views.MethodView):
        @required
        def get(self) -> str:
            return HELLO

    app = flask.Flask(__name__)
    app.add_url_rule("/", view_func=Hello.as_view("hello"))
    return app


_DJANGO_URLS = "tests.decorators.urls"


def set_django_up() -> ModuleType:
    """Configure Django, once in a process; returns the module of its routes."""
    import django
    from django.conf import settings

    if not settings.configured:
        sys.modules[_DJANGO_URLS] = ModuleType(_DJANGO_URLS)
        # Django REST framework asks who is logged in, of middleware that is not here.
        rest: dict[str, Any] = {"DEFAULT_AUTHENTICATION_CLASSES": [], "UNAUTHENTICATED_USER": None}
        settings.configure(
            ALLOWED_HOSTS=["*"],
            ROOT_URLCONF=_DJANGO_URLS,
            LOGGING_CONFIG=None,
            SECRET_KEY="of-the-tests",
            INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
            DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
            SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
            REST_FRAMEWORK=rest,
        )
        django.setup()
    return sys.modules[_DJANGO_URLS]


def django_app(view: Any, *middleware: Any) -> WsgiApp:
    """Serve a view at `/`, behind middleware of Django's."""
    urls = set_django_up()
    from django.core.handlers.wsgi import WSGIHandler
    from django.test import override_settings
    from django.urls import clear_url_caches, path

    urls.urlpatterns = [path("", view)]  # type: ignore[attr-defined]
    names = [f"{_DJANGO_URLS}.middleware_{number}" for number, _ in enumerate(middleware)]
    for number, one in enumerate(middleware):
        setattr(urls, f"middleware_{number}", one)
    clear_url_caches()
    with override_settings(MIDDLEWARE=names):
        app: WsgiApp = WSGIHandler()
    return app


def django_view(required: Decorator) -> WsgiApp:
    from django.http import HttpResponse

    @required
    def hello(_request: Any) -> Any:
        return HttpResponse(HELLO, content_type="text/plain")

    return django_app(hello)


def django_class(required: Decorator) -> WsgiApp:
    from django.http import HttpResponse
    from django.views import View

    class Hello(View):  # type: ignore[misc]
        @required
        def get(self, _request: Any) -> Any:
            return HttpResponse(HELLO, content_type="text/plain")

    return django_app(Hello.as_view())


def rest_framework_class(required: Decorator) -> WsgiApp:
    set_django_up()  # its parts read the settings when they are imported
    from django.http import HttpResponse
    from rest_framework.views import APIView

    class Hello(APIView):  # type: ignore[misc]
        @required
        def get(self, _request: Any) -> Any:
            return HttpResponse(HELLO, content_type="text/plain")

    return django_app(Hello.as_view())


def falcon_responder(required: Decorator) -> WsgiApp:
    import falcon

    class Hello:
        @required
        def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
            resp.text = HELLO

    app = falcon.App(media_type="text/plain")
    app.add_route("/", Hello())
    return app


def _pyramid(view: Any, **more: Any) -> WsgiApp:
    from pyramid.config import Configurator

    with Configurator() as config:
        config.add_route("hello", "/")
        config.add_view(view, route_name="hello", renderer="string", **more)
        app: WsgiApp = config.make_wsgi_app()
    return app


def pyramid_view(required: Decorator) -> WsgiApp:
    @required
    def hello(_request: Any) -> str:
        return HELLO

    return _pyramid(hello)


def pyramid_class(required: Decorator) -> WsgiApp:
    class Hello:
        def __init__(self, request: Any) -> None:
            self.request = request

        @required
        def hello(self) -> str:
            return HELLO

    return _pyramid(Hello, attr="hello")


def flask_async_view(required: Decorator) -> WsgiApp:
    import flask

    app = flask.Flask(__name__)

    @app.get("/")
    @required
    async def hello() -> str:
        assert authmw.current() is not None
        return HELLO

    return app


APPS = (
    wsgi_function,
    wsgi_method,
    wsgi_class,
    flask_view,
    flask_class,
    flask_async_view,
    django_view,
    django_class,
    rest_framework_class,
    falcon_responder,
    pyramid_view,
    pyramid_class,
)
