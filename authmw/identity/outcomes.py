"""Everything that can happen when the identity endpoint is asked, in one table.

A token is refused only where the endpoint, asked about this token, says so in a way no
proxy or wrong path would. Everything else is an outage: we could not find out.

The order is the order of judging. Errors are judged by the first row that names a class
of the error or of one it wraps, so what is particular stands above what is general.
"""

from __future__ import annotations

import enum
import functools
import importlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from authmw.errors import IdentityUnavailable


class Verdict(enum.Enum):
    """What an outcome means for the request."""

    ANSWERED = enum.auto()
    TOKEN_REFUSED = enum.auto()  # 401 to the client
    CREDENTIALS_REFUSED = enum.auto()  # ours, not the client's: 503 and an error in the log
    OUTAGE = enum.auto()  # 503


@dataclass(frozen=True, slots=True)
class Row:
    """One outcome.

    Attributes:
        verdict: what it means.
        detail: for the log: what happened, and what to do where that is known.
        statuses: of HTTP answers that mean this.
        errors: dotted names of exception classes that mean this; names, because the
            libraries are loaded at first use.
        is_endpoint_lost: our catalog may be stale: get a new one before the next request.
    """

    verdict: Verdict
    detail: str
    statuses: Collection[int] = ()
    errors: tuple[str, ...] = ()
    is_endpoint_lost: bool = False


class Outcome(enum.Enum):
    """The table. The name of a row is the kind of outage in the log."""

    ANSWERED = Row(Verdict.ANSWERED, "answered", statuses=(200,))

    # About the token. A request line or header too long is the token's size, not ours.
    TOKEN_UNACCEPTABLE = Row(
        Verdict.TOKEN_REFUSED,
        "the identity endpoint can't accept this token",
        statuses=(400, 413, 414, 431),
    )
    # Keystone's JSON error body makes the difference; see `Outcome.of_status`.
    TOKEN_NOT_FOUND = Row(
        Verdict.TOKEN_REFUSED, "the identity endpoint does not know this token", statuses=(404,)
    )

    # About us.
    CREDENTIALS_REFUSED = Row(
        Verdict.CREDENTIALS_REFUSED,
        "the identity service refused our own credentials: correct auth_type and its options "
        "(username, password, project and domains)",
        statuses=(401,),
        errors=("keystoneauth1.exceptions.Unauthorized",),
    )
    CREDENTIALS_FORBIDDEN = Row(
        Verdict.CREDENTIALS_REFUSED,
        "our own credentials may not do this: give the user of auth_type the role that "
        "Keystone's policy asks for (service or admin)",
        statuses=(403,),
        errors=("keystoneauth1.exceptions.Forbidden",),
    )
    NO_AUTH_PLUGIN = Row(
        Verdict.OUTAGE,
        "auth_type is not set: without credentials of our own no token can be validated remotely",
    )

    # The way there.
    NAME_UNKNOWN = Row(
        Verdict.OUTAGE,
        "the host name can't be resolved",
        errors=("urllib3.exceptions.NameResolutionError",),
    )
    CONNECT_FAILED = Row(
        Verdict.OUTAGE,
        "the connection was refused, or there is no way to the host",
        errors=("urllib3.exceptions.NewConnectionError",),
    )
    TLS = Row(
        Verdict.OUTAGE,
        "TLS failed: compare cafile, certfile and keyfile with the server's certificate",
        errors=(
            "requests.exceptions.SSLError",
            "urllib3.exceptions.SSLError",
            "ssl.SSLError",
            "keystoneauth1.exceptions.SSLError",
        ),
    )
    PROXY = Row(
        Verdict.OUTAGE,
        "the proxy named in the environment failed",
        errors=("requests.exceptions.ProxyError",),
    )

    # Time.
    DEADLINE = Row(
        Verdict.OUTAGE,
        "no complete answer within identity_deadline",
        errors=("authmw.identity.deadline.DeadlineExceeded",),
    )
    CONNECT_TIMEOUT = Row(
        Verdict.OUTAGE,
        "the connection was not accepted in time",
        errors=("requests.exceptions.ConnectTimeout", "urllib3.exceptions.ConnectTimeoutError"),
    )
    READ_TIMEOUT = Row(
        Verdict.OUTAGE,
        "the server fell silent",
        errors=("requests.exceptions.ReadTimeout", "urllib3.exceptions.ReadTimeoutError"),
    )

    # Redirects.
    REDIRECTED_ELSEWHERE = Row(
        Verdict.OUTAGE,
        "redirected to another scheme, host or port, which is not followed: it would carry "
        "tokens and passwords away; write the final address in auth_url and the catalog",
    )
    REDIRECTED = Row(
        Verdict.OUTAGE, "too many redirects, or one that leads nowhere", statuses=range(300, 400)
    )

    # Answers that are none.
    BODY_TOO_LARGE = Row(Verdict.OUTAGE, "the answer is too large")
    BODY_CUT = Row(
        Verdict.OUTAGE,
        "the answer ended too early",
        errors=("urllib3.exceptions.IncompleteRead", "http.client.IncompleteRead"),
    )
    CONNECTION_BROKEN = Row(
        Verdict.OUTAGE,
        "the connection broke, or the server does not speak HTTP",
        errors=(
            "urllib3.exceptions.ProtocolError",
            "requests.exceptions.ConnectionError",
            "requests.exceptions.ChunkedEncodingError",
        ),
    )
    NOT_JSON = Row(
        Verdict.OUTAGE,
        "the answer is no JSON object: this may be a proxy, or not the identity service",
        errors=("urllib3.exceptions.DecodeError",),
    )
    NOT_A_TOKEN = Row(Verdict.OUTAGE, 'the answer has no object under "token"')

    # Answers of somebody who is not, or not now, the identity service.
    NOT_IDENTITY = Row(
        Verdict.OUTAGE,
        "404 that is not the identity service's own: a proxy, or a wrong path in the catalog",
        is_endpoint_lost=True,
    )
    NOT_FOUND = Row(
        Verdict.OUTAGE,
        "there is nothing at this path: correct auth_url or the catalog",
        errors=("keystoneauth1.exceptions.NotFound",),
    )
    OVERLOADED = Row(
        Verdict.OUTAGE,
        "too many requests",
        statuses=(429,),
        errors=("keystoneauth1.exceptions.TooManyRequests",),
    )
    SERVER_ERROR = Row(
        Verdict.OUTAGE,
        "the server failed",
        statuses=range(500, 600),
        errors=("keystoneauth1.exceptions.HttpServerError",),
    )

    # What keystoneauth1 and its plugins say.
    NO_ENDPOINT = Row(
        Verdict.OUTAGE,
        "no version 3 identity endpoint: compare interface and region_name with the catalog",
        errors=("keystoneauth1.exceptions.CatalogException",),
        is_endpoint_lost=True,
    )
    NOT_DISCOVERED = Row(
        Verdict.OUTAGE,
        "discovery found no usable version of the identity API: correct auth_url",
        errors=(
            "keystoneauth1.exceptions.DiscoveryFailure",
            "keystoneauth1.exceptions.ImpliedVersionMismatch",
            # Discovery got a 401, and keystoneauth1 looks for credentials to try again with.
            "keystoneauth1.exceptions.MissingAuthPlugin",
        ),
    )
    NOT_AUTHENTICATED = Row(
        Verdict.OUTAGE,
        "our own authentication got no token",
        errors=(
            "keystoneauth1.exceptions.InvalidResponse",
            "keystoneauth1.exceptions.AuthorizationFailure",
            "keystoneauth1.exceptions.AuthPluginException",
        ),
    )
    UNEXPECTED_STATUS = Row(
        Verdict.OUTAGE,
        "an answer that the identity API does not give here",
        statuses=range(100, 1000),
        errors=("keystoneauth1.exceptions.HttpError",),
    )
    NOT_SENT = Row(
        Verdict.OUTAGE,
        "the request could not be sent: auth_url or the catalog has no usable address",
        errors=("requests.exceptions.RequestException", "keystoneauth1.exceptions.ConnectionError"),
    )
    FILE_UNREADABLE = Row(
        Verdict.OUTAGE,
        "the system failed, or cafile, certfile or keyfile can't be read",
        errors=("builtins.OSError",),
    )
    FAILED = Row(
        Verdict.OUTAGE,
        "an unforeseen failure, maybe of the auth plugin",
        errors=("builtins.Exception",),
    )

    @classmethod
    def of_status(cls, status: int, *, about_token: bool, is_keystone_error: bool) -> Outcome:
        """Judge the status of an answer.

        Args:
            status: of HTTP.
            about_token: the question was about a client's token; only then is it refused.
            is_keystone_error: the body is Keystone's own error for this status.
        """
        outcome = next((row for row in cls if status in row.value.statuses), cls.FAILED)
        if outcome is cls.TOKEN_NOT_FOUND and not is_keystone_error:
            return cls.NOT_IDENTITY
        if outcome.value.verdict is Verdict.TOKEN_REFUSED and not about_token:
            return cls.NOT_FOUND if status == 404 else cls.UNEXPECTED_STATUS
        return outcome

    @classmethod
    def of_error(cls, error: BaseException) -> Outcome:
        """Judge an exception of whatever library; never a verdict on the token."""
        chain = tuple(_unwrap(error))
        for outcome in cls:
            classes = _load_classes(outcome.value.errors)
            if any(isinstance(wrapped, classes) for wrapped in chain):
                return outcome
        return cls.FAILED


class Outage(IdentityUnavailable):
    """The endpoint was asked and could not answer.

    Args:
        outcome: the row of the table.
        where: method and address, without query and user, or "" where nothing was sent yet.
        note: what else is known; no token, no secret.
        retry_after: seconds.
    """

    def __init__(
        self, outcome: Outcome, where: str = "", note: str = "", retry_after: int = 5
    ) -> None:
        asked = f"{where}: " if where else ""
        known = f" ({_printable(note)})" if note else ""
        super().__init__(f"{asked}{outcome.value.detail}{known}", retry_after)
        self.outcome = outcome


_LONGEST_NOTE = 200


def _printable(text: str) -> str:
    """Return at most 200 printable characters: a server's words can't forge a log line."""
    return "".join(char if char.isprintable() else " " for char in text[:_LONGEST_NOTE])


def _unwrap(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and those it wraps; requests and urllib3 keep them as arguments."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        wrapped = waiting.pop(0)
        if id(wrapped) in seen:
            continue
        seen.add(id(wrapped))
        yield wrapped
        parts = (getattr(wrapped, "reason", None), wrapped.__cause__, *wrapped.args)
        waiting.extend(part for part in parts if isinstance(part, BaseException))


@functools.cache
def _load_classes(names: tuple[str, ...]) -> tuple[type[BaseException], ...]:
    classes = []
    for name in names:
        module, _, attribute = name.rpartition(".")
        classes.append(getattr(importlib.import_module(module), attribute))
    return tuple(classes)
