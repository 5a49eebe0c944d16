"""Everything that can happen when the identity endpoint is asked, in one table.

A token is refused only if the endpoint, asked about this token, answers in a way that no proxy or
wrong path would. Everything else is an outage: we could not find out.

The first row that matches applies. A row matches an exception if it names a class of the exception
or of one that it wraps, so specific rows stand above general ones.
"""

from __future__ import annotations

import enum

from authmw.errors import Reason
from authmw.identity.meaning import Health, Meaning, Verdict, unwrap

# How the names of all actions of Keystone's policy begin.
_POLICY_ACTION = "identity:"
# What OpenSSL says of an answer that is HTTP or another protocol in clear.
_NO_TLS_REASONS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})
# How a TLS alert begins (RFC 8446 §5.1), which some servers answer to what is no TLS.
_ALERT = "\x15\x03"


def _is_alert(error: BaseException) -> bool:
    return str(getattr(error, "line", "")).startswith((_ALERT, repr(_ALERT)[:-1]))


class Outcome(enum.Enum):
    """The table. The name of a row is the `kind` of its `Outage`."""

    ANSWERED = Meaning(Verdict.ANSWERED, Health.ANSWERS, "answered", statuses=(200,))

    # About the token. A request line or header too long is the token's size, not ours.
    TOKEN_UNACCEPTABLE = Meaning(
        Verdict.TOKEN_REFUSED,
        Health.ANSWERS,
        "the identity endpoint can't accept this token",
        statuses=(400, 413, 414, 431),
    )
    # Keystone's JSON error body makes the difference; see `Outcome.of_status`.
    TOKEN_NOT_FOUND = Meaning(
        Verdict.TOKEN_REFUSED,
        Health.ANSWERS,
        "the identity endpoint does not know this token",
        statuses=(404,),
    )
    # A trust's trustor lost a role that it delegates, or was disabled. A 403 because our own user
    # lacks a role looks different, see `Outcome.of_status`.
    TOKEN_FORBIDDEN = Meaning(
        Verdict.TOKEN_REFUSED,
        Health.ANSWERS,
        "what was delegated with this token is delegated no longer",
        statuses=(403,),
        reason=Reason.REVOKED,
    )

    # About us.
    CREDENTIALS_REFUSED = Meaning(
        Verdict.CREDENTIALS_REFUSED,
        Health.FAILS,
        "the identity service refused our own credentials: correct auth_type and its options "
        "(username, password, project and domains); a user that is locked or disabled gets the "
        "same answer, and Keystone's log says which",
        statuses=(401,),
        errors=("keystoneauth1.exceptions.Unauthorized",),
    )
    # The endpoint refuses us quickly, and any user may validate their own token: if this opened
    # the breaker, the next probe would close it.
    CREDENTIALS_FORBIDDEN = Meaning(
        Verdict.CREDENTIALS_REFUSED,
        Health.ANSWERS,
        "our own credentials may not do this: give the user of auth_type the role that "
        "Keystone's policy asks for (service or admin)",
        statuses=(403,),
        errors=("keystoneauth1.exceptions.Forbidden",),
    )
    REQUEST_INVALID = Meaning(
        Verdict.CREDENTIALS_REFUSED,
        Health.FAILS,
        "our own request for a token is incomplete: beside username set user_domain_id (or "
        "user_domain_name), beside project_name set project_domain_id (or project_domain_name)",
    )
    NO_SCOPE = Meaning(
        Verdict.CREDENTIALS_REFUSED,
        Health.FAILS,
        "our own token has no scope, and a token without scope has no catalog: set project_name "
        "with project_domain_id, or system_scope",
    )
    # Nobody's roles are at fault: Keystone was not reached.
    FORBIDDEN_ELSEWHERE = Meaning(
        Verdict.OUTAGE,
        Health.FAILS,
        "403 that is not the identity service's own: a proxy or a web server on the way refuses "
        "us; allow these requests there, or name the host in no_proxy",
    )
    # Of an issuer that is asked about opaque tokens (RFC 7662).
    CLIENT_REFUSED = Meaning(
        Verdict.CREDENTIALS_REFUSED,
        Health.FAILS,
        "the issuer refused our own credentials: correct client_id, client_secret or the key, "
        "and auth_method, and let this client introspect",
    )
    NO_AUTH_PLUGIN = Meaning(
        Verdict.OUTAGE,
        Health.UNKNOWN,
        "auth_type is not set: without credentials of our own no token can be validated remotely",
    )

    # See `authmw.identity.breaker`.
    BREAKER_OPEN = Meaning(
        Verdict.OUTAGE,
        Health.UNKNOWN,
        "not asked, as the identity endpoint did not answer a moment ago",
    )

    # Connecting. A proxy stands first: who can't reach it can't reach the endpoint either.
    PROXY = Meaning(
        Verdict.OUTAGE,
        Health.FAILS,
        "the proxy that the environment names can't be reached, or does not pass this on: "
        "correct the variable, or name the host in no_proxy",
        statuses=(407,),
        errors=("requests.exceptions.ProxyError", "urllib3.exceptions.ProxyError"),
    )
    NAME_UNKNOWN = Meaning(
        Verdict.OUTAGE,
        Health.FAILS,
        "the host name can't be resolved: correct its address (auth_url, the catalog, an issuer's "
        "section), or this host's resolver",
        errors=("urllib3.exceptions.NameResolutionError",),
    )
    CONNECT_FAILED = Meaning(
        Verdict.OUTAGE,
        Health.FAILS,
        "the connection was refused, or there is no way to the host: start the server there, open "
        "the firewall, or correct its address (auth_url, the catalog, an issuer's section)",
        errors=("urllib3.exceptions.NewConnectionError",),
    )
    NO_TLS = Meaning(
        Verdict.OUTAGE,
        Health.FAILS,
        "the server does not speak TLS at this port: write http:// instead of https://, or the "
        "port where it does, in auth_url or the catalog",
    )
    SPEAKS_TLS = Meaning(
        Verdict.OUTAGE,
        Health.FAILS,
        "the server speaks TLS at this port: write https:// instead of http:// in auth_url or "
        "the catalog",
    )
    TLS = Meaning(
        Verdict.OUTAGE,
        Health.FAILS,
        "TLS failed: compare cafile, certfile and keyfile with the server's certificate",
        errors=(
            "requests.exceptions.SSLError",
            "urllib3.exceptions.SSLError",
            "ssl.SSLError",
            "keystoneauth1.exceptions.SSLError",
        ),
    )

    # Time.
    DEADLINE = Meaning(
        Verdict.OUTAGE,
        Health.FAILS,
        "no complete answer within identity_deadline",
        errors=("authmw.errors.DeadlineExceeded",),
    )
    CONNECT_TIMEOUT = Meaning(
        Verdict.OUTAGE,
        Health.FAILS,
        "the connection was not accepted in time: look at the firewall and the server there, or "
        "correct its address (auth_url, the catalog, an issuer's section)",
        errors=("requests.exceptions.ConnectTimeout", "urllib3.exceptions.ConnectTimeoutError"),
    )
    READ_TIMEOUT = Meaning(
        Verdict.OUTAGE,
        Health.FAILS,
        "the server fell silent: look at the server and its log, or correct its address (auth_url, the "
        "catalog, an issuer's section)",
        errors=("requests.exceptions.ReadTimeout", "urllib3.exceptions.ReadTimeoutError"),
    )

    # Redirects.
    REDIRECTED_ELSEWHERE = Meaning(
        Verdict.OUTAGE,
        Health.FAILS,
        "redirected to another scheme, host or port, which is not followed: it would carry "
        "tokens and passwords away; write the final address in auth_url and the catalog",
    )
    REDIRECTED = Meaning(
        Verdict.OUTAGE,
        Health.FAILS,
        "too many redirects, or one that leads nowhere",
        statuses=range(300, 400),
    )

    # Responses that can't be read.
    BODY_TOO_LARGE = Meaning(Verdict.OUTAGE, Health.FAILS, "the answer is too large")
    BODY_CUT = Meaning(
        Verdict.OUTAGE,
        Health.FAILS,
        "the answer ended too early",
        errors=("urllib3.exceptions.IncompleteRead", "http.client.IncompleteRead"),
    )
    CONNECTION_BROKEN = Meaning(
        Verdict.OUTAGE,
        Health.FAILS,
        "the connection broke, or the server does not speak HTTP (write https:// in auth_url "
        "if it speaks TLS)",
        errors=(
            "urllib3.exceptions.ProtocolError",
            "requests.exceptions.ConnectionError",
            "requests.exceptions.ChunkedEncodingError",
        ),
    )
    NOT_JSON = Meaning(
        Verdict.OUTAGE,
        Health.FAILS,
        "the answer is no JSON object: this may be a proxy, or not the identity service",
        errors=("urllib3.exceptions.DecodeError",),
    )
    NOT_A_TOKEN = Meaning(Verdict.OUTAGE, Health.FAILS, 'the answer has no object under "token"')

    NOT_INTROSPECTION = Meaning(
        Verdict.OUTAGE,
        Health.FAILS,
        "the answer is none to an introspection request: compare introspection_endpoint",
    )
    NO_INTROSPECTION = Meaning(
        Verdict.OUTAGE,
        Health.FAILS,
        "where to ask about opaque tokens is not known: set introspection_endpoint",
    )

    # Responses of a proxy, or of an identity service that can't serve now.
    NOT_IDENTITY = Meaning(
        Verdict.OUTAGE,
        Health.FAILS,
        "404 that is not the identity service's own: a proxy, or a wrong path in the catalog",
        is_endpoint_lost=True,
    )
    NOT_FOUND = Meaning(
        Verdict.OUTAGE,
        Health.FAILS,
        "there is nothing at this path: correct auth_url or the catalog",
        errors=("keystoneauth1.exceptions.NotFound",),
    )
    OVERLOADED = Meaning(
        Verdict.OUTAGE,
        Health.UNKNOWN,
        "too many requests",
        statuses=(429,),
        errors=("keystoneauth1.exceptions.TooManyRequests",),
    )
    SERVER_ERROR = Meaning(
        Verdict.OUTAGE,
        Health.FAILS,
        "the server failed",
        statuses=range(500, 600),
        errors=("keystoneauth1.exceptions.HttpServerError",),
    )

    # Exceptions of keystoneauth1 and its plugins.
    NO_ENDPOINT = Meaning(
        Verdict.OUTAGE,
        Health.FAILS,
        "no version 3 identity endpoint: write interface and region_name as the catalog has them",
        errors=("keystoneauth1.exceptions.CatalogException",),
        is_endpoint_lost=True,
    )
    NOT_DISCOVERED = Meaning(
        Verdict.OUTAGE,
        Health.FAILS,
        "discovery found no usable version of the identity API: correct auth_url",
        errors=(
            "keystoneauth1.exceptions.DiscoveryFailure",
            "keystoneauth1.exceptions.ImpliedVersionMismatch",
            # Discovery got a 401, and keystoneauth1 looks for credentials to try again with.
            "keystoneauth1.exceptions.MissingAuthPlugin",
        ),
    )
    NOT_AUTHENTICATED = Meaning(
        Verdict.OUTAGE,
        Health.FAILS,
        "our own authentication got no token: correct auth_url, which may name another server",
        errors=(
            "keystoneauth1.exceptions.InvalidResponse",
            "keystoneauth1.exceptions.AuthorizationFailure",
            "keystoneauth1.exceptions.AuthPluginException",
        ),
    )
    UNEXPECTED_STATUS = Meaning(
        Verdict.OUTAGE,
        Health.FAILS,
        "an answer that the identity API does not give here",
        statuses=range(100, 1000),
        errors=("keystoneauth1.exceptions.HttpError",),
    )
    NOT_SENT = Meaning(
        Verdict.OUTAGE,
        Health.UNKNOWN,
        "the request could not be sent: auth_url or the catalog has no usable address",
        errors=("requests.exceptions.RequestException", "keystoneauth1.exceptions.ConnectionError"),
    )
    FILE_UNREADABLE = Meaning(
        Verdict.OUTAGE,
        Health.UNKNOWN,
        "the system failed, or cafile, certfile or keyfile can't be read",
        errors=("builtins.OSError",),
    )
    FAILED = Meaning(
        Verdict.OUTAGE,
        Health.UNKNOWN,
        "an unforeseen failure, maybe of the auth plugin",
        errors=("builtins.Exception",),
    )

    @property
    def meaning(self) -> Meaning:
        """The row's columns."""
        return self.value

    @classmethod
    def of_status(cls, status: int, *, about_token: bool, keystone_says: str | None) -> Outcome:
        """Return the outcome that the status of a response means.

        Keystone answers 403 about a token for two reasons, and only one of them is the token's. If
        its policy forbids us to ask, the message names the policy's action
        ("...: identity:validate_token."), in every language. If a trust's trustor lost a delegated
        role, the message names none. So a 403 that names an action does not refuse the token, nor
        does one that is not in Keystone's form, which is not about roles either. Our own
        credentials may be such a trust's, too: then every question gets that 403, and the caller
        has to find out first (`IdentityClient`). A 403 never admits a request; but after an outage
        a remembered answer stays usable for its grace, and after a refusal it does not.

        Args:
            status: of HTTP.
            about_token: the question was about a client's token; only then is it refused.
            keystone_says: the message, if the body is Keystone's own error for this status.
        """
        outcome = next((row for row in cls if status in row.meaning.statuses), cls.FAILED)
        if outcome is cls.TOKEN_NOT_FOUND and keystone_says is None:
            return cls.NOT_IDENTITY
        if outcome is cls.TOKEN_FORBIDDEN:
            if keystone_says is None:
                return cls.FORBIDDEN_ELSEWHERE
            if not about_token or _POLICY_ACTION in keystone_says:
                return cls.CREDENTIALS_FORBIDDEN
        if status == 400 and not about_token and keystone_says is not None:
            return cls.REQUEST_INVALID
        if outcome.meaning.verdict is Verdict.TOKEN_REFUSED and not about_token:
            return cls.NOT_FOUND if status == 404 else cls.UNEXPECTED_STATUS
        return outcome

    @classmethod
    def of_error(cls, error: BaseException) -> Outcome:
        """Return the outcome that an exception of any library means; never a refused token."""
        chain = tuple(unwrap(error))
        if any(getattr(each, "reason", None) in _NO_TLS_REASONS for each in chain):
            return cls.NO_TLS
        if any(type(each).__name__ == "BadStatusLine" and _is_alert(each) for each in chain):
            return cls.SPEAKS_TLS
        for outcome in cls:
            if outcome.meaning.is_caused_by(chain):
                return outcome
        return cls.FAILED
