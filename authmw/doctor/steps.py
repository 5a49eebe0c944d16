"""Runs one token through a real filter, and tells each step, what it decided and how long it took.

The filter is the one that a service gets, with nothing added: its functions are watched from
outside, as a profiler watches them. `_STEPS` names them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any
from wsgiref.util import setup_testing_defaults

from authmw.build import build_filter_parts
from authmw.cache.shared import SharedCache
from authmw.checks.access_rules import verify_access
from authmw.checks.expiry import verify_not_expired
from authmw.checks.token_bind import verify_binding
from authmw.checks.token_string import verify_token_string
from authmw.errors import AuthmwError
from authmw.identity.client import IdentityClient
from authmw.identity.introspection import IntrospectionClient
from authmw.jose.verifier import JwsVerifier
from authmw.rejection import Rejection
from authmw.resolver import Resolver
from authmw.revalidation import Revalidation
from authmw.runtime.refresh import Refresher
from authmw.token import Token, headers
from authmw.validation.issuers import IssuersValidator
from authmw.validation.offline import OfflineValidator
from authmw.validation.proofs import ProofVerifier
from authmw.validation.remote import RemoteValidator

# In no order: a step is told when it ends, steps inside another one before it.
_STEPS: Mapping[Callable[..., Any], str] = {
    Refresher.catch_up: "keys and revocation events are read",
    verify_token_string: "the token string",
    SharedCache.look_up: "memcached",
    SharedCache.put: "memcached stores",
    IdentityClient.fetch_token: "the identity service",
    IntrospectionClient.fetch_token_response: "the issuer's introspection",
    JwsVerifier.verify: "signature and claims",
    OfflineValidator.validate: "offline validation",
    RemoteValidator.validate: "remote validation",
    IssuersValidator.validate: "the issuer",
    Revalidation.verify: "revocation",
    verify_not_expired: "expiry",
    verify_access: "access rules",
    verify_binding: "token binding",
    ProofVerifier.verify: "proof of possession",
    Resolver.resolve: "validation",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a validation.

    Attributes:
        name: what was done.
        decision: how it ended.
        is_accepted: False: here the token was refused, or could not be validated.
        milliseconds: that it took, inner steps included.
        depth: how many steps it is inside of.
        error: that ended it; None: none did.
    """

    name: str
    decision: str
    is_accepted: bool
    milliseconds: float
    depth: int
    error: BaseException | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Run:
    """One request through the filter.

    Attributes:
        steps: in the order in which they began.
        status: 200 if the service would see an identity; else 401 or 503.
        token: what the service would get; None without one.
        milliseconds: in all, of the request alone.
    """

    steps: tuple[Step, ...]
    status: int
    token: Token | None
    milliseconds: float

    @property
    def error(self) -> AuthmwError | None:
        """Why the token was refused or could not be validated; None: it was accepted."""
        if self.status == 200:
            return None
        errors = [step.error for step in self.steps if isinstance(step.error, AuthmwError)]
        return errors[0] if errors else None


def run_filter(conf: Mapping[str, Any], token: str) -> Run:
    """Build a filter, and give it one request with this token.

    Args:
        conf: as of `authmw.filter_factory`.
        token: without surrounding white space; untrusted.

    Raises:
        ConfigurationError: an option is wrong.
    """
    # A service that decides itself would get the request in any case.
    parts = build_filter_parts({**conf, "delay_auth_decision": False})
    environ: dict[str, Any] = {"HTTP_X_AUTH_TOKEN": token}
    setup_testing_defaults(environ)
    watch = _Watch()
    began = time.perf_counter()
    try:
        rejection: Rejection | None = watch.run(lambda: parts.authenticator.authenticate(environ))
    finally:
        parts.close()
    took = (time.perf_counter() - began) * 1000
    return Run(
        tuple(watch.steps()),
        200 if rejection is None else rejection.status,
        environ.get(headers.TOKEN),
        took,
    )


class _Watch:
    """Watches calls of the functions in `_STEPS`, in this thread."""

    def __init__(self) -> None:
        self._names: dict[CodeType, str] = {
            function.__code__: name for function, name in _STEPS.items()
        }
        self._open: list[tuple[int, float]] = []
        self._steps: list[Step | None] = []

    def run(self, work: Callable[[], Any]) -> Any:
        """Do the work, watched."""
        before = sys.gettrace()
        sys.settrace(self._begin)
        try:
            return work()
        finally:
            sys.settrace(before)

    def steps(self) -> list[Step]:
        return [step for step in self._steps if step is not None]

    def _begin(self, frame: FrameType, event: str, _argument: Any) -> Any:
        name = self._names.get(frame.f_code)
        if event != "call" or name is None:
            return None
        # Steps are listed as they begin, and known as they end.
        place, depth = len(self._steps), len(self._open)
        self._steps.append(None)
        self._open.append((place, time.perf_counter()))
        frame.f_trace_lines = False
        raised: list[BaseException] = []

        def follow(_frame: FrameType, event: str, argument: Any) -> Any:
            if event == "exception":
                raised[:] = [argument[1]]
            elif event == "return":
                while self._open:
                    ended, began = self._open.pop()
                    if ended == place:
                        break
                error = raised[0] if raised and argument is None else None
                took = (time.perf_counter() - began) * 1000
                self._steps[place] = _describe(name, argument, error, took, depth)
            return follow

        return follow


def _describe(
    name: str, returned: Any, error: BaseException | None, took: float, depth: int
) -> Step:
    if error is not None:
        # Other exceptions may quote what was sent.
        text = str(error) if isinstance(error, AuthmwError) else type(error).__name__
        return Step(name, text, is_accepted=False, milliseconds=took, depth=depth, error=error)
    decision = "done"
    if isinstance(returned, Token):
        decision = _describe_token(returned)
    elif hasattr(returned, "entry") and hasattr(returned, "is_reachable"):
        known = "known" if returned.entry is not None else "not known"
        decision = known if returned.is_reachable else "it can't be reached"
    elif isinstance(returned, dict):
        decision = "it answers that the token is valid"
    elif hasattr(returned, "key"):
        decision = f"verified by {returned.key.source}"
    elif name in ("the token string", "revocation", "expiry", "access rules"):
        decision = "no reason to refuse it"
    return Step(name, decision, is_accepted=True, milliseconds=took, depth=depth)


def _describe_token(token: Token) -> str:
    roles = ", ".join(role.name for role in token.roles) or "no role"
    return f"accepted: {token.user.name or token.user.id}, {roles}"
