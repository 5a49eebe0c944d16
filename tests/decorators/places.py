"""One app for each place where frameworks call code before, or instead of, a view.

Every app answers `/` and calls `done` where what is protected happens. What is decorated, or
calls `authmw.check`, gives its verdict by raising alone: no app looks at what it returns.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import authmw
from tests.support.views import Decorator, WsgiApp, django_app, set_django_up

Done = Callable[[], None]
Place = Callable[[Decorator, Done], WsgiApp]
PLACES: list[Place] = []


def place(make: Place) -> Place:
    PLACES.append(make)
    return make


def _nothing(*_arguments: Any, **_named: Any) -> None:
    """Decorated, it is a check and nothing else."""


# Plain WSGI.


@place
def wsgi_helper(required: Decorator, done: Done) -> WsgiApp:
    @required
    def may_delete() -> bool:
        return False

    def app(_environ: Any, start_response: Any) -> Iterable[bytes]:
        may_delete()
        done()
        start_response("200 OK", [])
        return []

    return app


@place
def wsgi_callable_used_as_a_check(required: Decorator, done: Done) -> WsgiApp:
    check = required(_nothing)

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        check(environ, start_response)
        done()
        start_response("200 OK", [])
        return []

    return app


@place
def wsgi_generator(required: Decorator, done: Done) -> WsgiApp:
    @required
    def app(_environ: Any, start_response: Any) -> Iterator[bytes]:
        done()
        start_response("200 OK", [])
        yield b"x"

    served: WsgiApp = app
    return served


@place
def wsgi_within_a_generator(required: Decorator, done: Done) -> WsgiApp:
    check = required(_nothing)

    def app(_environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        check()
        done()
        yield b"x"

    return app


@place
def wsgi_after_start_response(required: Decorator, done: Done) -> WsgiApp:
    check = required(_nothing)

    def app(_environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("X-Of-The-App", "1")])
        check()
        done()
        return [b"x"]

    return app


@place
def wsgi_behind_a_catcher_of_errors(required: Decorator, done: Done) -> WsgiApp:
    app = required(_wsgi(done))

    def catch(environ: Any, start_response: Any) -> Iterable[bytes]:
        try:
            return list(app(environ, start_response))
        except Exception:  # noqa: BLE001
            start_response("500 Internal Server Error", [("Content-Type", "text/html")])
            return [b"<h1>sorry</h1>"]

    return catch


@place
def webob_function(required: Decorator, done: Done) -> WsgiApp:
    import webob.dec

    def app(request: Any) -> Any:
        done()
        return request.ResponseClass()

    served: WsgiApp = webob.dec.wsgify(required(app))
    return served


def _wsgi(done: Done) -> WsgiApp:
    def app(_environ: Any, start_response: Any) -> Iterable[bytes]:
        done()
        start_response("200 OK", [])
        return []

    return app


# Flask.


def _flask(register: Callable[[Any], None]) -> WsgiApp:
    import flask

    app = flask.Flask(__name__)
    register(app)
    return app


def _flask_view(done: Done) -> Callable[[], str]:
    def view() -> str:
        done()
        return "x"

    return view


@place
def flask_before_request(required: Decorator, done: Done) -> WsgiApp:
    def register(app: Any) -> None:
        app.before_request(required(_nothing))
        app.add_url_rule("/", view_func=_flask_view(done))

    return _flask(register)


@place
def flask_helper(required: Decorator, done: Done) -> WsgiApp:
    check = required(_nothing)

    def view() -> str:
        check()
        done()
        return "x"

    return _flask(lambda app: app.add_url_rule("/", view_func=view))


@place
def flask_async_helper(required: Decorator, done: Done) -> WsgiApp:
    @required
    async def check() -> None:
        pass

    async def view() -> str:
        await check()
        done()
        return "x"

    return _flask(lambda app: app.add_url_rule("/", view_func=view))


@place
def flask_blueprint(required: Decorator, done: Done) -> WsgiApp:
    import flask

    blueprint = flask.Blueprint("part", __name__)
    blueprint.before_request(required(_nothing))
    blueprint.add_url_rule("/", view_func=_flask_view(done))
    return _flask(lambda app: app.register_blueprint(blueprint))


@place
def flask_decorators_of_a_view_class(required: Decorator, done: Done) -> WsgiApp:
    from flask.views import MethodView

    class View(MethodView):
        def get(self) -> str:
            done()
            return "x"

    View.decorators = [required]
    return _flask(lambda app: app.add_url_rule("/", view_func=View.as_view("view")))


@place
def flask_dispatch_of_a_view_class(required: Decorator, done: Done) -> WsgiApp:
    from flask.views import MethodView

    class View(MethodView):
        @required
        def dispatch_request(self, **more: Any) -> Any:
            return super().dispatch_request(**more)

        def get(self) -> str:
            done()
            return "x"

    return _flask(lambda app: app.add_url_rule("/", view_func=View.as_view("view")))


@place
def flask_loader_of_values(required: Decorator, done: Done) -> WsgiApp:
    def register(app: Any) -> None:
        app.url_value_preprocessor(required(_nothing))
        app.add_url_rule("/", view_func=_flask_view(done))

    return _flask(register)


@place
def flask_view_that_calls_a_wsgi_app(required: Decorator, done: Done) -> WsgiApp:
    inner = required(_wsgi(done))
    return _flask(lambda app: app.add_url_rule("/", view_func=lambda: inner))


# Django.


def _django_view(done: Done) -> Any:
    from django.http import HttpResponse

    def view(_request: Any) -> Any:
        done()
        return HttpResponse("x")

    return view


@place
def django_view(required: Decorator, done: Done) -> WsgiApp:
    return django_app(required(_django_view(done)))


@place
def django_async_view(required: Decorator, done: Done) -> WsgiApp:
    from django.http import HttpResponse

    @required
    async def view(_request: Any) -> Any:
        done()
        return HttpResponse("x")

    return django_app(view)


@place
def django_helper(required: Decorator, done: Done) -> WsgiApp:
    check, view = required(_nothing), _django_view(done)

    def checked(request: Any) -> Any:
        check()
        return view(request)

    return django_app(checked)


@place
def django_helper_given_the_request(required: Decorator, done: Done) -> WsgiApp:
    check, view = required(_nothing), _django_view(done)

    def checked(request: Any) -> Any:
        check(request)
        return view(request)

    return django_app(checked)


def _django_class(done: Done, **methods: Any) -> Any:
    from django.views import View

    view = _django_view(done)
    namespace = {"get": lambda _self, request: view(request), **methods}
    return type("Checked", (View,), namespace)


@place
def django_dispatch(required: Decorator, done: Done) -> WsgiApp:
    from django.views import View

    @required
    def dispatch(self: Any, request: Any, **more: Any) -> Any:
        return View.dispatch(self, request, **more)

    return django_app(_django_class(done, dispatch=dispatch).as_view())


@place
def django_setup_of_a_view_class(required: Decorator, done: Done) -> WsgiApp:
    from django.views import View

    @required
    def setup(self: Any, request: Any, **more: Any) -> None:
        View.setup(self, request, **more)

    return django_app(_django_class(done, setup=setup).as_view())


@place
def django_test_of_a_mixin(required: Decorator, done: Done) -> WsgiApp:
    set_django_up()
    from django.contrib.auth.mixins import UserPassesTestMixin

    tested = {"test_func": required(lambda _self: True)}
    mixed: Any = type("Mixed", (UserPassesTestMixin, _django_class(done)), tested)
    return django_app(mixed.as_view())


@place
def django_method_decorator(required: Decorator, done: Done) -> WsgiApp:
    from django.utils.decorators import method_decorator

    return django_app(method_decorator(required, name="dispatch")(_django_class(done)).as_view())


@place
def django_middleware_call(required: Decorator, done: Done) -> WsgiApp:
    check = required(_nothing)

    def middleware(get_response: Any) -> Any:
        def respond(request: Any) -> Any:
            check(request)
            return get_response(request)

        return respond

    return django_app(_django_view(done), middleware)


@place
def django_middleware_process_view(required: Decorator, done: Done) -> WsgiApp:
    check = required(_nothing)

    class Middleware:
        def __init__(self, get_response: Any) -> None:
            self.get_response = get_response

        def __call__(self, request: Any) -> Any:
            return self.get_response(request)

        def process_view(self, request: Any, *_more: Any) -> None:
            check(request)

    return django_app(_django_view(done), Middleware)


# Django REST framework.


def _rest(done: Done, **members: Any) -> WsgiApp:
    set_django_up()
    from rest_framework.response import Response
    from rest_framework.views import APIView

    def get(_self: Any, _request: Any) -> Any:
        done()
        return Response({"done": True})

    checked: Any = type("Checked", (APIView,), {"get": get, **members})
    return django_app(checked.as_view())


@place
def rest_permission(required: Decorator, done: Done) -> WsgiApp:
    set_django_up()
    from rest_framework.permissions import BasePermission

    class IsAdmin(BasePermission):  # type: ignore[misc]
        @required
        def has_permission(self, _request: Any, _view: Any) -> bool:
            return True

    return _rest(done, permission_classes=[IsAdmin])


@place
def rest_check_permissions(required: Decorator, done: Done) -> WsgiApp:
    return _rest(done, check_permissions=required(_nothing))


@place
def rest_initial(required: Decorator, done: Done) -> WsgiApp:
    set_django_up()
    from rest_framework.views import APIView

    @required
    def initial(self: Any, request: Any, **more: Any) -> None:
        APIView.initial(self, request, **more)

    return _rest(done, initial=initial)


@place
def rest_initialize_request(required: Decorator, done: Done) -> WsgiApp:
    set_django_up()
    from rest_framework.views import APIView

    @required
    def initialize_request(self: Any, request: Any, **more: Any) -> Any:
        return APIView.initialize_request(self, request, **more)

    return _rest(done, initialize_request=initialize_request)


@place
def rest_dispatch(required: Decorator, done: Done) -> WsgiApp:
    set_django_up()
    from rest_framework.views import APIView

    @required
    def dispatch(self: Any, request: Any, **more: Any) -> Any:
        return APIView.dispatch(self, request, **more)

    return _rest(done, dispatch=dispatch)


@place
def rest_authentication(required: Decorator, done: Done) -> WsgiApp:
    set_django_up()
    from rest_framework.authentication import BaseAuthentication

    class Checked(BaseAuthentication):  # type: ignore[misc]
        @required
        def authenticate(self, _request: Any) -> None:
            return None

    return _rest(done, authentication_classes=[Checked])


@place
def rest_helper(required: Decorator, done: Done) -> WsgiApp:
    check = required(_nothing)

    def get(_self: Any, _request: Any) -> Any:
        from rest_framework.response import Response

        check()
        done()
        return Response({})

    return _rest(done, get=get)


@place
def rest_function_view_from_below(required: Decorator, done: Done) -> WsgiApp:
    set_django_up()
    from rest_framework.decorators import api_view
    from rest_framework.response import Response

    def view(_request: Any) -> Any:
        done()
        return Response({})

    return django_app(api_view(["GET"])(required(view)))


@place
def rest_function_view_from_above(required: Decorator, done: Done) -> WsgiApp:
    set_django_up()
    from rest_framework.decorators import api_view
    from rest_framework.response import Response

    def view(_request: Any) -> Any:
        done()
        return Response({})

    return django_app(required(api_view(["GET"])(view)))


# Falcon.


class _Resource:
    def __init__(self, done: Done) -> None:
        self.done = done

    def on_get(self, _req: Any, _resp: Any) -> None:
        self.done()


def _falcon(resource: Any, *middleware: Any) -> WsgiApp:
    import falcon

    app = falcon.App(middleware=list(middleware))
    app.add_route("/", resource)
    served: WsgiApp = app
    return served


@place
def falcon_before_a_responder(required: Decorator, done: Done) -> WsgiApp:
    import falcon

    class Resource(_Resource):
        on_get = falcon.before(required(_nothing))(_Resource.on_get)

    return _falcon(Resource(done))


@place
def falcon_before_a_resource(required: Decorator, done: Done) -> WsgiApp:
    import falcon

    @falcon.before(required(_nothing))
    class Resource:
        def on_get(self, _req: Any, _resp: Any) -> None:
            done()

    return _falcon(Resource())


@place
def falcon_process_request(required: Decorator, done: Done) -> WsgiApp:
    class Middleware:
        @required
        def process_request(self, _req: Any, _resp: Any) -> None:
            pass

    return _falcon(_Resource(done), Middleware())


@place
def falcon_process_resource(required: Decorator, done: Done) -> WsgiApp:
    class Middleware:
        @required
        def process_resource(self, _req: Any, _resp: Any, _resource: Any, _params: Any) -> None:
            pass

    return _falcon(_Resource(done), Middleware())


@place
def falcon_sink(required: Decorator, done: Done) -> WsgiApp:
    import falcon

    @required
    def sink(_req: Any, _resp: Any) -> None:
        done()

    app = falcon.App()
    app.add_sink(sink)
    served: WsgiApp = app
    return served


@place
def falcon_helper(required: Decorator, done: Done) -> WsgiApp:
    check = required(_nothing)

    class Resource:
        def on_get(self, _req: Any, _resp: Any) -> None:
            check()
            done()

    return _falcon(Resource())


# Pyramid.


def _pyramid(
    done: Done, configure: Callable[[Any], None], view: Any = None, **more: Any
) -> WsgiApp:
    from pyramid.config import Configurator
    from pyramid.response import Response

    def hello(_request: Any) -> Any:
        done()
        return Response("x")

    with Configurator() as config:
        configure(config)
        config.add_route("hello", "/")
        config.add_view(view or hello, route_name="hello", **more)
        app: WsgiApp = config.make_wsgi_app()
    return app


@place
def pyramid_subscriber(required: Decorator, done: Done) -> WsgiApp:
    from pyramid.events import NewRequest

    return _pyramid(done, lambda config: config.add_subscriber(required(_nothing), NewRequest))


@place
def pyramid_tween(required: Decorator, done: Done) -> WsgiApp:
    def factory(handler: Any, _registry: Any) -> Any:
        return required(lambda request: handler(request))

    factory.__name__ = "checking"
    return _pyramid(done, lambda config: config.add_tween(_name_in_this_module(factory)))


@place
def pyramid_decorator(required: Decorator, done: Done) -> WsgiApp:
    def decorate(view: Any) -> Any:
        return required(lambda context, request: view(context, request))

    return _pyramid(done, _nothing, decorator=decorate)


@place
def pyramid_factory_of_the_context(required: Decorator, done: Done) -> WsgiApp:
    return _pyramid(done, lambda config: config.set_root_factory(required(_nothing)))


@place
def pyramid_helper(required: Decorator, done: Done) -> WsgiApp:
    from pyramid.response import Response

    check = required(_nothing)

    def view(_request: Any) -> Any:
        check()
        done()
        return Response("x")

    return _pyramid(done, _nothing, view=view)


@place
def pyramid_view_configured_from_above(required: Decorator, done: Done) -> WsgiApp:
    """A scan looks at the members of a module."""
    import types

    from pyramid.config import Configurator
    from pyramid.response import Response
    from pyramid.view import view_config

    def view(_request: Any) -> Any:
        done()
        return Response("x")

    module: Any = types.ModuleType(view.__module__)
    module.view = view_config(route_name="hello")(required(view))
    with Configurator() as config:
        config.add_route("hello", "/")
        config.scan(module)
        app: WsgiApp = config.make_wsgi_app()
    return app


def _name_in_this_module(thing: Any) -> str:
    """Make it importable, as Pyramid wants tweens named."""
    globals()[thing.__name__] = thing
    return f"{__name__}.{thing.__name__}"


def by_require(**required: Any) -> Decorator:
    return authmw.require(**required)


def by_check(**required: Any) -> Decorator:
    """Call `authmw.check` first thing in what is decorated."""

    def decorate(view: Any) -> Any:
        if inspect.iscoroutinefunction(view):

            @functools.wraps(view)
            async def checked_async(*arguments: Any, **named: Any) -> Any:
                authmw.check(**required)
                return await view(*arguments, **named)

            return checked_async

        @functools.wraps(view)
        def checked(*arguments: Any, **named: Any) -> Any:
            authmw.check(**required)
            return view(*arguments, **named)

        # Pyramid does not look behind a wrapper.
        with contextlib.suppress(ValueError, TypeError):
            checked.__signature__ = inspect.signature(view)  # type: ignore[attr-defined]
        return checked

    return decorate
