"""What a check found."""

from __future__ import annotations

import enum
from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

from authmw.config.findings import Finding

R = TypeVar("R")
Results = Generator["Result", None, R]
"""The results of checks one after the other, and what they found out for the next ones."""


class Status(enum.Enum):
    """How a check ended; the values are those of the JSON output."""

    PASS = "pass"
    WARN = "warn"  # it works, but probably not as intended, or not for long
    FAIL = "fail"  # tokens can't be validated, or not as configured
    SKIP = "skip"  # it does not apply, or what it builds on has failed
    ERROR = "error"  # the check itself failed


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one check; it holds no secret.

    Attributes:
        check: what was looked at.
        detail: what was found: the cause where it is not as it should be.
        fix: what to do about it; "" where there is nothing to do, or the detail says it.
    """

    check: str
    status: Status
    detail: str
    fix: str = ""


def passed(check: str, detail: str) -> Result:
    """Return the result of a check that found all as it should be."""
    return Result(check, Status.PASS, detail)


def warned(check: str, cause: str, fix: str) -> Result:
    """Return the result of a check that found something doubtful."""
    return Result(check, Status.WARN, cause, fix)


def failed(check: str, cause: str, fix: str) -> Result:
    """Return the result of a check that found a fault."""
    return Result(check, Status.FAIL, cause, fix)


def skipped(check: str, reason: str) -> Result:
    """Return the result of a check that was not made."""
    return Result(check, Status.SKIP, reason)


def of_finding(check: str, finding: Finding) -> Result:
    """Return what was found in the configuration as a result."""
    status = Status.FAIL if finding.level == "fail" else Status.WARN
    return Result(check, status, f"[{finding.section}] {finding.cause}", finding.fix)
