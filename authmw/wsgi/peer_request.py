"""The request that `process_request` is handed, as with keystonemiddleware.

Loaded for subclasses that override it; no other request takes WebOb.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from authmw.runtime.libraries import importing_quietly
from authmw.token import headers
from authmw.wsgi.streaming import close

with importing_quietly():
    import webob
    import webob.exc


class AuthTokenRequest(webob.Request):  # type: ignore[misc]
    """A request with the members of the peer's, all of them views of its environ.

    Its `set_user_headers` and the like are missing: what `super().process_request` accepts is in
    the headers already.
    """

    @property
    def user_token(self) -> str | None:
        """The user's token as it was sent."""
        token: str | None = self.headers.get("X-Auth-Token", self.headers.get("X-Storage-Token"))
        return token

    @property
    def service_token(self) -> str | None:
        """The service token as it was sent."""
        token: str | None = self.headers.get("X-Service-Token")
        return token

    @property
    def user_token_valid(self) -> bool:
        """Whether X-Identity-Status is Confirmed."""
        return bool(self.environ.get(headers.USER_STATUS_KEY) == headers.CONFIRMED)

    @user_token_valid.setter
    def user_token_valid(self, is_valid: bool) -> None:
        self.environ[headers.USER_STATUS_KEY] = headers.CONFIRMED if is_valid else headers.INVALID

    @property
    def service_token_valid(self) -> bool:
        """Whether X-Service-Identity-Status is Confirmed."""
        return bool(self.environ.get(headers.SERVICE_STATUS_KEY) == headers.CONFIRMED)

    @service_token_valid.setter
    def service_token_valid(self, is_valid: bool) -> None:
        status = headers.CONFIRMED if is_valid else headers.INVALID
        self.environ[headers.SERVICE_STATUS_KEY] = status

    @property
    def token_info(self) -> Any:
        """`keystone.token_info`, None before `super().process_request` or without a token."""
        return self.environ.get(headers.TOKEN_INFO)

    @token_info.setter
    def token_info(self, value: Any) -> None:
        self.environ[headers.TOKEN_INFO] = value

    @property
    def token_auth(self) -> Any:
        """`keystone.token_auth`, None before `super().process_request`."""
        return self.environ.get(headers.TOKEN_AUTH)

    @token_auth.setter
    def token_auth(self, value: Any) -> None:
        self.environ[headers.TOKEN_AUTH] = value

    @property
    def auth_type(self) -> str | None:
        """How the server authenticated the client, in lower case."""
        auth_type: str | None = self.environ.get("AUTH_TYPE")
        return None if auth_type is None else auth_type.lower()

    def remove_auth_headers(self) -> None:
        """Remove the identity headers; those of the client are gone already."""
        headers.strip(self.environ)


def run_override(
    process_request: Callable[[Any], Any], environ: dict[str, Any]
) -> Callable[..., Iterable[bytes]] | None:
    """Call an override of `process_request` as `webob.dec.wsgify` does.

    Returns the answer it gave or raised, as a WSGI app; None: the request goes on.
    """
    try:
        answer = process_request(AuthTokenRequest(environ))
    except webob.exc.HTTPException as error:
        answer = error
    if not answer:
        return None
    if isinstance(answer, str):
        answer = answer.encode()
    if isinstance(answer, bytes):
        answer = webob.Response(body=answer)
    app: Callable[..., Iterable[bytes]] = answer
    return app


def make_error(
    answer: Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]],
    environ: dict[str, Any],
) -> Exception:
    """Return what a WSGI app answers as the exception that WebOb has for its status."""
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(
        status: str, response_headers: list[tuple[str, str]], _exc_info: Any = None
    ) -> None:
        started[:] = [(status, response_headers)]

    parts = answer(environ, start_response)
    try:
        body = b"".join(parts)
    finally:
        close(parts)
    status, response_headers = started[-1]
    # WebOb has no class for some of the statuses that an override of `reject` may choose.
    error = webob.exc.status_map.get(int(status[:3]), webob.exc.WSGIHTTPException)()
    error.status, error.headerlist, error.app_iter = status, list(response_headers), [body]
    error.empty_body = True  # or WebOb writes one of its own where there is none
    made: Exception = error
    return made
