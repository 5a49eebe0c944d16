"""Every exception that one module of authmw raises for another, in one tree.

- `ConfigurationError`: the deployment is wrong, which concerns whoever wrote the configuration.
- `InvalidToken`: a credential is not acceptable, which concerns the client.
- `IdentityUnavailable`: nobody could say whether it is, which concerns whoever is on call.
- `Refused`: the service's own requirement is not met, which concerns the client.

The others never reach a service: the module that asks turns them into one of these, or logs them
and goes on. Only the middleware turns an exception into an HTTP response. No message ever holds a
token, a key or a secret.
"""

from __future__ import annotations

import enum
import http
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any


class AuthmwError(Exception):
    """Base of every exception of authmw."""


class ConfigurationError(AuthmwError):
    """The deployment is wrong; raised when the filter is built.

    Args:
        option: name of the option at fault, as written in the configuration file.
        value: what it was set to. Pass None for a secret, or where nothing was set.
        fix: what to write instead, a whole sentence.
        section: where the option stands.
    """

    def __init__(
        self, option: str, value: object, fix: str, *, section: str = "keystone_authtoken"
    ) -> None:
        shown = "is not set" if value is None else f"= {value!r}"
        super().__init__(f"[{section}] {option} {shown}: {fix}")
        self.option = option
        self.value = value
        self.fix = fix
        self.section = section


# --- what a validation can end in


class Reason(enum.Enum):
    """Why a token was refused: for logs and counters, never for the client."""

    MISSING = "missing"
    MALFORMED = "malformed"
    NOT_FOUND = "not_found"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    REVOKED = "revoked"
    BAD_SIGNATURE = "bad_signature"
    WRONG_ISSUER = "wrong_issuer"
    WRONG_AUDIENCE = "wrong_audience"
    WRONG_BINDING = "wrong_binding"
    ACCESS_RULE = "access_rule"
    SERVICE_ROLE = "service_role"
    UNSAFE_VALUE = "unsafe_value"
    ID_TOKEN = "id_token"
    WRONG_CLAIM = "wrong_claim"
    WRONG_PROOF = "wrong_proof"
    NO_NONCE = "no_nonce"


class InvalidToken(AuthmwError):
    """This credential is not acceptable: a verdict on the token, never an outage.

    Args:
        reason: the machine-readable reason.
        detail: for the log; must hold no part of a token.
    """

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail


class IdentityUnavailable(AuthmwError):
    """We could not find out whether the token is good; the client may try again.

    Args:
        detail: for the log: what was asked, what happened, what to do.
        retry_after: seconds, sent to the client as Retry-After.
    """

    def __init__(self, detail: str, retry_after: int = 5) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after = retry_after


class Outage(IdentityUnavailable):
    """The identity endpoint could not be asked, or gave no answer that can be used.

    It is in the log already where it leaves `authmw.identity`.

    Args:
        kind: name of the row in the table of outcomes (`authmw.identity.outcomes`).
        detail, retry_after: as of `IdentityUnavailable`.
    """

    def __init__(self, kind: str, detail: str, retry_after: int = 5) -> None:
        super().__init__(detail, retry_after)
        self.kind = kind


class EventsForbidden(IdentityUnavailable):
    """Our own credentials may not read revocation events (403)."""


class DeadlineExceeded(AuthmwError):
    """The deadline of a piece of work is over (`authmw.net.deadline`).

    No OSError on purpose: the libraries between socket and client would take it for a time-out
    of one step, and try again.
    """


class CacheError(AuthmwError):
    """A shared cache failed, or held an entry that can't be read."""


# --- what can't be read or trusted


class MalformedBody(AuthmwError, ValueError):
    """A token body is not of the shape that the Identity API promises; says where."""


class MalformedEvents(AuthmwError, ValueError):
    """The answer is no complete list of revocation events; says why."""


class MalformedRecord(AuthmwError, ValueError):
    """A shared record of revocation events is not of the shape we write; says where."""


class MalformedDiscovery(AuthmwError, ValueError):
    """An issuer's discovery document is another issuer's, or names no usable URL; says why."""


class MalformedRevocationList(AuthmwError, ValueError):
    """An issuer's list of revoked tokens is not whole; says why."""


class KeyRefused(AuthmwError, ValueError):
    """A key is not used: it is too weak, of another type, or damaged; says which."""


class PrivateKeyFound(KeyRefused):
    """Private or symmetric key material where public keys belong: a secret has leaked."""


class KeysUnreadable(AuthmwError):
    """A source of keys can't be read, or what it gave is refused; the last good keys stay."""


class KeysUnavailable(AuthmwError):
    """A source of keys that a command was given can't be read, or must not be trusted."""


# --- what `authmw.require` and `authmw.check` refuse


@dataclass(frozen=True, slots=True)
class Refusal:
    """A 401 or 403, not yet in the form of any framework.

    Attributes:
        status: 401 or 403.
        body: a JSON document.
        headers: in addition to Content-Type and Content-Length.
        missing_scope: values of an OAuth scope that the token lacks.
    """

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    missing_scope: tuple[str, ...] = ()

    @property
    def status_line(self) -> str:
        """Status code and reason phrase (PEP 3333)."""
        return f"{self.status} {http.HTTPStatus(self.status).phrase}"

    @property
    def all_headers(self) -> list[tuple[str, str]]:
        """Every header of the answer."""
        length = str(len(self.body))
        return [("Content-Type", "application/json"), ("Content-Length", length), *self.headers]

    def body_for(self, environ: Mapping[str, Any]) -> list[bytes]:
        """Return the body of the answer to one request: a HEAD has none."""
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [self.body]


class Refused(AuthmwError):
    """Raised by `require` and `check` to refuse a request, so that no caller can overlook it.

    The raised exception is also an exception of each web framework that is loaded; see
    `authmw.decorators.frameworks`. If no framework catches it, `AuthMiddleware` answers.
    """

    def __init__(self, refusal: Refusal) -> None:
        # Not super(): the next class may be a framework's exception.
        Exception.__init__(self, f"authmw refused this request: {refusal.status_line}")
        self.refusal = refusal

    def answer(
        self, environ: dict[str, Any], start_response: Callable[..., Any], exc_info: Any
    ) -> Iterable[bytes]:
        """Answer the request in place of the app that raised this (PEP 3333).

        Args:
            environ, start_response: of the request.
            exc_info: of the exception. If the server has already sent the app's headers, it
                raises the exception instead.
        """
        start_response(self.refusal.status_line, self.refusal.all_headers, exc_info)
        return self.refusal.body_for(environ)
