"""The five steps of a request: strip, read, resolve, check, inject or reject.

An `Authenticator` belongs to one configuration and knows nothing of the app, so that all apps of
a filter and the decorator share it. A request whose token is in memory does no I/O, takes no lock,
parses nothing and formats no log line.
"""

from __future__ import annotations

import functools
import logging
import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, cast

from authmw.checks.access_rules import verify_access
from authmw.checks.expiry import ExpiryPolicy, is_conclusive, verify_not_expired
from authmw.checks.paths import access_path
from authmw.checks.presented_token import (
    brings_bearer,
    copy_bearer,
    find_plain_token,
    read_user_token,
)
from authmw.checks.rules import Rules
from authmw.checks.service_roles import has_service_role, speaks_for
from authmw.checks.token_bind import refuse_key_binding, verify_binding
from authmw.errors import IdentityUnavailable, InvalidToken, Lane, Others, Reason, WouldBlock
from authmw.logs.decisions import DecisionLog, log_with_fields
from authmw.logs.fields import describe_decision, find_request_id
from authmw.metrics.filter_metrics import FilterMetrics
from authmw.rejection import DESCRIBE_RESOURCE, REFUSED_FOR, Rejection
from authmw.resolver import Resolver
from authmw.runtime import oslo_context, request
from authmw.runtime.blocking import Answers, Outcome, run_or_raise
from authmw.runtime.clock import wall_clock
from authmw.runtime.refresh import Refresher
from authmw.token import Token, headers
from authmw.token.access_rules import AccessRule
from authmw.token.token_info import TokenInfo
from authmw.wsgi.interfaces import Credentials, MakeTokenAuth, Resource

if TYPE_CHECKING:
    from authmw.checks.freshness import Freshness
    from authmw.validation.proofs import ProofVerifier


# Read by every request: a lookup in a class or another module takes longer.
_RESERVED_KEYS = headers.RESERVED_KEYS
_TOKEN_INFO = headers.TOKEN_INFO
_TOKEN_AUTH = headers.TOKEN_AUTH
_TOKEN = headers.TOKEN
_REFUSE_EXPIRED = ExpiryPolicy.REFUSE_EXPIRED

# Keys of work that is not about one token.
_CATCH_UP: Final = "catch up"
_PROOF: Final = "proof"
_FRESHNESS: Final = "freshness"
_HAS_WAITED: Final = "has waited"


class Authenticator:
    """Decides on requests, and puts the caller's identity into the environ.

    Args:
        resolver: resolves token strings.
        rules: the options that decide on requests.
        refresher: reloads the keys, revocation events and bearers that decide on tokens.
        make_token_auth: makes `keystone.token_auth` of one request.
        proofs: checks that clients hold the keys their tokens are bound to; None: no token is
            accepted that could be.
        resource: answers requests for its metadata; None: there is none.
        freshness: verifies how fresh decisions from a bundle are; None: there are none.
        log: of decisions; None: a new one.
        metrics: counts decisions; None: nothing does.
        clock: epoch seconds.
    """

    def __init__(
        self,
        resolver: Resolver,
        rules: Rules,
        refresher: Refresher,
        make_token_auth: MakeTokenAuth,
        *,
        proofs: ProofVerifier | None = None,
        resource: Resource | None = None,
        freshness: Freshness | None = None,
        log: DecisionLog | None = None,
        metrics: FilterMetrics | None = None,
        clock: Callable[[], float] = wall_clock,
    ) -> None:
        self._log = log or DecisionLog(rules.log_refusals)
        self._resolver = resolver
        self._find_fresh = resolver.find_fresh
        self._refresher = refresher
        self._rules = rules
        self._make_token_auth = make_token_auth
        self._requires_binding = rules.bind_policy.is_required
        self._accepts_bearer = rules.accept_bearer
        self._clock = clock
        self._is_wall_clock = clock is wall_clock
        self._admits_at_once = not rules.bind_policy.is_required
        # Whether a token may come in Authorization, and what comes with it may decide about it.
        self._has_schemes = rules.accept_bearer or proofs is not None
        self._find_entry = resolver.find_entry
        self._revalidation = resolver.revalidation
        self._proofs = proofs
        self._resource = resource
        self._freshness = freshness
        self._metrics = metrics
        self._count_hit: Callable[[], object] | None = None
        self._count_accepted: Callable[[], object] | None = None
        if metrics is not None and metrics.hits is not None:
            self._count_hit = metrics.hits.add
            self._count_accepted = metrics.decisions.count("accepted", "").add
        self._has_open_requests = rules.allow_cors_preflight or bool(rules.public_paths)
        self._warned_of_service_role = False
        self._warned_of_bearer = False

    def with_rules(self, rules: Rules) -> Authenticator:
        """Return an authenticator with other rules that shares all else with this one."""
        return Authenticator(
            self._resolver,
            rules,
            self._refresher,
            self._make_token_auth,
            proofs=self._proofs,
            resource=self._resource,
            freshness=self._freshness,
            log=self._log.with_level(rules.log_refusals),
            metrics=self._metrics,
            clock=self._clock,
        )

    def authenticate(
        self, environ: dict[str, Any], answers: Answers | None = None
    ) -> Rejection | None:
        """Decide on one request; None: it may pass, and the environ holds the caller's identity.

        Never raises for what a client, a cache or the identity endpoint does.

        Args:
            environ: of the request; changed.
            answers: where the caller must not wait: what `WouldBlock.work` has come to so far, by
                key, as `Outcome`s. None: wait here.

        Raises:
            WouldBlock: (with `answers` only) do that work, put its outcome there, and call again.
        """
        # Nearly every request carries none of them, and isdisjoint() tells so at C speed.
        if not _RESERVED_KEYS.isdisjoint(environ):
            headers.strip(environ)
        try:
            if self._has_open_requests and self._is_open(environ):
                self.admit_anonymous(environ)
                return None
            if self._resource is not None and self._resource.is_metadata_request(environ):
                self._count("metadata")
                return DESCRIBE_RESOURCE
            if self._admits_at_once and "HTTP_X_SERVICE_TOKEN" not in environ and not answers:
                # The short way of most requests. Between two of them the service's own code evicts
                # ours from the processor's caches, so that each function and object touched here
                # costs more than the work done with it. If any condition below does not hold,
                # `_decide` takes the whole way.
                string: Any
                if self._has_schemes:
                    string = find_plain_token(environ, accepts_bearer=self._accepts_bearer)
                else:
                    string = environ.get("HTTP_X_AUTH_TOKEN")
                entry = self._find_entry(string)
                if entry is not None:
                    now = time.time() if self._is_wall_clock else self._clock()
                    token = entry.value
                    refresher = self._refresher
                    if (
                        now < token.unconditional_until
                        and entry.generation is self._revalidation.generation
                        and refresher.on_time_from <= now < refresher.overdue_at
                    ):
                        entry.used = True
                        if "HTTP_X_AUTH_TOKEN" not in environ:
                            copy_bearer(environ, string)
                        environ.update(token.user_environ)
                        environ[_TOKEN_INFO] = info = TokenInfo()
                        info["token"] = token.shared_body
                        environ[_TOKEN_AUTH] = auth = self._make_token_auth()
                        auth.tokens = (token, string, None, None)
                        environ[_TOKEN] = token
                        if self._count_hit is not None:
                            self._count_hit()
                        return None
            return self._decide(environ, answers)
        except WouldBlock:
            raise
        except Exception as error:  # noqa: BLE001
            return self.refuse_for_fault(environ, error)

    def refuse_for_fault(self, environ: dict[str, Any], error: Exception) -> Rejection:
        """Refuse a request for a fault of ours, with a 503.

        It must neither let the request pass nor look like a refused token.
        """
        # The exception's text is left out: it could quote what the client sent.
        where = "".join(traceback.format_tb(error.__traceback__))
        log_with_fields(
            logging.ERROR,
            f"internal error while authenticating ({type(error).__name__}):\n{where}",
            describe_decision(environ, reason="internal_error"),
        )
        headers.strip(environ)
        self._count("rejected", "internal_error")
        return Rejection(503, retry_after=5)

    def admit_anonymous(self, environ: dict[str, Any]) -> None:
        """Let a request pass without an identity, whatever token came with it."""
        self._count("open")
        headers.strip(environ)
        environ[headers.USER_STATUS_KEY] = headers.INVALID
        environ[_TOKEN_AUTH] = auth = self._make_token_auth()
        auth.tokens = (None, None, None, None)

    def refuse_accepted(self, environ: dict[str, Any], error: InvalidToken) -> Rejection | None:
        """Refuse a token that `authenticate` accepted; return what that would have returned."""
        token: Token = environ[headers.TOKEN]
        if self._metrics is not None:
            self._metrics.hook_refusals.add(error.reason.value)
        credentials: Credentials = environ[headers.TOKEN_AUTH]
        self._log.refused(environ, "user token", credentials.tokens[1] or "", error, token)
        headers.strip_user(environ)
        if not self._rules.delay_auth_decision:
            return Rejection(401, reason=error.reason)
        environ[REFUSED_FOR] = error.reason
        environ[headers.USER_STATUS_KEY] = headers.INVALID
        environ[headers.TOKEN_AUTH] = credentials.without_user()
        return None

    def note_missing(self, environ: dict[str, Any], missing: str) -> None:
        """Log and count that `require` or `check` refused a request for what its token lacks."""
        if self._metrics is not None:
            self._metrics.requirement_refusals.add()
        token = environ.get(headers.TOKEN)
        self._log.lacks_right(environ, token, missing)

    def _count(self, outcome: str, reason: str = "") -> None:
        if self._metrics is not None:
            self._metrics.decisions.add(outcome, reason)

    def _decide(
        self, environ: dict[str, Any], answers: Answers | None, *, has_waited: bool = False
    ) -> Rejection | None:
        now = time.time() if self._is_wall_clock else self._clock()
        refresher = self._refresher
        if not refresher.on_time_from <= now < refresher.overdue_at:
            catch_up = functools.partial(self._catch_up, environ)
            others: Others = "go on" if refresher.has_begun else "wait"
            run_or_raise(answers, _CATCH_UP, catch_up, "upkeep", others)
        rejection: Rejection | None = None
        service: Token | None = None
        user: Token | None = None
        reason = Reason.MISSING.value
        speaker: Token | None = None  # the service token, if it has a service role
        undecided: IdentityUnavailable | None = None

        service_string = environ.get("HTTP_X_SERVICE_TOKEN")
        if service_string and (service_string := service_string.strip()):
            try:
                service = self._resolve(service_string, _REFUSE_EXPIRED, now, environ, answers)
                if now >= service.expires_at:
                    verify_not_expired(service, now)
                if service.is_bound or self._requires_binding:
                    verify_binding(self._rules.bind_policy, service, environ)
                    # A request has one proof, and it is the user's.
                    refuse_key_binding(service)
                rules = service.principal.access_rules
                if rules is not None:
                    # Otherwise a restricted token sent in both headers would lift its own rules.
                    self._verify_access(rules, service, environ, is_service_request=False)
                speaker = service if self._verify_service(service, environ) else None
                environ.update(service.principal.service_environ)
            except (InvalidToken, IdentityUnavailable) as error:
                environ[headers.SERVICE_STATUS_KEY] = headers.INVALID
                rejection = self._refuse("service token", service_string, error, environ, service)
                service = service_string = None
                if rejection is not None:
                    return rejection
                if isinstance(error, IdentityUnavailable):
                    undecided = error

        user_string = environ.get("HTTP_X_AUTH_TOKEN")
        if user_string is None or self._accepts_bearer:
            user_string = read_user_token(environ, accepts_bearer=self._accepts_bearer)
        if user_string and (user_string := user_string.strip()):
            keystones = self._rules.keystones
            # Keystone alone can say whether an expired token may still be used, and of its own.
            is_of_keystone = speaker is not None and speaker.issuer in keystones
            expiry_policy = ExpiryPolicy.ALLOW_EXPIRED if is_of_keystone else _REFUSE_EXPIRED
            try:
                user = self._resolve(user_string, expiry_policy, now, environ, answers)
                if now >= user.expires_at and expiry_policy is _REFUSE_EXPIRED:
                    verify_not_expired(user, now)
                is_service_request = speaker is not None and speaks_for(speaker, user, keystones)
                rules = user.principal.access_rules
                if rules is not None:
                    self._verify_access(rules, user, environ, is_service_request=is_service_request)
                if (user.is_bound or self._requires_binding) and not is_service_request:
                    verify_binding(self._rules.bind_policy, user, environ)
                # Never for a client alone, who could hold threads by it.
                if (
                    is_service_request
                    and self._freshness is not None
                    and not self._is_fresh(self._freshness, user, environ, answers, has_waited)
                ):
                    headers.strip(environ)
                    if answers is not None:
                        # The token is judged anew, by what has come meanwhile.
                        answers.pop((user_string, expiry_policy), None)
                        answers[_HAS_WAITED] = Outcome()
                    return self._decide(environ, answers, has_waited=True)
                # Last: a proof passes once, and all else must be right with the request.
                if is_service_request:
                    pass  # the service has the user's token, and not the user's key
                elif self._proofs is not None:
                    self._verify_proof(self._proofs, user, user_string, environ, answers)
                elif user.is_bound:
                    refuse_key_binding(user)
            except (InvalidToken, IdentityUnavailable) as error:
                reason = _name_reason(error)
                rejection = self._refuse("user token", user_string, error, environ, user)
                # With a service token the user's might have been accepted.
                undecided = error if isinstance(error, IdentityUnavailable) else undecided
                if rejection is None and undecided is not None:
                    environ[headers.UNDECIDED] = Rejection(503, undecided.retry_after)
            else:
                environ.update(user.user_environ)
                environ[_TOKEN_INFO] = info = TokenInfo()
                info["token"] = user.shared_body
                environ[_TOKEN_AUTH] = auth = self._make_token_auth()
                auth.tokens = (user, user_string, service, service_string)
                environ[_TOKEN] = user
                if self._count_accepted is not None:
                    self._count_accepted()
                return None
        else:
            if not self._accepts_bearer and not self._warned_of_bearer and brings_bearer(environ):
                self._warned_of_bearer = True
                self._log.ignored_bearer(environ)
            if not self._rules.delay_auth_decision:
                self._log.no_token(environ)
                self._count("rejected", reason)
                return Rejection(401)

        if rejection is None:
            self._count("invalid", reason)
            environ[headers.USER_STATUS_KEY] = headers.INVALID
            environ[_TOKEN_AUTH] = auth = self._make_token_auth()
            auth.tokens = (None, None, service, service_string)
        return rejection

    def _resolve(
        self,
        string: str,
        expiry_policy: ExpiryPolicy,
        now: float,
        environ: dict[str, Any],
        answers: Answers | None,
    ) -> Token:
        """Return the token, which may have expired; raises what `Resolver` raises."""
        if answers:
            known = answers.get((string, expiry_policy))
            if known is not None:
                return cast(Token, known.get())
        token = None if self._find_entry(string) is None else self._find_fresh(string, now)
        if token is None or (
            expiry_policy is not _REFUSE_EXPIRED and not is_conclusive(token, expiry_policy, now)
        ):
            look_up = functools.partial(self._look_up, string, expiry_policy, now, environ)
            lane: Lane = "signed" if "." in string else "opaque"
            return run_or_raise(answers, (string, expiry_policy), look_up, lane)
        return token

    def _look_up(
        self, string: str, expiry_policy: ExpiryPolicy, now: float, environ: dict[str, Any]
    ) -> Token:
        mark = request.begin(environ)
        former = oslo_context.replace(environ, find_request_id)
        try:
            return self._resolver.resolve(string, expiry_policy, now)
        finally:
            if former is not None:
                oslo_context.restore(former)
            request.end(mark)

    def _catch_up(self, environ: dict[str, Any]) -> None:
        with oslo_context.replaced(environ, find_request_id):
            self._refresher.catch_up()

    def _is_fresh(
        self,
        freshness: Freshness,
        user: Token,
        environ: dict[str, Any],
        answers: Answers | None,
        has_waited: bool,  # noqa: FBT001
    ) -> bool:
        """Tell whether a token stands as it is; if not, the request is to be decided anew.

        A request waits once at most, for what a service demands.
        """
        if freshness.is_met(user, environ):
            return True
        has_waited = has_waited or (answers is not None and _HAS_WAITED in answers)
        come_to = functools.partial(freshness.come_to, environ, may_wait=not has_waited)
        waiting = None if has_waited else answers
        return run_or_raise(waiting, _FRESHNESS, come_to, "signed", "work")

    def _verify_proof(
        self,
        proofs: ProofVerifier,
        user: Token,
        string: str,
        environ: dict[str, Any],
        answers: Answers | None,
    ) -> None:
        # The time of now: to validate a token may have taken longer than proofs last.
        prove = functools.partial(proofs.verify, user, string, environ, self._clock())
        # Proofs are remembered in memcached. That of another token is not looked for.
        run_or_raise(answers if user.is_bound else None, _PROOF, prove, "signed", "work")

    def _verify_service(self, service: Token, environ: dict[str, Any]) -> bool:
        """Tell whether the token has a service role.

        Raises:
            InvalidToken: (service_role) it has none, and service_token_roles_required is on.
        """
        if has_service_role(service, self._rules.service_token_roles):
            return True
        if self._rules.service_token_roles_required:
            raise InvalidToken(
                Reason.SERVICE_ROLE, "no role of it is in [keystone_authtoken] service_token_roles"
            )
        if not self._warned_of_service_role:
            self._warned_of_service_role = True
            self._log.service_without_role(environ, service)
        return False

    def _verify_access(
        self,
        rules: tuple[AccessRule, ...],
        user: Token,
        environ: dict[str, Any],
        *,
        is_service_request: bool,
    ) -> None:
        catalog = user.principal.catalog
        verify_access(
            rules,
            service_type=self._rules.service_type,
            method=environ["REQUEST_METHOD"],
            path=access_path(environ),
            catalog_types=catalog.service_types if catalog else None,
            is_service_request=is_service_request,
        )

    def _is_open(self, environ: dict[str, Any]) -> bool:
        method = environ["REQUEST_METHOD"]
        if self._rules.allow_cors_preflight and method == "OPTIONS":
            return True
        return self._rules.public_paths.is_match(method, environ.get("PATH_INFO", ""))

    def _refuse(
        self,
        what: str,
        string: str,
        error: InvalidToken | IdentityUnavailable,
        environ: dict[str, Any],
        token: Token | None,
    ) -> Rejection | None:
        """Log a refusal; return the rejection, or None if the app decides."""
        self._log.refused(environ, what, string, error, token)
        if isinstance(error, InvalidToken):
            rejection = Rejection(401, reason=error.reason)
        else:
            rejection = Rejection(503, error.retry_after)
        if not self._rules.delay_auth_decision:
            self._count("rejected", _name_reason(error))
            return rejection
        # What the challenge of an app's own 401 says to OAuth clients.
        if rejection.reason is not None:
            environ[REFUSED_FOR] = rejection.reason
        return None


def _name_reason(error: InvalidToken | IdentityUnavailable) -> str:
    # The label of a decision: one of few.
    return error.reason.value if isinstance(error, InvalidToken) else "unavailable"
