"""Makes the exception of `require` and `check` an exception of the loaded web frameworks.

A framework turns its own exceptions into responses and treats all others as faults. Where an
exception is raised, nothing tells which framework will catch it: a helper does not get the
request, and an app of one framework may call an app of another. So the exception is of every
loaded framework's kind, and the first framework to catch it recognises it.

No framework is imported here: one that serves this request is already in `sys.modules`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

from authmw.errors import Refusal, Refused

# Modules with their exceptions for 401, 403 and 503. Pyramid's come first: they are also
# responses, and the other frameworks accept their members.
_PYRAMID = (
    "pyramid.httpexceptions",
    "HTTPUnauthorized",
    "HTTPForbidden",
    "HTTPServiceUnavailable",
)
_OTHERS = (
    ("falcon", "HTTPStatus", "HTTPStatus", "HTTPStatus"),
    ("werkzeug.exceptions", "Unauthorized", "Forbidden", "ServiceUnavailable"),
    ("webob.exc", "HTTPException", "HTTPException", "HTTPException"),
)
# Where no WSGI server is at work. FastAPI's exception is one of these.
_STARLETTE = ("starlette.exceptions", *["HTTPException"] * 3)
# Django REST framework answers both kinds, but takes an exception of both for Django's.
_REST = ("rest_framework.exceptions", "APIException", "APIException", "APIException")
_DJANGO = ("django.core.exceptions", *["PermissionDenied"] * 3)
_STATUSES = (401, 403, 503)

_made: dict[tuple[type[Any], ...], type[Refused]] = {}


def make_exception(refusal: Refusal, *, is_wsgi: bool | None = None) -> Refused:
    """Return the exception to raise for a refusal.

    Args:
        refusal: to answer with.
        is_wsgi: whether the request came by WSGI, else by ASGI; None: it came past no middleware.
    """
    if is_wsgi is None:
        is_wsgi = not _is_within_starlette(sys._getframe())
    is_rest = is_wsgi and _is_within_rest_framework(sys._getframe())
    found = (
        getattr(sys.modules.get(module), names[_STATUSES.index(refusal.status)], None)
        for module, *names in (
            _PYRAMID if is_wsgi else _STARLETTE,
            _REST if is_rest else _DJANGO,
            *_OTHERS,
        )
    )
    kinds = tuple(kind for kind in found if kind is not None)
    made = _made.get(kinds)
    if made is None:
        made = _made.setdefault(kinds, _make_class(kinds))
    return made(refusal)


def _is_within_rest_framework(frame: FrameType | None) -> bool:
    """Return whether a view of Django REST framework would catch an exception raised here."""
    if "rest_framework.views" not in sys.modules:
        return False
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module == "rest_framework.views" and frame.f_code.co_name == "dispatch":
            return True
        if module == "rest_framework.renderers":  # asks which forms a page may show
            return True
        if module in ("django.core.handlers.exception", "authmw.middleware"):
            return False
        frame = frame.f_back
    return False


def _is_within_starlette(frame: FrameType | None) -> bool:
    """Return whether Starlette runs this code, or anyio in a thread for it."""
    if "starlette.exceptions" not in sys.modules:
        return False
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith(("starlette.", "anyio.")):
            return True
        frame = frame.f_back
    return False


def _make_class(kinds: tuple[type[Any], ...]) -> type[Refused]:
    parents = {_PYRAMID[0]: _PyramidRefused, _STARLETTE[0]: _StarletteRefused}
    parent: type[Refused] = (
        parents.get(kinds[0].__module__, _PlainRefused) if kinds else _PlainRefused
    )
    return type("Refused", (parent, *kinds), {"__module__": Refused.__module__})


class _AnyRefused(Refused):
    """Members that all frameworks share; the frameworks' own `__init__` are not called."""

    def __init__(self, refusal: Refusal) -> None:
        Refused.__init__(self, refusal)
        # Werkzeug, WebOb, Pyramid.
        self.code = refusal.status
        self.result = None
        self.title = refusal.status_line[4:]
        self.description = self.message = self.explanation = str(self)
        self.response = None
        # Django REST framework.
        self.detail = json.loads(refusal.body)
        headers = dict(refusal.headers)
        self.auth_header = headers.get("WWW-Authenticate")
        self.wait = int(headers["Retry-After"]) if "Retry-After" in headers else None

    __str__ = Exception.__str__

    def get_codes(self) -> str:
        """Return the error code for exception handlers of Django REST framework."""
        codes = ("not_authenticated", "permission_denied", "unavailable")
        return codes[_STATUSES.index(self.refusal.status)]

    def get_full_details(self) -> dict[str, object]:
        """Return message and error code for Django REST framework."""
        return {"message": self.detail["error"]["message"], "code": self.get_codes()}

    def get_body(self, *_request: object) -> str:
        """Return the body for Werkzeug's response."""
        return self.refusal.body.decode()

    def get_headers(self, *_request: object) -> list[tuple[str, str]]:
        """Return the headers for Werkzeug's response, which adds Content-Length."""
        return [pair for pair in self.refusal.all_headers if pair[0] != "Content-Length"]


class _PlainRefused(_AnyRefused):
    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal)
        # WebOb: its HTTPException refers to a response; Pyramid's is one.
        self.wsgi_response = self
        # Falcon.
        self.status = refusal.status_line
        self.headers = dict(refusal.all_headers)
        self.text = refusal.body.decode()

    @property
    def status_code(self) -> int:
        """Return the status for Django REST framework and Falcon."""
        return self.refusal.status

    status_int = status_code

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer (PEP 3333), as Werkzeug's and WebOb's exceptions do."""
        start_response(self.refusal.status_line, self.refusal.all_headers)
        return self.refusal.body_for(environ)


class _StarletteRefused(_PlainRefused):
    """For frameworks that make a body of `detail`, and know its length and type themselves."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal)
        self.detail = refusal.message
        self.headers = dict(refusal.headers)


class _PyramidRefused(_AnyRefused):
    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal)
        # Callbacks of the request may add cookies and more to it.
        response: Any = sys.modules["pyramid.response"]
        response.Response.__init__(
            self,
            body=refusal.body,
            status=refusal.status_line,
            content_type="application/json",
            charset="UTF-8",
        )
        self.headers: Any
        self.headers.extend(refusal.headers)
