"""Where a request brings its user's token: X-Auth-Token, X-Storage-Token or Authorization."""

from __future__ import annotations

from typing import Any, Final

# Holds the bearer token that we copied to X-Auth-Token.
COPIED: Final = "authmw.copied_bearer"

# Of Authorization, that bring a token (RFC 6750, RFC 9449).
_SCHEMES: Final = frozenset({"bearer", "dpop"})
# As nearly every client writes it.
_BEARER: Final = "Bearer "


def read_user_token(environ: dict[str, Any], *, accepts_bearer: bool) -> str | None:
    """Return the token of a request's user, None if it brings none.

    A token in Authorization is copied to X-Auth-Token, from where services send it on.

    Args:
        environ: of the request.
        accepts_bearer: whether Authorization counts.
    """
    token: str | None = environ.get("HTTP_X_AUTH_TOKEN")
    if token is not None:
        if environ.get(COPIED) is not token:
            return token
        # The app derived this request from one in which we copied a bearer token, so only
        # the headers that it came with count.
        del environ["HTTP_X_AUTH_TOKEN"]
    token = environ.get("HTTP_X_STORAGE_TOKEN")
    if token is None and accepts_bearer:
        scheme, _, credentials = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if credentials and scheme.lower() in _SCHEMES:
            token = credentials.strip()
            copy_bearer(environ, token)
    return token


def find_plain_token(environ: dict[str, Any], *, accepts_bearer: bool) -> str | None:
    """Return the token of a request that `read_user_token` would return, in the plain cases.

    Plain is: in X-Auth-Token without Authorization, or in Authorization alone; and without a proof
    (RFC 9449). Then nothing but the token decides, and nothing is copied yet. None: look closer.
    """
    if "HTTP_DPOP" in environ or COPIED in environ:
        return None
    token: str | None = environ.get("HTTP_X_AUTH_TOKEN")
    authorization: str | None = environ.get("HTTP_AUTHORIZATION")
    if authorization is None:
        return token
    if (
        token is None
        and accepts_bearer
        and authorization.startswith(_BEARER)
        and "HTTP_X_STORAGE_TOKEN" not in environ
    ):
        return authorization[len(_BEARER) :]
    return None


def brings_bearer(environ: dict[str, Any]) -> bool:
    """Tell whether a request brings a token in Authorization."""
    scheme, _, credentials = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    return bool(credentials) and scheme.lower() in _SCHEMES


def copy_bearer(environ: dict[str, Any], token: str) -> None:
    """Copy a token of Authorization to X-Auth-Token."""
    environ["HTTP_X_AUTH_TOKEN"] = environ[COPIED] = token


def find_scheme(environ: dict[str, Any], token: str) -> str | None:
    """Return the scheme in Authorization that a token came by, in lower case; None: it did not."""
    scheme, _, credentials = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    return scheme.lower() if credentials.strip() == token else None
