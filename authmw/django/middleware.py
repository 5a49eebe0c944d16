"""The Django middleware: it authenticates each request and sets `request.user`.

It decides, answers and sets the identity headers by the functions of the WSGI middleware:
`request.META` is the environ of WSGI, and under ASGI a dict of the same form.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import settings
from django.http import HttpResponse
from django.utils.cache import patch_cache_control, patch_vary_headers

from authmw.checks.presented_token import read_user_token
from authmw.django.conf import read_configuration, read_permissions
from authmw.django.streaming import keep_current
from authmw.django.user import TokenUser, make_anonymous
from authmw.errors import Refused
from authmw.rejection import PLACEHOLDER_CHALLENGE, REFUSED, REFUSED_FOR, Rejection
from authmw.responses import Response, headers_to_add, render_rejection
from authmw.runtime.request import begin, end
from authmw.token import Token, headers
from authmw.wsgi.requirement_answers import is_unanswered

if TYPE_CHECKING:
    from authmw.build import FilterParts


class AuthMiddleware:
    """Middleware for the setting MIDDLEWARE: "authmw.django.AuthMiddleware".

    It stands after `AuthenticationMiddleware`, if that is there. A valid token decides who
    `request.user` is; without one `request.user` is the session's, or nobody. A request whose
    token is refused is nobody's, whatever its session says (with `delay_auth_decision`).

    Django's protection against forged requests (CSRF) is for credentials that browsers attach by
    themselves. It does not apply to a request that has a valid token and no session cookie, nor to
    one whose token was refused and that has no cookie at all.

    Under ASGI a request is authenticated in a thread.

    Args:
        get_response: the rest of Django's middleware, or the view; sync or async.

    Raises:
        ConfigurationError: AUTHMW or AUTHMW_PERMISSIONS is wrong; raised when the server loads
            the project.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self._get_response = get_response
        # Kept, since equal configurations share one filter while one of them is in use.
        self._configuration = read_configuration()
        self._parts: FilterParts = self._configuration.filter_parts()
        self._permissions = read_permissions()
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any:
        """Handle one request."""
        if self._is_async:
            return self._respond_async(request)
        rejection = self._parts.authenticator.authenticate(request.META)
        if rejection is not None:
            return self._reject(request, rejection)
        self._set_user(request)
        mark = begin(request.META)
        try:
            response = self._get_response(request)
        finally:
            end(mark)
        return self._finish(request, response)

    async def _respond_async(self, request: Any) -> Any:
        # The identity service may have to be asked, which blocks.
        rejection = await sync_to_async(self._authenticate_asgi, thread_sensitive=False)(request)
        if rejection is not None:
            return await sync_to_async(self._reject, thread_sensitive=False)(request, rejection)
        self._set_user(request)
        mark = begin(request.META)
        try:
            answering: Awaitable[Any] = self._get_response(request)
            response = await answering
        finally:
            end(mark)
        # A challenge may take discovery; one in a group of exceptions is a 500 so far.
        if response.status_code in (401, 403) or REFUSED in request.META:
            return await sync_to_async(self._finish, thread_sensitive=False)(request, response)
        return self._finish(request, response)

    def _authenticate_asgi(self, request: Any) -> Rejection | None:
        meta = request.META
        meta.setdefault("wsgi.url_scheme", request.scheme)
        # WSGI has paths as Latin-1 (PEP 3333, "Unicode Issues"); Django decodes those of ASGI.
        decoded = {name: meta[name] for name in ("SCRIPT_NAME", "PATH_INFO") if name in meta}
        meta.update(
            {
                name: path.encode("utf-8", "surrogateescape").decode("latin-1")
                for name, path in decoded.items()
            }
        )
        try:
            return self._parts.authenticator.authenticate(meta)
        finally:
            meta.update(decoded)

    def _reject(self, request: Any, rejection: Rejection) -> HttpResponse:
        # Code that answers for other middleware must not believe what the client sent.
        request.__dict__.pop("headers", None)
        response = _make_response(render_rejection(self._parts, request.META, rejection))
        self._keep_from_caches(request.META, response)
        return response

    def _set_user(self, request: Any) -> None:
        # Middleware in front may have read `request.headers`, a copy of what the client sent.
        request.__dict__.pop("headers", None)
        meta = request.META
        token: Token | None = meta.get(headers.TOKEN)
        if token is not None:
            _become(request, TokenUser(token, self._permissions))
            if settings.SESSION_COOKIE_NAME not in request.COOKIES:
                _lift_csrf_check(request)
        elif self._brings_token(meta):
            _become(request, make_anonymous())
            # The token of a public path is not looked at, and excuses nothing. Code behind us may
            # take a cookie of its own, or the server's word, for a login.
            is_refused = REFUSED_FOR in meta or headers.UNDECIDED in meta
            if is_refused and not request.COOKIES and not meta.get("REMOTE_USER"):
                _lift_csrf_check(request)
        elif not hasattr(request, "user"):
            # Not remembered: `AuthenticationMiddleware` may come after this one.
            request.user = make_anonymous()

    def _brings_token(self, meta: dict[str, Any]) -> bool:
        """Return whether the client sent a user token, which was then refused or ignored."""
        accepts_bearer = self._parts.settings.accept_bearer
        # A copy, since reading copies a bearer token.
        token = read_user_token(dict(meta), accepts_bearer=accepts_bearer)
        return bool(token and token.strip())

    def process_exception(self, request: Any, exception: Exception) -> HttpResponse | None:
        """Answer what a view raised by `require` or `check`.

        Django would log it as PermissionDenied, with a traceback, and answer 403.
        """
        if not isinstance(exception, Refused):
            return None
        return _make_refused(request.META, exception)

    def _finish(self, request: Any, response: Any) -> Any:
        """Return the response, or the refusal that Django could not send as it is."""
        meta = request.META
        refused: Refused | None = meta.get(REFUSED)
        if refused is not None and is_unanswered(refused, str(response.status_code)):
            response = _make_refused(meta, refused)
        if response.status_code == 401 or (response.status_code > 401 and REFUSED in meta):
            self._add_headers(meta, response)
        self._keep_from_caches(meta, response)
        keep_current(meta, response)
        return response

    def _keep_from_caches(self, meta: dict[str, Any], response: Any) -> None:
        """Let no cache give the answer of one caller to another."""
        varying = ["X-Auth-Token", "X-Storage-Token"]
        if self._parts.settings.accept_bearer:
            varying.append("Authorization")
        patch_vary_headers(response, varying)
        if headers.TOKEN in meta and not _SHARED.intersection(_directives(response)):
            # As RFC 9111 §3.5 has it for Authorization. A cache would answer a token that has
            # expired or was revoked since, where views decide on requests without a valid one.
            patch_cache_control(response, private=True)

    def _add_headers(self, meta: dict[str, Any], response: Any) -> None:
        status = f"{response.status_code} {response.reason_phrase}"
        added = headers_to_add(self._parts, status, list(response.items()), meta)
        if added and response.get("WWW-Authenticate") == PLACEHOLDER_CHALLENGE:
            del response["WWW-Authenticate"]
        _add(response, added)


# A response with one of these may be given to other callers (RFC 9111 §3.5): its view says so.
_SHARED = frozenset({"public", "s-maxage", "must-revalidate"})


def _directives(response: Any) -> list[str]:
    """Return the names of a response's cache directives, in lower case."""
    value: str = response.get("Cache-Control", "")
    return [one.partition("=")[0].strip().lower() for one in value.split(",")]


def _lift_csrf_check(request: Any) -> None:
    # CsrfViewMiddleware and SessionAuthentication of REST framework read it.
    request._dont_enforce_csrf_checks = True


def _become(request: Any, user: Any) -> None:
    """Make `user` that of a request, for sync and async code."""

    async def auser() -> Any:
        return user

    request.user = user
    request.auser = auser
    # Where Django's own middleware remembers it: `get_user` would look into the session.
    request._cached_user = request._acached_user = user


def _make_refused(meta: dict[str, Any], refused: Refused) -> HttpResponse:
    refusal = refused.refusal
    body = b"".join(refusal.body_for(meta))
    return _make_response(Response(refusal.status, refusal.all_headers, body))


def _make_response(response: Response) -> HttpResponse:
    made = HttpResponse(response.body, status=response.status)
    del made["Content-Type"]
    _add(made, response.headers)
    return made


def _add(response: Any, added: Sequence[tuple[str, str]]) -> None:
    """Add headers; Django has one of a name, so that values are joined (RFC 9110 §5.3)."""
    for name, value in added:
        response[name] = f"{response[name]}, {value}" if response.has_header(name) else value
