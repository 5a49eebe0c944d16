"""Asks an issuer about opaque tokens (RFC 7662), and tells outages from verdicts."""

from __future__ import annotations

import contextlib
import logging
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

from authmw.errors import IdentityUnavailable, InvalidToken, Outage, Reason
from authmw.identity.breaker import Breaker, Change, State
from authmw.identity.call_meter import CallMeter
from authmw.identity.discovery import DiscoveryReader
from authmw.identity.documents import open_session, read_verify
from authmw.identity.http_messages import describe
from authmw.identity.json_response import raise_for_status
from authmw.identity.meaning import Health, Verdict
from authmw.identity.outage import make_outage, make_outage_from, meaning_of
from authmw.identity.outcomes import Outcome
from authmw.identity.token_response import TokenResponse
from authmw.issuers.access_token import AccessToken
from authmw.issuers.client_authentication import OAuthClient, authenticate_client
from authmw.issuers.introspection_response import verify_introspection_response
from authmw.issuers.record import Issuer
from authmw.issuers.token_body import make_oauth_access, make_token_body
from authmw.jose.strict_json import parse_json_object
from authmw.logs.outages import log_outage
from authmw.net.deadline import deadline
from authmw.runtime.clock import wall_clock
from authmw.runtime.process import PerProcess

if TYPE_CHECKING:
    from requests import Response

    from authmw.config.settings import Settings

_log = logging.getLogger(__name__)

MAX_BODY_SIZE = 1 << 18
"""Octets of an answer; real ones have a few hundred."""


class IntrospectionClient:
    """Asks one issuer; a `TokenSource`, as the client of the identity endpoint is.

    What the issuer answers of a token becomes a v3 token body, so that caches and outages are
    treated alike. Nothing is opened before the first question, and each process opens its own
    connections.

    Args:
        settings: of the filter: TLS, time-outs and `identity_deadline`.
        issuer: who is asked.
        endpoint: of introspection; None: the discovery document says.
        discovery: reads that document; None: there is none.
        client: what the issuer knows this service by.
        lifetime_seconds: how long a token counts as good if the issuer names no end.
        clock: seconds, for the pauses of the circuit breaker.
        meter: counts and times the calls.
    """

    def __init__(
        self,
        settings: Settings,
        issuer: Issuer,
        *,
        endpoint: str | None,
        discovery: DiscoveryReader | None,
        client: OAuthClient,
        lifetime_seconds: int,
        clock: Callable[[], float] = wall_clock,
        meter: CallMeter | None = None,
    ) -> None:
        self._settings = settings
        self._meter = meter or CallMeter()
        self._issuer = issuer
        self._endpoint = endpoint
        self._discovery = discovery
        self._client = client
        self._lifetime_seconds = lifetime_seconds
        self._clock = clock
        self._verify = read_verify(settings)
        self._session = PerProcess(lambda: open_session(settings))
        self._patience_seconds = 0.0
        self._wake: Callable[[], None] = _do_nothing
        self._breaker = PerProcess(lambda: Breaker(patience_seconds=self._patience_seconds))

    def fetch_token_response(
        self,
        token: str,
        *,
        allow_expired: bool,  # noqa: ARG002 - no issuer knows expired tokens
        now: float,
    ) -> TokenResponse:
        """Ask about one token; see `TokenSource`.

        Raises:
            InvalidToken: it is not active, or not for this service; (incomplete) the answer does
                not say who the user is, or what else the mapping needs.
            Outage: the issuer could not be asked, or did not answer.
        """
        breaker = self._breaker.get()
        with deadline(self._settings.identity_deadline):
            while not breaker.is_trusted and breaker.admit(self._clock()):
                self._probe(breaker)
            try:
                verified = self._fetch_verified(token, now)
                body = _make_body(verified)
            except InvalidToken:
                self._record(breaker, Health.ANSWERS)
                raise
            except Exception as error:  # noqa: BLE001 - of any library below
                outage = self._take_for_outage(error)
                self._record(breaker, meaning_of(outage).health)
                raise outage from outage.__cause__
        self._record(breaker, Health.ANSWERS)
        return TokenResponse(body, None, int(now), make_oauth_access(verified))

    def probe_in_background(self, wake: Callable[[], None], *, patience_seconds: float) -> None:
        """Leave probes to an `OutageWatch`; see `IdentityClient.probe_in_background`."""
        self._wake = wake
        self._patience_seconds = patience_seconds

    @property
    def breaker_state(self) -> State:
        """What this process knows of the issuer; nothing is sent."""
        return self._breaker.get().state

    def probe_at(self) -> float:
        """Return when a probe is due, in epoch seconds; infinity: never."""
        return self._breaker.get().probe_at

    def probe_if_due(self) -> None:
        """Ask about a token that does not exist if a probe is due; never raises."""
        breaker = self._breaker.get()
        if breaker.begin_probe(self._clock()):
            with contextlib.suppress(Outage), deadline(self._settings.identity_deadline):
                self._probe(breaker, is_logged=False)

    def _fetch_verified(self, token: str, now: float) -> AccessToken:
        with self._meter.measure("introspect"):
            answer = self._ask(token, now)
        try:
            return verify_introspection_response(
                self._issuer, answer, now, lifetime_seconds=self._lifetime_seconds
            )
        except IdentityUnavailable as error:
            raise make_outage(Outcome.NOT_INTROSPECTION, note=error.detail) from error

    def _ask(self, token: str, now: float) -> dict[str, object]:
        authentication = authenticate_client(self._client, now, secrets.token_hex(16))
        # RFC 7662 §2.1. The token is in the body alone: addresses are logged everywhere.
        form = {"token": token, "token_type_hint": "access_token", **authentication.form}
        response = self._session.get().post(
            self._find_endpoint(now),
            data=form,
            headers={"Accept": "application/json", **authentication.headers},
            allow_redirects=False,
            verify=self._verify,
        )
        if response.status_code in (401, 403):
            raise make_outage(
                Outcome.CLIENT_REFUSED, describe(response.request), f"HTTP {response.status_code}"
            )
        if response.status_code in (404, 405):
            raise make_outage(
                Outcome.NOT_INTROSPECTION,
                describe(response.request),
                f"HTTP {response.status_code}",
            )
        raise_for_status(response, about_token=False)
        return _read_object(response)

    def _find_endpoint(self, now: float) -> str:
        if self._endpoint is not None:
            return self._endpoint
        found = None
        if self._discovery is not None:
            try:
                found = self._discovery.read(now).introspection_endpoint
            except Outage:
                raise
            except IdentityUnavailable as error:
                raise make_outage(Outcome.NO_INTROSPECTION, note=error.detail) from error
        if found is None:
            raise make_outage(
                Outcome.NO_INTROSPECTION, note="its discovery document has no such endpoint"
            )
        return found

    def _record(self, breaker: Breaker, health: Health) -> None:
        if breaker.record(health, self._clock()):
            self._wake()

    def _probe(self, breaker: Breaker, *, is_logged: bool = True) -> None:
        """Find out for all requests whether the issuer answers; raises Outage if it does not."""
        health = None  # stays so if this thread is told to end
        failure: Outage | None = None
        try:
            try:
                with self._meter.measure("probe"):
                    answer = self._ask(secrets.token_urlsafe(32), self._clock())
                if type(answer.get("active")) is not bool:
                    raise make_outage(Outcome.NOT_INTROSPECTION)
            except Exception as error:  # noqa: BLE001 - of any library below
                outage = self._take_for_outage(error, is_logged=is_logged)
                raise outage from outage.__cause__
            health = Health.ANSWERS
        except Outage as outage:
            health, failure = meaning_of(outage).health, outage
            if health is not Health.ANSWERS:
                raise
        finally:
            self._log_change(breaker.conclude(health, self._clock()), failure)

    def _take_for_outage(self, error: Exception, *, is_logged: bool = True) -> Outage:
        outage = make_outage_from(error)
        if self._discovery is not None:
            self._discovery.forget(self._clock())  # the endpoint may have moved
        if is_logged:
            kind = outage.kind.lower()
            log_outage(
                _log,
                f"No answer of issuer {self._issuer.name} ({kind}): {outage.detail}",
                kind,
                is_ours=meaning_of(outage).verdict is Verdict.CREDENTIALS_REFUSED,
            )
        return outage

    def _log_change(self, change: Change | None, failure: Outage | None) -> None:
        name = self._issuer.name
        if change is Change.OPENED:
            is_ours = (
                failure is not None and meaning_of(failure).verdict is Verdict.CREDENTIALS_REFUSED
            )
            _log.warning(
                "Issuer %s %s: opaque tokens that are not remembered get 503 at once, "
                "until a probe is answered. The latest failure: %s",
                name,
                "refuses our own credentials" if is_ours else "does not answer",
                "" if failure is None else failure.detail,
            )
        elif change is Change.CLOSED:
            _log.warning("Issuer %s answers again", name)


def _read_object(response: Response) -> dict[str, object]:
    """Return the JSON object of a response that no two parsers can read differently.

    Raises Outage for anything else, and for a larger body: parsing holds up every thread.
    """
    if len(response.content) > MAX_BODY_SIZE:
        note = f"more than {MAX_BODY_SIZE} bytes"
        raise make_outage(Outcome.BODY_TOO_LARGE, describe(response.request), note)
    try:
        return parse_json_object(response.content)
    except ValueError as error:
        note = f"{error}; {response.headers.get('Content-Type', 'no type')}"
        raise make_outage(Outcome.NOT_JSON, describe(response.request), note) from None


def _make_body(verified: AccessToken) -> dict[str, object]:
    try:
        return make_token_body(verified)
    except InvalidToken as error:
        if error.reason is not Reason.MALFORMED:
            raise
        # The token is good, and what the issuer says of it is not enough to go by.
        raise InvalidToken(Reason.INCOMPLETE, error.detail) from error


def _do_nothing() -> None:
    pass
