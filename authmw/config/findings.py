"""What is wrong or doubtful in a configuration: logged at start, and reported by the doctor."""

from __future__ import annotations

from typing import Literal, NamedTuple

from authmw.errors import ConfigurationError


class Finding(NamedTuple):
    """One fault of a configuration; it holds no secret.

    Attributes:
        level: warn: the filter works, but probably not as intended; fail: it can't be built, or
            can't validate tokens.
        option: name of the option at fault; None: the fault is not that of one option.
        cause: what was found, without a full stop.
        fix: what to write or do instead, without a full stop; empty: the cause says it.
        section: where the option stands, or is to stand.
    """

    level: Literal["warn", "fail"]
    option: str | None
    cause: str
    fix: str
    section: str = "keystone_authtoken"

    @classmethod
    def of_error(cls, error: ConfigurationError) -> Finding:
        """Return the finding that a refused option is."""
        shown = "is not set" if error.value is None else f"= {error.value!r}"
        return cls(
            "fail", error.option, f"{error.option} {shown}", error.fix.rstrip("."), error.section
        )

    def __str__(self) -> str:
        return f"[{self.section}] {self.cause}" + (f": {self.fix}" if self.fix else "")
