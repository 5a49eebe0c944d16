"""The client of the identity endpoint: asks, judges, and tells outages from verdicts."""

from __future__ import annotations

import contextlib
import functools
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from authmw.checks.token_string import verify_carriable
from authmw.errors import IdentityUnavailable, InvalidToken, Reason
from authmw.identity.answer import ACCESS_RULES
from authmw.identity.authenticate_uri import AuthenticateUri
from authmw.identity.breaker import Breaker, Change
from authmw.identity.json_answer import (
    IdentityAnswer,
    parse_answer,
    parse_object,
    parse_token,
)
from authmw.identity.judgement import judge, outage_of
from authmw.identity.outage import Outage
from authmw.identity.outcome_row import Health, Verdict
from authmw.identity.outcomes import Outcome
from authmw.identity.renewal_limit import Doubt
from authmw.net.deadline import deadline
from authmw.runtime.clock import wall_clock
from authmw.runtime.process import PerProcess

if TYPE_CHECKING:
    from keystoneauth1.plugin import BaseAuthPlugin
    from requests import Response

    from authmw.config.settings import Settings
    from authmw.identity.session import IdentitySession

LOG = logging.getLogger(__name__)

# What oslo.middleware makes and Keystone takes over into its log; anything else is not ours
# to pass on.
_REQUEST_ID = re.compile(r"req-[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", re.ASCII)


class IdentityClient:
    """Asks the identity endpoint with our own credentials; nothing else does.

    Nothing is loaded or opened before the first question, and each process opens its own.

    Args:
        settings: of the filter.
        auth_plugin: our own credentials, or what makes them. A plugin holds a lock and a
            token, so a server that forks should pass what makes one: each process then has
            its own. None: every question ends as an outage that names `auth_type`.
        clock: seconds, for the pauses of the circuit breaker.
    """

    def __init__(
        self,
        settings: Settings,
        auth_plugin: BaseAuthPlugin | Callable[[], BaseAuthPlugin | None] | None,
        *,
        clock: Callable[[], float] = wall_clock,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._plugin = PerProcess(
            auth_plugin if callable(auth_plugin) else functools.partial(_same, auth_plugin)
        )
        self._opened = PerProcess(self._open)
        self._patience_seconds = 0.0
        self._wake: Callable[[], None] = _do_nothing
        self._breaker = PerProcess(lambda: Breaker(patience_seconds=self._patience_seconds))
        self._authenticate_uri = PerProcess(AuthenticateUri)

    def probe_in_background(self, wake: Callable[[], None], *, patience_seconds: float) -> None:
        """Leave probes to an `OutageWatch`; to be called before the first question.

        Args:
            wake: called when a probe is due, so that `probe_if_wanted` is called before long.
            patience_seconds: how late that may be before a request probes.
        """
        self._wake = wake
        self._patience_seconds = patience_seconds

    def probe_at(self) -> float:
        """Return when a probe is due, in epoch seconds; infinity: none is wanted."""
        return self._breaker.get().probe_at

    def probe_if_wanted(self) -> None:
        """Have our own token validated, and note what came of it; never raises.

        Nothing is logged but a change: an outage may last for days.
        """
        breaker = self._breaker.get()
        if breaker.begin_probe(self._clock()):
            with contextlib.suppress(Outage), deadline(self._settings.identity_deadline):
                self._probe(breaker, self._only_outages)

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
        headers = {"X-Subject-Token": token, **ACCESS_RULES}
        if request_id is not None and _REQUEST_ID.fullmatch(request_id):
            headers["X-OpenStack-Request-ID"] = request_id
        return self._ask(_with_query("/auth/tokens", "&".join(query)), headers)

    def fetch_json(self, path: str, query: Mapping[str, str]) -> IdentityAnswer:
        """Ask for a JSON object of the version 3 API in the background: no request waits.

        Who asks does so at intervals and says in the log what comes of it; here nothing is
        logged. The circuit breaker has no part in it: it would keep such a question from
        finding out that the endpoint is back, and its outcome says little about validations:
        a failure only has the background probe find out more.

        Args:
            path: below the version, with a leading slash: "/OS-REVOKE/events".
            query: of the address.

        Raises IdentityUnavailable for everything but status 200 and a JSON object.
        """
        try:
            with deadline(self._settings.identity_deadline), self._only_outages():
                response = self._opened.get().ask(_with_query(path, urlencode(query)), {})
                return parse_answer(response, judge(response, about_token=False))
        except Outage as outage:
            fails = outage.outcome.value.health is Health.FAILS
            if fails and self._breaker.get().suspect(self._clock()):
                self._wake()
            raise

    def fetch_own_token(self, *, refused: str | None = None) -> str | None:
        """Return our own token, for calls in our own name; nothing is sent while it is good.

        Args:
            refused: a token of ours that another service did not accept; it is replaced, unless
                one was replaced for that reason a moment ago.

        Returns None without an auth plugin, or with one whose credentials are no token.
        Raises IdentityUnavailable if there is none to be had.
        """
        if self._plugin.get() is None:
            return None
        breaker = self._breaker.get()
        with deadline(self._settings.identity_deadline):
            if not self._holds_own_token():
                self._admit(breaker)
            try:
                with self._logged_outages():
                    session = self._opened.get()
                    credentials = session.authenticate()
                    # In an outage the token that we have is better than none.
                    is_refused = refused is not None and credentials.get("X-Auth-Token") == refused
                    if is_refused and not breaker.is_open:
                        others = session.authenticate_again(credentials, Doubt.REFUSED_ELSEWHERE)
                        credentials = others or credentials
                    return credentials.get("X-Auth-Token")
            except Outage as outage:
                self._record(breaker, outage.outcome.value.health)
                raise

    def _holds_own_token(self) -> bool:
        with self._logged_outages():
            return self._opened.get().holds_token()

    def authenticate_uri(self) -> str | None:
        """Return where a client gets a token: what WWW-Authenticate says.

        That is `www_authenticate_uri`, else what discovery at our own `auth_url` finds,
        remembered for good; while discovery fails, or another thread is at it, the
        `auth_url` itself. None without an auth plugin. Never raises.
        """
        if self._settings.www_authenticate_uri:
            return self._settings.www_authenticate_uri
        return self._authenticate_uri.get().find(
            None if self._breaker.get().is_open else self._discover_authenticate_uri,
            lambda: self._opened.get().known_authenticate_uri(),
        )

    def _open(self) -> IdentitySession:
        plugin = self._plugin.get()
        if plugin is None:
            raise Outage(Outcome.NO_AUTH_PLUGIN)
        from authmw.identity.session import IdentitySession

        return IdentitySession(self._settings, plugin)

    def _ask(self, path: str, headers: Mapping[str, str]) -> dict[str, object]:
        """Ask for a token's body, unless the circuit breaker says not to.

        Raises InvalidToken or Outage.
        """
        breaker = self._breaker.get()
        with deadline(self._settings.identity_deadline):
            self._admit(breaker)
            try:
                with self._logged_outages():
                    response = self._opened.get().ask(path, headers)
                    where = self._judge_token(response)
                    body = parse_token(parse_object(response, where), where)
            except InvalidToken:
                self._record(breaker, Health.ANSWERS)
                raise
            except Outage as outage:
                self._record(breaker, outage.outcome.value.health)
                raise
        self._record(breaker, Health.ANSWERS)
        return body

    def _admit(self, breaker: Breaker) -> None:
        """Raise Outage if the endpoint is known not to answer."""
        while breaker.admit(self._clock()):
            self._probe(breaker, self._logged_outages)

    def _record(self, breaker: Breaker, health: Health) -> None:
        if breaker.record(health, self._clock()):
            self._wake()

    def _judge_token(self, response: Response) -> str:
        """Judge an answer about a token; where it may be about us as well, find that out."""
        try:
            return judge(response, about_token=True)
        except InvalidToken:
            if response.status_code == 403:
                self._ask_about_ourselves()
            raise

    def _ask_about_ourselves(self) -> None:
        """Raise Outage unless the endpoint answers, and takes our own credentials."""
        response = self._opened.get().ask_about_ourselves()
        parse_object(response, judge(response, about_token=False))

    def _probe(
        self, breaker: Breaker, only_outages: Callable[[], AbstractContextManager[None]]
    ) -> None:
        """Find out for everybody whether the endpoint answers; raises Outage if it does not."""
        health = None  # stays so if this thread is told to end
        detail = ""
        try:
            with only_outages():
                self._ask_about_ourselves()
            health = Health.ANSWERS
        except Outage as outage:
            health, detail = outage.outcome.value.health, outage.detail
            if health is not Health.ANSWERS:
                raise
        finally:
            _log_change(breaker.conclude(health, self._clock()), detail)

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
            with self._only_outages():
                yield
        except Outage as outage:
            is_ours = outage.outcome.value.verdict is Verdict.CREDENTIALS_REFUSED
            level = logging.ERROR if is_ours else logging.WARNING
            LOG.log(level, "No answer (%s): %s", outage.outcome.name.lower(), outage.detail)
            raise

    @contextlib.contextmanager
    def _only_outages(self) -> Iterator[None]:
        """Let nothing but InvalidToken and Outage leave."""
        try:
            yield
        except InvalidToken:
            raise
        except Outage as outage:
            self._forget_lost_endpoint(outage)
            raise
        except Exception as error:  # noqa: BLE001 - an auth plugin may raise anything
            found = outage_of(error)
            self._forget_lost_endpoint(found)
            # Only the unforeseen needs a traceback; others may quote what we sent.
            raise found from (error if found.outcome is Outcome.FAILED else None)

    def _forget_lost_endpoint(self, outage: Outage) -> None:
        if outage.outcome.value.is_endpoint_lost:
            with contextlib.suppress(Exception):
                self._opened.get().forget_endpoint()


def _log_change(change: Change | None, detail: str) -> None:
    if change is Change.OPENED:
        LOG.warning(
            "The identity endpoint does not answer: what needs it fails at once, but for a "
            "question now and then that finds out whether it does. The latest failure: %s",
            detail,
        )
    elif change is Change.CLOSED:
        LOG.warning("The identity endpoint answers again")


def _with_query(path: str, query: str) -> str:
    return f"{path}?{query}" if query else path


def _do_nothing() -> None:
    pass


def _same(plugin: BaseAuthPlugin | None) -> BaseAuthPlugin | None:
    return plugin
