"""The client of the identity endpoint, which tells outages from verdicts on a token."""

from __future__ import annotations

import contextlib
import functools
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from authmw.checks.token_string import verify_token_string
from authmw.errors import IdentityUnavailable, InvalidToken, Outage, Reason
from authmw.identity.authenticate_uri import AuthenticateUri
from authmw.identity.breaker import Breaker, Change, State
from authmw.identity.call_meter import CallMeter
from authmw.identity.meaning import Health, Verdict
from authmw.identity.outage import make_outage, make_outage_from, meaning_of
from authmw.identity.outcomes import Outcome
from authmw.identity.server_clock import ServerClock
from authmw.identity.token_response import ACCESS_RULES, TokenResponse
from authmw.logs.outages import log_outage
from authmw.net.deadline import deadline
from authmw.runtime import request
from authmw.runtime.clock import wall_clock
from authmw.runtime.process import PerProcess
from authmw.token.catalog import ServiceCatalog

if TYPE_CHECKING:
    from keystoneauth1.plugin import BaseAuthPlugin

    from authmw.config.settings import Settings
    from authmw.identity.json_response import JsonResponse
    from authmw.identity.session import IdentitySession

LOG = logging.getLogger(__name__)

# The form of oslo.middleware's request ids, which Keystone writes in its log. A client may send
# anything else under this name, and that is not passed on.
_REQUEST_ID = re.compile(r"req-[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", re.ASCII)


class IdentityClient:
    """Calls the identity endpoint with our own credentials; no other class does.

    It is a `TokenSource`. Nothing is loaded or opened before the first call, and each process
    opens its own connections.

    Args:
        settings: of the filter.
        auth_plugin: our own credentials, or a factory of them. A plugin holds a lock and a
            token, so a server that forks should pass a factory: each process then has its own
            plugin. None: every call ends as an outage that names `auth_type`.
        clock: seconds, for the pauses of the circuit breaker.
        meter: counts and times the calls.
    """

    def __init__(
        self,
        settings: Settings,
        auth_plugin: BaseAuthPlugin | Callable[[], BaseAuthPlugin | None] | None,
        *,
        clock: Callable[[], float] = wall_clock,
        meter: CallMeter | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._meter = meter or CallMeter()
        self._may_discover = auth_plugin is not None
        self._plugin = PerProcess(
            auth_plugin if callable(auth_plugin) else functools.partial(_same, auth_plugin)
        )
        self._opened = PerProcess(self._open)
        self.server_clock = ServerClock(clock)
        self._patience_seconds = 0.0
        self._wake: Callable[[], None] = _do_nothing
        self._breaker = PerProcess(lambda: Breaker(patience_seconds=self._patience_seconds))
        self._authenticate_uri = PerProcess(AuthenticateUri)

    def probe_in_background(self, wake: Callable[[], None], *, patience_seconds: float) -> None:
        """Leave probes to an `OutageWatch`; call it before the first call to the endpoint.

        Args:
            wake: called when a probe is due, so that `probe_if_due` is called before long.
            patience_seconds: how late that may be before a request probes.
        """
        self._wake = wake
        self._patience_seconds = patience_seconds

    @property
    def breaker_state(self) -> State:
        """What this process knows of the endpoint; nothing is sent."""
        return self._breaker.get().state

    def probe_at(self) -> float:
        """Return when a probe is due, in epoch seconds; infinity: never."""
        return self._breaker.get().probe_at

    def probe_if_due(self) -> None:
        """Have our own token validated if a probe is due, and record the outcome; never raises.

        Only a change is logged: an outage may last for days.
        """
        breaker = self._breaker.get()
        if breaker.begin_probe(self._clock()):
            with contextlib.suppress(Outage), deadline(self._settings.identity_deadline):
                self._probe(breaker, is_logged=False)

    def fetch_token_response(self, token: str, *, allow_expired: bool, now: float) -> TokenResponse:
        """Ask about one token on behalf of the current request; see `TokenSource`.

        Raises IdentityUnavailable, as `fetch_token` does, for a catalog that can't be read, too.
        """
        environ = request.current_environ() or {}
        body = self.fetch_token(
            token,
            allow_expired=allow_expired,
            request_id=environ.get("HTTP_X_OPENSTACK_REQUEST_ID"),
        )
        catalog = None
        # An endpoint may send a catalog though none was asked for.
        services = body.pop("catalog", None)
        if services is not None and self._settings.include_service_catalog:
            try:
                catalog = ServiceCatalog.from_services(services)
            except (ValueError, TypeError, RecursionError) as error:
                raise IdentityUnavailable(
                    f"the identity endpoint sent a catalog that can't be read: {error}"
                ) from error
        return TokenResponse(body, catalog, int(now))

    def fetch_token(
        self, token: str, *, allow_expired: bool = False, request_id: str | None = None
    ) -> dict[str, object]:
        """Ask about one token (Identity API v3, "Validate and show information for token").

        Args:
            token: as the client sent it.
            allow_expired: whether an expired token is accepted.
            request_id: of the client's request, passed on if it has the form of one.

        Returns the object under "token", unchecked. Its expiry is the endpoint's statement: verify
        it against the clock.

        Raises:
            InvalidToken: (not_found) the endpoint refused it; (malformed) no header can
                carry it, so it was not asked.
            Outage: the endpoint could not be asked or did not answer; see
                `authmw.identity.outcomes`.
        """
        verify_token_string(token, max_size=len(token))
        if not token or token != token.strip():
            raise InvalidToken(Reason.MALFORMED, "it is empty, or has white space around it")
        query = [] if self._settings.include_service_catalog else ["nocatalog"]
        if allow_expired:
            query.append("allow_expired=1")
        path = f"/auth/tokens?{'&'.join(query)}" if query else "/auth/tokens"
        headers = {"X-Subject-Token": token, **ACCESS_RULES}
        if request_id is not None and _REQUEST_ID.fullmatch(request_id):
            headers["X-OpenStack-Request-ID"] = request_id
        breaker = self._breaker.get()
        with deadline(self._settings.identity_deadline):
            if not breaker.is_trusted:
                self._admit(breaker)
            try:
                body = self._opened.get().fetch_token(path, headers)
            except InvalidToken:
                self._record(breaker, Health.ANSWERS)
                raise
            except Exception as error:  # noqa: BLE001 - an auth plugin may raise anything
                outage = self._convert_to_outage(error)
                self._record(breaker, meaning_of(outage).health)
                raise outage from outage.__cause__
        if not breaker.is_trusted:
            self._record(breaker, Health.ANSWERS)
        return body

    def fetch_json(self, path: str, query: Mapping[str, str]) -> JsonResponse:
        """Ask for a JSON object of the version 3 API in the background: no request waits.

        The caller asks at intervals and logs the outcome; nothing is logged here. The call is sent
        even if the circuit breaker is open, so that it finds out when the endpoint is back. Its
        outcome says little about validations, so a failure only has a background probe made.

        Args:
            path: below the version, with a leading slash: "/OS-REVOKE/events".
            query: of the address.

        Raises Outage for everything but status 200 and a JSON object.
        """
        path = f"{path}?{urlencode(query)}" if query else path
        try:
            with deadline(self._settings.identity_deadline), self._only_outages(is_logged=False):
                return self._opened.get().fetch_json(path)
        except Outage as outage:
            fails = meaning_of(outage).health is Health.FAILS
            if fails and self._breaker.get().suspect(self._clock()):
                self._wake()
            raise

    def fetch_own_token(self, *, refused: str | None = None) -> str | None:
        """Return our own token, for calls in our own name; nothing is sent while it is valid.

        Args:
            refused: a token of ours that another service did not accept; it is replaced, unless
                one was replaced for that reason a moment ago.

        Returns None without an auth plugin, or with one whose credentials are no token.
        Raises Outage if no token can be fetched.
        """
        if self._plugin.get() is None:
            return None
        breaker = self._breaker.get()
        with deadline(self._settings.identity_deadline):
            with self._only_outages():
                holds_token = self._opened.get().holds_token()
            if not holds_token:
                self._admit(breaker)
            try:
                with self._only_outages():
                    # In an outage the token that we have is better than none.
                    return self._opened.get().fetch_own_token(
                        None if breaker.fails_fast else refused
                    )
            except Outage as outage:
                self._record(breaker, meaning_of(outage).health)
                raise

    @property
    def seeks_authenticate_uri(self) -> bool:
        """Whether `authenticate_uri` would ask the endpoint now, and wait for it."""
        return (
            not self._settings.www_authenticate_uri
            and self._may_discover
            and self._authenticate_uri.get().is_due
            and not self._breaker.get().fails_fast
        )

    def authenticate_uri(self, *, may_ask: bool = True) -> str | None:
        """Return where a client gets a token, for WWW-Authenticate.

        That is `www_authenticate_uri`, else the address that discovery at our own `auth_url` found
        once; before discovery has succeeded, the `auth_url` itself. None without an auth plugin.
        Never raises.

        Args:
            may_ask: whether the endpoint may be asked.
        """
        if self._settings.www_authenticate_uri:
            return self._settings.www_authenticate_uri
        return self._authenticate_uri.get().find(
            self._discover_authenticate_uri
            if may_ask and self._may_discover and not self._breaker.get().fails_fast
            else None,
            lambda: self._opened.get().known_authenticate_uri(),
        )

    def _open(self) -> IdentitySession:
        plugin = self._plugin.get()
        if plugin is None:
            raise make_outage(Outcome.NO_AUTH_PLUGIN)
        from authmw.identity.metered_session import MeteredSession

        return MeteredSession(self._settings, plugin, self._meter, self.server_clock)

    def _admit(self, breaker: Breaker) -> None:
        """Raise Outage if the endpoint is known not to answer."""
        while breaker.admit(self._clock()):
            self._probe(breaker)

    def _record(self, breaker: Breaker, health: Health) -> None:
        if breaker.record(health, self._clock()):
            self._wake()

    def _probe(self, breaker: Breaker, *, is_logged: bool = True) -> None:
        """Find out for all requests whether the endpoint answers; raises Outage if it does not."""
        health = None  # remains None if this thread is told to end
        failure: Outage | None = None
        try:
            with self._only_outages(is_logged=is_logged):
                self._opened.get().validate_own_token()
            health = Health.ANSWERS
        except Outage as outage:
            health, failure = meaning_of(outage).health, outage
            if health is not Health.ANSWERS:
                raise
        finally:
            _log_change(breaker.conclude(health, self._clock()), failure)

    def _discover_authenticate_uri(self) -> str | None:
        try:
            with self._only_outages(), deadline(self._settings.identity_deadline):
                return self._opened.get().discover_authenticate_uri()
        except IdentityUnavailable:
            return None

    @contextlib.contextmanager
    def _only_outages(self, *, is_logged: bool = True) -> Iterator[None]:
        """Turn every exception but InvalidToken into an Outage."""
        try:
            yield
        except InvalidToken:
            raise
        except Exception as error:  # noqa: BLE001 - an auth plugin may raise anything
            outage = self._convert_to_outage(error, is_logged=is_logged)
            raise outage from outage.__cause__

    def _convert_to_outage(self, error: Exception, *, is_logged: bool = True) -> Outage:
        """Return the Outage for an exception; forgets a lost endpoint, and logs the outage."""
        auth = self._settings.auth
        auth_url = "" if auth is None else str(auth.values.get("auth_url") or "")
        outage = make_outage_from(error, auth_url)
        meaning = meaning_of(outage)
        if meaning.is_endpoint_lost:
            with contextlib.suppress(Exception):
                self._opened.get().forget_endpoint()
        if is_logged:
            log_outage(
                LOG,
                f"No answer ({outage.kind.lower()}): {outage.detail}",
                outage.kind,
                is_ours=meaning.verdict is Verdict.CREDENTIALS_REFUSED,
            )
        return outage


def _log_change(change: Change | None, failure: Outage | None) -> None:
    if change is Change.OPENED:
        what, when = "The identity endpoint does not answer", "it answers again"
        if failure is not None and meaning_of(failure).verdict is Verdict.CREDENTIALS_REFUSED:
            what, when = "Our own login at the identity endpoint fails", "it succeeds"
        LOG.warning(
            "%s: calls to it fail at once, except for probes that find out when %s. "
            "The latest failure: %s",
            what,
            when,
            "" if failure is None else failure.detail,
        )
    elif change is Change.CLOSED:
        LOG.warning("The identity endpoint answers again")


def _do_nothing() -> None:
    pass


def _same(plugin: BaseAuthPlugin | None) -> BaseAuthPlugin | None:
    return plugin
