"""Counts the calls that a piece of work makes inside one package, and the modules they are in.

A call is a Python function, comprehension, generator step, class body or module body that is
written in a file of the package and that this thread enters (`sys.setprofile`). Calls into C, into
other packages and of generated code (`__init__` of dataclasses) are left out.

Run as a program, `python -m benchmarks.calls PACKAGE NAME=VALUE...` imports a middleware, builds a
filter and prints the calls as JSON. So this module imports nothing of the project.
"""

from __future__ import annotations

import gc
import importlib.util
import itertools
import json
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import FrameType


@dataclass(frozen=True, slots=True)
class Call:
    """One call: a file of the package, from its root, and the qualified name of the code."""

    file: str
    name: str


@dataclass(frozen=True, slots=True)
class Walk:
    """The calls of one piece of work, in order."""

    calls: tuple[Call, ...]

    @property
    def module_count(self) -> int:
        """How many files the calls are in."""
        return len({call.file for call in self.calls})

    def format_calls(self) -> str:
        """Return the calls in order, under the file they are in."""
        lines = []
        for file, calls in itertools.groupby(self.calls, key=lambda call: call.file):
            lines.append(file)
            lines += (f"    {call.name}" for call in calls)
        return "\n".join(lines)


def walk(work: Callable[[], object], package: str, *, leaving_out: Iterable[str] = ()) -> Walk:
    """Do the work once and return its calls.

    Args:
        work: is called in this thread.
        package: the name of a package, which need not have been imported yet.
        leaving_out: folders of the package whose calls do not count.
    """
    root = _find_root(package)
    not_counted = tuple(f"{root}{folder}{os.sep}" for folder in leaving_out)
    calls: list[Call] = []

    def note(frame: FrameType, event: str, _argument: object) -> None:
        file = frame.f_code.co_filename
        if event == "call" and file.startswith(root) and not file.startswith(not_counted):
            calls.append(Call(file.removeprefix(root), frame.f_code.co_qualname))

    # The collector would run finalizers in between.
    gc.collect()
    gc.disable()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return Walk(tuple(calls))


def _find_root(package: str) -> str:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ValueError(f"{package} is not installed")
    return os.path.dirname(spec.origin) + os.sep


def parse_walk(text: str) -> Walk:
    """Return the walk that this module, run as a program, printed."""
    return Walk(tuple(Call(file, name) for file, name in json.loads(text)))


def main() -> None:
    """Import, build, print."""
    package, *options = sys.argv[1:]
    conf = dict(option.split("=", 1) for option in options)

    def build() -> None:
        __import__(package)
        sys.modules[package].filter_factory({}, **conf)(lambda _environ, _start_response: [])

    walked = walk(build, package)
    print(json.dumps([(call.file, call.name) for call in walked.calls]))


if __name__ == "__main__":
    main()
