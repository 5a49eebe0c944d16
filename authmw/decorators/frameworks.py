"""How the frameworks are told apart, and how each is given an answer instead of the view's.

None of them is imported here: one that serves this request is in `sys.modules` already.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from authmw.decorators.refusal import Refusal

_JSON = "application/json"

Arguments = Sequence[Any]


class Framework(NamedTuple):
    """One framework.

    Attributes:
        find: returns what the view was called with that an answer needs, or None: it is not
            this framework that calls.
        answer: makes the refusal the framework's own.
    """

    name: str
    find: Callable[[Arguments], Any]
    answer: Callable[[Any, Refusal], object]


def answer_refusal(refusal: Refusal, arguments: Arguments) -> object:
    """Return what a view called with these arguments has to return to refuse.

    Raises:
        RuntimeError: no framework known here is calling; the view is not run.
    """
    for framework in FRAMEWORKS:
        found = framework.find(arguments)
        if found is not None:
            return framework.answer(found, refusal)
    known = ", ".join(framework.name for framework in FRAMEWORKS)
    raise RuntimeError(
        f"authmw.require() refused a request and could not say so: it answers for {known}, and "
        f"this view was called by none of them (status {refusal.status})"
    )


def _find_wsgi(arguments: Arguments) -> Any:
    # A method has itself before the two.
    if len(arguments) < 2 or not isinstance(arguments[-2], dict) or not callable(arguments[-1]):
        return None
    return arguments[-1] if "REQUEST_METHOD" in arguments[-2] else None


def _answer_wsgi(start_response: Any, refusal: Refusal) -> object:
    length = str(len(refusal.body))
    headers = [("Content-Type", _JSON), ("Content-Length", length), *refusal.headers]
    start_response(refusal.status_line, headers)
    return [refusal.body]


def _find_django(arguments: Arguments) -> Any:
    # Django REST framework hands its views a request of its own, around Django's.
    wrapped = _first_of(arguments, "rest_framework.request", "Request")
    return wrapped or _first_of(arguments, "django.http", "HttpRequest")


def _answer_django(_request: Any, refusal: Refusal) -> object:
    http: Any = sys.modules["django.http"]
    return http.HttpResponse(
        refusal.body, content_type=_JSON, status=refusal.status, headers=dict(refusal.headers)
    )


def _find_falcon(arguments: Arguments) -> Any:
    if _first_of(arguments, "falcon", "Request") is None:
        return None
    return _first_of(arguments, "falcon", "Response")


def _answer_falcon(response: Any, refusal: Refusal) -> object:
    response.status = refusal.status_line
    response.content_type = _JSON
    response.data = refusal.body
    for name, value in refusal.headers:
        response.set_header(name, value)
    # A responder returns nothing.
    return None


def _find_flask(_arguments: Arguments) -> Any:
    # Its views get no request, which is a context-local.
    flask: Any = sys.modules.get("flask")
    return flask if flask is not None and flask.has_request_context() else None


def _answer_flask(flask: Any, refusal: Refusal) -> object:
    return flask.Response(
        refusal.body, refusal.status, mimetype=_JSON, headers=list(refusal.headers)
    )


def _find_pyramid(_arguments: Arguments) -> Any:
    # A view may be called with (request), (context, request), or be a method of a class
    # that was; the current request is there in all three.
    threadlocal: Any = sys.modules.get("pyramid.threadlocal")
    return None if threadlocal is None else threadlocal.get_current_request()


def _answer_pyramid(_request: Any, refusal: Refusal) -> object:
    response: Any = sys.modules["pyramid.response"]
    made = response.Response(
        body=refusal.body, status=refusal.status_line, content_type=_JSON, charset="UTF-8"
    )
    made.headers.extend(refusal.headers)
    return made


def _first_of(arguments: Arguments, module: str, name: str) -> Any:
    kind = getattr(sys.modules.get(module), name, None)
    if kind is None:
        return None
    return next((argument for argument in arguments if isinstance(argument, kind)), None)


# What the arguments tell comes first: a view of one framework may call the app of another.
FRAMEWORKS = (
    Framework("WSGI", _find_wsgi, _answer_wsgi),
    Framework("Django", _find_django, _answer_django),
    Framework("Falcon", _find_falcon, _answer_falcon),
    Framework("Flask", _find_flask, _answer_flask),
    Framework("Pyramid", _find_pyramid, _answer_pyramid),
)
