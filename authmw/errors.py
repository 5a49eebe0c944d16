"""Every exception that one module of authmw raises for another, in one tree.

- `ConfigurationError`: an option is wrong; the operator has to correct it.
- `UsageError`: an argument of a command is wrong.
- `InvalidToken`: a credential is not acceptable; the client needs another.
- `IdentityUnavailable`: a credential could not be validated; the operator has to end an outage.
- `Refused`: a token does not meet the service's own requirement; the client lacks rights.

No other exception reaches a service: its caller in authmw turns it into one of these, or logs it
and continues. Only the middleware turns an exception into an HTTP response. No message ever holds
a token, a key or a secret.
"""

from __future__ import annotations

import enum
import http
import json
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple

Lane = Literal["opaque", "signed", "upkeep"]
Others = Literal["wait", "go on", "work"]

# Shown in place of a secret.
HIDDEN: Final = "***"


class AuthmwError(Exception):
    """Base of every exception of authmw."""


class ConfigurationError(AuthmwError):
    """The deployment is wrong; raised when the filter is built.

    A value that may be an address with a password in it is shown as `***`, also where the fix
    quotes it.

    Args:
        option: name of the option at fault, as written in the configuration file.
        value: what it was set to. Pass None for a secret, or where nothing was set.
        fix: what to write instead, a whole sentence.
        section: where the option stands.
    """

    def __init__(
        self, option: str, value: object, fix: str, *, section: str = "keystone_authtoken"
    ) -> None:
        if may_hold_password(value):
            # The fix may quote a part of the value.
            words = fix.replace(str(value), HIDDEN).split(" ")
            fix = " ".join(HIDDEN if "@" in word else word for word in words)
            value = HIDDEN
        shown = "is not set" if value is None else f"= {value!r}"
        super().__init__(f"[{section}] {option} {shown}: {fix}")
        self.option = option
        self.value = value
        self.fix = fix
        self.section = section


def may_hold_password(value: object) -> bool:
    """Tell whether an option's value may be an address with user and password (RFC 3986 §3.2.1).

    Whatever has "@" in it may be one, as a wrong address has no form, but an absolute path.
    """
    text = "" if value is None else str(value)
    return "@" in text and (not text.startswith("/") or text.startswith("//") or ":" in text)


class UsageError(AuthmwError):
    """The arguments of a command, or a file that they name, are wrong; says how."""


# --- results of a validation


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
    INCOMPLETE = "incomplete"
    WRONG_CLAIM = "wrong_claim"
    WRONG_PROOF = "wrong_proof"
    NO_NONCE = "no_nonce"


class InvalidToken(AuthmwError):
    """This credential is not acceptable: a verdict on the token, never an outage.

    Args:
        reason: the machine-readable reason.
        detail: for the log; must hold no part of a token.
        fix: what to correct if the deployment is at fault and not the client; "": it can't be.

    Attributes:
        audit_id, user_id: of the refused token, for the log; None where they are not known.
    """

    audit_id: str | None = None
    user_id: str | None = None

    def __init__(self, reason: Reason, detail: str = "", *, fix: str = "") -> None:
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail
        self.fix = fix

    def renew(self) -> InvalidToken:
        """Return another exception that says the same."""
        other = InvalidToken(self.reason, self.detail, fix=self.fix)
        other.audit_id, other.user_id = self.audit_id, self.user_id
        return other


class IdentityUnavailable(AuthmwError):
    """The token could not be validated; the client may try again.

    Args:
        detail: for the log: what was asked, what happened, what to do.
        retry_after: seconds, sent to the client as Retry-After.
    """

    def __init__(self, detail: str, retry_after: int = 5) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after = retry_after


class Outage(IdentityUnavailable):
    """The identity endpoint could not be asked, or gave no usable answer.

    `IdentityClient` logs it before raising it, except in `fetch_json`.

    Args:
        kind: name of the row in the table of outcomes (`authmw.identity.outcomes`).
        detail, retry_after: see `IdentityUnavailable`.
    """

    def __init__(self, kind: str, detail: str, retry_after: int = 5) -> None:
        super().__init__(detail, retry_after)
        self.kind = kind


class EventsForbidden(IdentityUnavailable):
    """Our own credentials may not read revocation events (403)."""


class DeadlineExceeded(AuthmwError):
    """The deadline of a piece of work has passed (`authmw.net.deadline`).

    Deliberately not an OSError: the libraries between socket and client would take that for the
    time-out of one step, and retry.
    """


class CacheError(AuthmwError):
    """A shared cache failed, or held an entry that can't be read."""


class WouldBlock(AuthmwError):
    """A request can't be decided on before some work is done, which may wait for a network or disk.

    Raised only where the caller wants to do such work elsewhere; see `Authenticator.authenticate`.

    Args:
        key: equal for work whose outcome requests may share.
        work: does it.
        lane: keeps work that waits for others apart from work that does not: "opaque" and "signed"
            tokens, and "upkeep" of what all requests need.
        others: what requests do that need work of the same key meanwhile: "wait" for its outcome,
            "go on" without, or "work" themselves.
    """

    def __init__(
        self, key: Hashable, work: Callable[[], object], lane: Lane, others: Others = "wait"
    ) -> None:
        super().__init__(f"work in the lane {lane}")
        self.key = key
        self.work = work
        self.lane: Lane = lane
        self.others: Others = others


# --- input that can't be read or trusted


class MalformedBody(AuthmwError, ValueError):
    """A token body is not of the form that the Identity API defines; names the member."""


class MalformedEvents(AuthmwError, ValueError):
    """An answer is not a complete list of revocation events; says why."""


class MalformedRecord(AuthmwError, ValueError):
    """A shared record of revocation events is not of the form that we write; says why."""


class MalformedDiscovery(AuthmwError, ValueError):
    """An issuer's discovery document is another issuer's, or names no usable URL; says why."""


class MalformedRevocationList(AuthmwError, ValueError):
    """An issuer's list of revoked tokens is not whole; says why."""


class FactUnknown(AuthmwError):
    """The facts of a bundle do not say what a token may do; names what is missing.

    Another source of authority may know. Never a verdict on the token.
    """


class BundleUnreadable(AuthmwError):
    """A bundle, or the database that it is made from, is not of a form that we read; says why."""


class KeyRefused(AuthmwError, ValueError):
    """A key is too weak, of another type, or damaged, and so not used; says which."""


class PrivateKeyFound(KeyRefused):
    """Private or symmetric key material where public keys belong: a secret has leaked."""


class KeysUnreadable(AuthmwError):
    """A key source can't be read, or its content is refused; the keys read before stay in use."""


class KeysUnavailable(AuthmwError):
    """The key source of a command can't be read, or must not be trusted."""


# --- what `authmw.require` and `authmw.check` refuse


class Refusal(NamedTuple):
    """A 401, 403 or 503, not yet in the form of any framework: `refused.refusal` of a `Refused`.

    Attributes:
        status: 401, 403 or, where a token could not be validated, 503.
        body: a JSON document.
        headers: in addition to Content-Type and Content-Length.
        missing_scope: values of an OAuth scope that the token lacks.
        missing: all that the token lacks, in words; "" unless it is a 403. See also `unmet`.
        message: what the body says, for people.
    """

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    missing_scope: tuple[str, ...] = ()
    missing: str = ""
    message: str = ""

    @property
    def status_line(self) -> str:
        """Status code and reason phrase (PEP 3333)."""
        return f"{self.status} {http.HTTPStatus(self.status).phrase}"

    @property
    def unmet(self) -> dict[str, Any]:
        """What of the requirement the token lacks, by the argument of `authmw.require`.

        It is `error.missing` of the body, as `{"roles": ["admin"]}`: names of which the token needs
        one (roles, scope) or all (methods, oauth_scope); True for admin_project. Empty unless it is
        a 403 for what a token lacks.
        """
        unmet: dict[str, Any] = json.loads(self.body)["error"].get("missing", {})
        return unmet

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

    Attributes:
        refusal: status, message, and what the token lacks: a `Refusal`.
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
