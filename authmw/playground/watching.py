"""Watches one request on its way through the middleware, and sums up its five steps.

The middleware is called as a server calls it. What it does is watched from outside (ADR 0105), and
what it did is read from the environ and the response.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from authmw.authenticator import Authenticator
from authmw.checks.presented_token import find_plain_token, read_user_token
from authmw.doctor.steps import STEPS
from authmw.doctor.watch import Step, Watch
from authmw.middleware import AuthMiddleware, WsgiApp
from authmw.resolver import Resolver
from authmw.revalidation import Revalidation
from authmw.runtime.fingerprint import fingerprint
from authmw.token import headers

SEEN: Final = "authmw.playground.seen"
"""Environ key of a list, to which `Recorder` adds the environ that the service got."""

_ALL: Final = "all"
_STRIP: Final = "identity headers of the client"
_READ: Final = "the token is looked for"
_OPEN: Final = "a public path"

_WATCHED: Final[Mapping[Callable[..., Any], str]] = {
    **STEPS,
    Authenticator.authenticate: _ALL,
    Authenticator.admit_anonymous: _OPEN,
    headers.strip: _STRIP,
    find_plain_token: _READ,
    read_user_token: _READ,
    Resolver.find_fresh: "memory",
    Revalidation.verify_remembered: "revocation",
}

_NAMES: Final = {headers.to_environ_key(one.name): one.name for one in headers.IDENTITY_HEADERS}

State = Literal["passed", "refused", "not reached"]
Stage = Literal["strip", "read", "resolve", "check", "answer"]

# Of the steps that stand in no other one; all others are checks.
_STAGES: Final[Mapping[str, Stage]] = {
    _STRIP: "strip",
    _READ: "read",
    "memory": "resolve",
    "validation": "resolve",
    "keys and revocation events are read": "resolve",
}


class Recorder:
    """Keeps what the service gets of each request.

    Args:
        app: the service.
    """

    def __init__(self, app: WsgiApp) -> None:
        self._app = app

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Handle one request (PEP 3333)."""
        if SEEN in environ:
            environ[SEEN].append(dict(environ))
        return self._app(environ, start_response)


@dataclass(slots=True)
class Seen:
    """What was seen of one request.

    Attributes:
        sent: the environ as the client's headers made it.
        status: of the response, as "200 OK".
        headers, body: of the response.
        service: the environ that the service got; None: it got none.
        steps: in the order in which they began, those inside others after these.
        removed: keys of `sent` that were not there any more once the headers were stripped.
        milliseconds: that the middleware took to decide.
    """

    sent: Mapping[str, Any]
    status: str = ""
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    service: Mapping[str, Any] | None = None
    steps: Sequence[Step] = ()
    removed: Sequence[str] = ()
    milliseconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Summary:
    """One of the five steps of a request.

    Attributes:
        stage: which.
        state: how it ended.
        decision: the same in words.
        milliseconds: that it took; None: it has no function of its own, and is part of the whole.
        steps: that were watched in it.
    """

    stage: Stage
    state: State
    decision: str
    milliseconds: float | None = None
    steps: Sequence[Step] = field(default=())


def watch_request(middleware: AuthMiddleware, environ: dict[str, Any]) -> Seen:
    """Send one request, watched.

    Args:
        middleware: in front of a `Recorder`.
        environ: of the request (PEP 3333); it is changed as a service's is.
    """
    seen = Seen(dict(environ))
    got: list[Mapping[str, Any]] = []
    environ[SEEN] = got
    removed: set[str] = set()

    def note(name: str, variables: Mapping[str, Any]) -> None:
        if name == _STRIP:
            removed.update(seen.sent.keys() - variables["environ"].keys())

    def start_response(
        status: str, response_headers: Sequence[tuple[str, str]], _exc_info: object = None
    ) -> Callable[[bytes], object]:
        seen.status, seen.headers = status, list(response_headers)
        return lambda _: None

    def send() -> bytes:
        body = middleware(environ, start_response)
        try:
            return b"".join(body)
        finally:
            close = getattr(body, "close", None)
            if close is not None:
                close()

    watch = Watch(_WATCHED, note)
    seen.body = watch.run(send)
    whole, *steps = watch.steps()
    seen.steps, seen.milliseconds = steps, whole.milliseconds
    seen.removed = sorted(removed)
    seen.service = got[-1] if got else None
    return seen


def summarize(seen: Seen) -> tuple[Summary, ...]:
    """Return the five steps of a request."""
    found: dict[Stage, list[Step]] = {
        "strip": [],
        "read": [],
        "resolve": [],
        "check": [],
    }
    stage: Stage = "strip"
    is_open = False
    for step in seen.steps:
        # Depth 0 is the whole.
        if step.depth == 1:
            is_open = is_open or step.name == _OPEN
            stage = _STAGES.get(step.name, "check")
        if step.name != _OPEN and not (is_open and step.name == _STRIP and step.depth > 1):
            found[stage].append(step)
    is_known = seen.service is not None and headers.TOKEN in seen.service
    return (
        _sum_up_strip(seen, found["strip"]),
        *_sum_up_token(seen, found, is_open=is_open, is_known=is_known),
        _sum_up_answer(seen, is_known=is_known),
    )


def _sum_up_strip(seen: Seen, steps: Sequence[Step]) -> Summary:
    sent = headers.RESERVED_KEYS & seen.sent.keys()
    left = sorted(sent - set(seen.removed))
    if left:
        return Summary("strip", "refused", f"left there: {_name_all(left)}", _time(steps))
    said = f"removed: {_name_all(sorted(sent))}" if sent else "the client sent no identity header"
    return Summary("strip", "passed", said, _time(steps))


def _sum_up_token(
    seen: Seen, found: Mapping[Stage, Sequence[Step]], *, is_open: bool, is_known: bool
) -> Iterator[Summary]:
    if is_open:
        yield Summary("read", "passed", "not needed: the path is one of public_paths")
        yield Summary("resolve", "not reached", "no token is looked at")
        yield Summary("check", "not reached", "nothing to check")
        return
    if seen.service is None and seen.status.startswith("200"):
        yield Summary("read", "passed", "not needed: the metadata of the resource is public")
        yield Summary("resolve", "not reached", "no token is looked at")
        yield Summary("check", "not reached", "nothing to check")
        return
    where = _find_token(seen.sent)
    if where is None:
        yield Summary("read", "refused", "the request has no token", _time(found["read"]))
        yield Summary("resolve", "not reached", "")
        yield Summary("check", "not reached", "")
        return
    yield Summary("read", "passed", where, _time(found["read"]))
    resolving, checks = found["resolve"], found["check"]
    refusal = _find_refusal(resolving)
    if refusal is not None:
        yield Summary("resolve", "refused", refusal, _time(resolving), resolving)
        yield Summary("check", "not reached", "")
        return
    known = [step for step in resolving if step.depth == 1 and step.decision.startswith("accepted")]
    if known:
        yield Summary("resolve", "passed", known[-1].decision, _time(resolving), resolving)
    elif is_known:
        said = "the token is in memory: nobody is asked, and nothing is verified anew"
        yield Summary("resolve", "passed", said, _time(resolving), resolving)
    else:
        yield Summary("resolve", "not reached", "")
    refusal = _find_refusal(checks)
    if refusal is not None:
        yield Summary("check", "refused", refusal, _time(checks), checks)
    elif is_known:
        said = "not expired; nothing has changed that decided about the token"
        yield Summary("check", "passed", said, _time(checks), checks)
    else:
        yield Summary("check", "refused", "the token was not accepted", _time(checks), checks)


def _sum_up_answer(seen: Seen, *, is_known: bool) -> Summary:
    if seen.service is None and seen.status.startswith("200"):
        return Summary(
            "answer", "passed", "the middleware itself describes the resource (RFC 9728)"
        )
    if seen.service is None:
        return Summary("answer", "refused", f"rejected: {seen.status}; the service gets no request")
    if not is_known:
        return Summary("answer", "passed", "the service gets the request, and no identity")
    own = sum(key in headers.RESERVED_KEYS for key in seen.service if key.startswith("HTTP_"))
    said = f"the service gets the request with {own} headers about the caller"
    return Summary("answer", "passed", said)


def _find_refusal(steps: Sequence[Step]) -> str | None:
    return next((step.decision for step in steps if step.depth == 1 and not step.is_accepted), None)


def _find_token(sent: Mapping[str, Any]) -> str | None:
    for key in ("HTTP_X_AUTH_TOKEN", "HTTP_X_STORAGE_TOKEN", "HTTP_AUTHORIZATION"):
        value = str(sent.get(key, "")).strip()
        if value:
            token = value.partition(" ")[2] if key == "HTTP_AUTHORIZATION" else value
            return f"a token in {name_header(key)}, fingerprint {fingerprint(token)}"
    return None


def _time(steps: Sequence[Step]) -> float | None:
    own = [step.milliseconds for step in steps if step.depth == 1]
    return sum(own) if own else None


def _name_all(keys: Iterable[str]) -> str:
    return ", ".join(map(name_header, keys))


def name_header(key: str) -> str:
    """Return the usual spelling of the header that an environ key stands for."""
    return _NAMES.get(key) or key.removeprefix("HTTP_").replace("_", "-").title()
