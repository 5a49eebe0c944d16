"""The request object of `process_request`, as with keystonemiddleware.

Only subclasses that override the hook load this module, and with it WebOb.
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
    """A request with the members of keystonemiddleware's, each a view of the environ.

    `set_user_headers` and the like are missing: after `super().process_request` the headers are
    already set.
    """

    @property
    def user_token(self) -> str | None:
        """The user's token as sent."""
        token: str | None = self.headers.get("X-Auth-Token", self.headers.get("X-Storage-Token"))
        return token

    @property
    def service_token(self) -> str | None:
        """The service token as sent."""
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
        """Remove the identity headers; those that the client sent are already gone."""
        headers.strip(self.environ)


def run_override(
    process_request: Callable[[Any], Any], environ: dict[str, Any]
) -> Callable[..., Iterable[bytes]] | None:
    """Call an override of `process_request` as `webob.dec.wsgify` does.

    Returns the response it returned or raised, as a WSGI app; None: the request goes to the app.
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
    """Return the response of a WSGI app as the WebOb exception of its status."""
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
    # WebOb has no class for some statuses that an override of `reject` may send.
    error = webob.exc.status_map.get(int(status[:3]), webob.exc.WSGIHTTPException)()
    error.status, error.headerlist, error.app_iter = status, list(response_headers), [body]
    error.empty_body = True  # else WebOb would write a body of its own
    made: Exception = error
    return made
