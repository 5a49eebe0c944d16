"""Watches calls of functions from outside, as a profiler does, and tells what each ended with."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any

from authmw.authority.authorization import Authorization
from authmw.errors import AuthmwError
from authmw.token import Principal, Token


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


# What it means that a step found nothing.
_FINDS: Mapping[str, str] = {
    "memory": "nothing that still counts",
    "the token's own names and roles": "it has none",
}


class Watch:
    """Watches calls of some functions, in the thread that makes them.

    Args:
        names: of the steps, by the function whose call each is.
        on_end: called when a step has ended, with its name and the local variables of its
            function, which it must not change.
    """

    def __init__(
        self,
        names: Mapping[Callable[..., Any], str],
        on_end: Callable[[str, Mapping[str, Any]], object] | None = None,
    ) -> None:
        self._names: dict[CodeType, str] = {
            function.__code__: name for function, name in names.items()
        }
        self._on_end = on_end
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
        """Return the steps so far, in the order in which they began."""
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
                if self._on_end is not None:
                    self._on_end(name, frame.f_locals)
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
        decision = f"accepted: {_describe_bearer(returned.principal)}"
    elif isinstance(returned, Authorization):
        decision = _describe_bearer(returned.principal)
    elif returned is None and name in _FINDS:
        decision = _FINDS[name]
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


def _describe_bearer(principal: Principal) -> str:
    roles = ", ".join(role.name for role in principal.roles) or "no role"
    return f"{principal.user.name or principal.user.id} with {roles}"
