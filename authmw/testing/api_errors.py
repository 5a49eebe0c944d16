"""The error responses of the Identity API v3."""

from __future__ import annotations

import http


class IdentityApiError(Exception):
    """A request that the identity service refuses.

    Args:
        status: HTTP status, 400 to 499.
        message: human readable, without tokens and secrets.
    """

    def __init__(self, status: http.HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message

    def body(self) -> dict[str, dict[str, object]]:
        """Return the JSON body of Keystone's error responses."""
        return {
            "error": {
                "code": self.status.value,
                "message": self.message,
                "title": self.status.phrase,
            }
        }


def bad_request(message: str) -> IdentityApiError:
    """The request is malformed."""
    return IdentityApiError(http.HTTPStatus.BAD_REQUEST, message)


def unauthorized() -> IdentityApiError:
    """The caller's own credentials are not valid; the response does not say which."""
    return IdentityApiError(
        http.HTTPStatus.UNAUTHORIZED, "The request you have made requires authentication."
    )


def forbidden(message: str) -> IdentityApiError:
    """The caller is authenticated but not allowed to do this."""
    return IdentityApiError(http.HTTPStatus.FORBIDDEN, message)


def not_found(message: str) -> IdentityApiError:
    """The resource does not exist, or the subject token is invalid."""
    return IdentityApiError(http.HTTPStatus.NOT_FOUND, message)
