"""The client of the identity endpoint: asks, judges, and tells outages from verdicts."""

from __future__ import annotations

import contextlib
import functools
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from authmw.checks.token_string import verify_carriable
from authmw.errors import IdentityUnavailable, InvalidToken, Reason
from authmw.identity.deadline import deadline
from authmw.identity.json_answer import (
    IdentityAnswer,
    is_keystone_error,
    parse_object,
    parse_token,
)
from authmw.identity.outcomes import Outage, Outcome, Verdict
from authmw.process import PerProcess

if TYPE_CHECKING:
    from keystoneauth1.plugin import BaseAuthPlugin
    from keystoneauth1.session import Session
    from requests import Response

    from authmw.identity.session import IdentitySession
    from authmw.settings import Settings

LOG = logging.getLogger(__name__)

# How long a failed discovery of WWW-Authenticate's address is not tried again.
_AUTHENTICATE_URI_PAUSE_SECONDS = 30.0

# What oslo.middleware makes and Keystone takes over into its log; anything else is not ours
# to pass on.
_REQUEST_ID = re.compile(r"req-[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", re.ASCII)


@dataclass(slots=True)
class _AuthenticateUri:
    """What is known of the address in WWW-Authenticate; of one process."""

    discovered: str | None = None
    not_before: float = 0.0  # monotonic seconds
    discovering: threading.Lock = field(default_factory=threading.Lock)


class IdentityClient:
    """Asks the identity endpoint; the only HTTP client of authmw.

    Nothing is loaded or opened before the first question, and each process opens its own.

    Args:
        settings: of the filter.
        auth_plugin: our own credentials, or what makes them. A plugin holds a lock and a
            token, so a server that forks should pass what makes one: each process then has
            its own. None: every question ends as an outage that names `auth_type`.
        user_agent: sent with every request; by default that of the settings.

    `fetch_token` is where a shared cache goes in front, `_ask` what a circuit breaker goes
    around: each is the one way to what lies behind it.
    """

    def __init__(
        self,
        settings: Settings,
        auth_plugin: BaseAuthPlugin | Callable[[], BaseAuthPlugin | None] | None,
        *,
        user_agent: str | None = None,
    ) -> None:
        self._settings = settings
        self._user_agent = user_agent or settings.user_agent
        self._plugin = PerProcess(
            auth_plugin if callable(auth_plugin) else functools.partial(_same, auth_plugin)
        )
        self._opened = PerProcess(self._open)
        self._authenticate_uri = PerProcess(_AuthenticateUri)

    def fetch_token(
        self, token: str, *, allow_expired: bool = False, request_id: str | None = None
    ) -> dict[str, object]:
        """Ask for one token (Identity API v3, "Validate and show information for token").

        Args:
            token: as the client sent it.
            allow_expired: whether an expired token is good enough.
            request_id: of the client's request, passed on if it looks like one.

        Returns the object under "token", not looked into. Expiry is the endpoint's word
        only: verify it against the clock.

        Raises:
            InvalidToken: (not_found) the endpoint refused it; (malformed) no header can
                carry it, so it was not asked.
            IdentityUnavailable: the endpoint could not be asked or did not answer; see
                `authmw.identity.outcomes`.
        """
        verify_carriable(token, max_size=len(token))
        if not token or token != token.strip():
            raise InvalidToken(Reason.MALFORMED, "it is empty, or has white space around it")
        query = [] if self._settings.include_service_catalog else ["nocatalog"]
        if allow_expired:
            query.append("allow_expired=1")
        headers = {"X-Subject-Token": token, "OpenStack-Identity-Access-Rules": "1"}
        response, where = self._ask(
            "/auth/tokens", "&".join(query), headers, request_id, about_token=True
        )
        with self._logged_outages():
            return parse_token(parse_object(response, where), where)

    def fetch_json(
        self, path: str, query: Mapping[str, str], *, request_id: str | None = None
    ) -> IdentityAnswer:
        """Ask for a JSON object of the version 3 API.

        Args:
            path: below the version, with a leading slash: "/OS-REVOKE/events".
            query: of the address.
            request_id: as for `fetch_token`.

        Raises IdentityUnavailable for everything but status 200 and a JSON object.
        """
        from authmw.identity.transport import parse_http_date

        response, where = self._ask(path, urlencode(query), {}, request_id, about_token=False)
        with self._logged_outages():
            body = parse_object(response, where)
        return IdentityAnswer(body, parse_http_date(response.headers.get("Date", "")))

    def authenticate_uri(self) -> str | None:
        """Return where a client gets a token: what WWW-Authenticate says.

        That is `www_authenticate_uri`, else what discovery at our own `auth_url` finds,
        remembered for good; while discovery fails, or another thread is at it, the
        `auth_url` itself. None without an auth plugin. Never raises.
        """
        if self._settings.www_authenticate_uri:
            return self._settings.www_authenticate_uri
        known = self._authenticate_uri.get()
        if known.discovered is not None:
            return known.discovered
        if time.monotonic() >= known.not_before and known.discovering.acquire(blocking=False):
            try:
                known.discovered = self._discover_authenticate_uri()
                known.not_before = time.monotonic() + _AUTHENTICATE_URI_PAUSE_SECONDS
            finally:
                known.discovering.release()
        if known.discovered is not None:
            return known.discovered
        try:
            return self._opened.get().known_authenticate_uri()
        except Exception:  # noqa: BLE001 - whatever a plugin raises: no address is known
            return None

    @property
    def session(self) -> Session:
        """The keystoneauth1 session of this process; raises Outage without an auth plugin."""
        return self._opened.get().session

    @property
    def auth_plugin(self) -> BaseAuthPlugin | None:
        """Our own credentials in this process."""
        return self._plugin.get()

    def _open(self) -> IdentitySession:
        plugin = self._plugin.get()
        if plugin is None:
            raise Outage(Outcome.NO_AUTH_PLUGIN)
        from authmw.identity.session import IdentitySession

        return IdentitySession(self._settings, plugin, self._user_agent)

    def _ask(
        self,
        path: str,
        query: str,
        headers: Mapping[str, str],
        request_id: str | None,
        *,
        about_token: bool,
    ) -> tuple[Response, str]:
        """Send one question, and once more with new credentials if ours were refused.

        Returns an answer with status 200, and what was asked for the log.
        Raises InvalidToken (only if `about_token`) or IdentityUnavailable.
        """
        asked = dict(headers)
        if request_id is not None and _REQUEST_ID.fullmatch(request_id):
            asked["X-OpenStack-Request-ID"] = request_id
        with self._logged_outages(), deadline(self._settings.identity_deadline):
            session = self._opened.get()
            credentials = session.authenticate()
            url = session.find_endpoint() + path + (f"?{query}" if query else "")
            response = session.get(url, {**asked, **credentials})
            if response.status_code == 401:
                others = session.authenticate_again(credentials)
                if others is not None:
                    response = session.get(url, {**asked, **others})
            return response, _judge(response, about_token=about_token)

    def _discover_authenticate_uri(self) -> str | None:
        from authmw.identity.session import is_version_3

        try:
            with self._logged_outages(), deadline(self._settings.identity_deadline):
                found = self._opened.get().discover_authenticate_uri()
        except IdentityUnavailable:
            return None
        # Where discovery fails keystoneauth1 may return `auth_url` as it is.
        return found.rstrip("/") if found and is_version_3(found) else None

    @contextlib.contextmanager
    def _logged_outages(self) -> Iterator[None]:
        """Let nothing but InvalidToken and Outage leave, and say each outage in the log."""
        try:
            yield
        except InvalidToken:
            raise
        except Outage as outage:
            self._log(outage)
            raise
        except Exception as error:  # noqa: BLE001 - an auth plugin may raise anything
            found = _outage_of(error)
            self._log(found)
            # Only the unforeseen needs a traceback; others may quote what we sent.
            raise found from (error if found.outcome is Outcome.FAILED else None)

    def _log(self, outage: Outage) -> None:
        row = outage.outcome.value
        level = logging.ERROR if row.verdict is Verdict.CREDENTIALS_REFUSED else logging.WARNING
        LOG.log(level, "No answer (%s): %s", outage.outcome.name.lower(), outage.detail)
        if row.is_endpoint_lost:
            with contextlib.suppress(Exception):
                self._opened.get().forget_endpoint()


def _same(plugin: BaseAuthPlugin | None) -> BaseAuthPlugin | None:
    return plugin


def _judge(response: Response, *, about_token: bool) -> str:
    """Return what was asked if the answer has status 200; raises what it means otherwise."""
    from authmw.identity.transport import describe, parse_retry_after

    where = describe(response.request)
    status = response.status_code
    outcome = Outcome.of_status(
        status,
        about_token=about_token,
        is_keystone_error=status == 404 and is_keystone_error(response),
    )
    row = outcome.value
    if row.verdict is Verdict.ANSWERED:
        return where
    if row.verdict is Verdict.TOKEN_REFUSED:
        raise InvalidToken(Reason.NOT_FOUND, f"{row.detail} (HTTP {status})")
    retry_after = parse_retry_after(response.headers, time.time())
    raise Outage(outcome, where, f"HTTP {status}", retry_after)


def _outage_of(error: Exception) -> Outage:
    """Turn an exception that is none of ours into an outage."""
    from keystoneauth1 import exceptions

    from authmw.identity.transport import parse_retry_after

    outcome = Outcome.of_error(error)
    if isinstance(error, exceptions.HttpError):
        # Its text is the server's; the address may hold a query.
        where = f"{error.method} {(error.url or '').partition('?')[0]}"
        headers = error.response.headers if error.response is not None else {}
        note = f"HTTP {error.http_status}"
        return Outage(outcome, where, note, parse_retry_after(headers, time.time()))
    quotable = isinstance(error, exceptions.ClientException) and not isinstance(
        error, exceptions.ConnectionError
    )
    return Outage(outcome, note=str(error) if quotable else type(error).__name__)
