"""How the identity service says no: the error answers of the Identity API v3."""

from __future__ import annotations

import http


class IdentityApiError(Exception):
    """A request the identity service does not grant.

    Args:
        status: HTTP status, 400 to 499.
        message: for people; must hold no token and no secret.
    """

    def __init__(self, status: http.HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message

    def body(self) -> dict[str, dict[str, object]]:
        """Return the JSON body of Keystone's error answers."""
        return {
            "error": {
                "code": self.status.value,
                "message": self.message,
                "title": self.status.phrase,
            }
        }


def bad_request(message: str) -> IdentityApiError:
    """The request makes no sense."""
    return IdentityApiError(http.HTTPStatus.BAD_REQUEST, message)


def unauthorized() -> IdentityApiError:
    """The caller's own credentials are not good; which of them, nobody is told."""
    return IdentityApiError(
        http.HTTPStatus.UNAUTHORIZED, "The request you have made requires authentication."
    )


def forbidden(message: str) -> IdentityApiError:
    """The caller is known, and may not do this."""
    return IdentityApiError(http.HTTPStatus.FORBIDDEN, message)


def not_found(message: str) -> IdentityApiError:
    """There is no such thing; what an invalid subject token gets as well."""
    return IdentityApiError(http.HTTPStatus.NOT_FOUND, message)
