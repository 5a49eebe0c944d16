"""Finds every fault of a configuration, with the functions that read it when a filter is built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from authmw.build.findings import find_at_start
from authmw.config.findings import Finding
from authmw.config.options import GROUP, OPTIONS
from authmw.config.settings import Settings

# A configuration with more faults than this is corrected in more than one go.
_MOST_ERRORS = 20


def find_faults(conf: Mapping[str, Any]) -> tuple[Settings | None, list[Finding]]:
    """Read a configuration as a filter does when it is built; nothing is sent.

    After a wrong option the others are read as well, so that all faults are found at once.

    Args:
        conf: of a `Source`.

    Returns the settings, None if no filter could be built, and the faults in order.
    """
    errors: list[Finding] = []
    conf = dict(conf)
    for _ in range(_MOST_ERRORS):
        settings, findings = find_at_start(conf)
        if settings is not None:
            return (None if errors else settings), _join(errors, findings)
        *findings, error = findings
        if error in errors:  # its default is no remedy
            break
        errors.append(error)
        if not _take_back(conf, error):
            break
    return None, _join(errors, findings)


def _join(errors: list[Finding], findings: list[Finding]) -> list[Finding]:
    """Return all, but that a refused option "is not set": it was set, and taken back."""
    refused = {(error.option, error.section) for error in errors}
    return [
        *errors,
        *(
            finding
            for finding in findings
            if (finding.option, finding.section) not in refused
            or not finding.cause.startswith(f"{finding.option} is not set")
        ),
    ]


def _take_back(conf: dict[str, Any], error: Finding) -> bool:
    """Set the option at fault to its default; False: it is not known how."""
    option = next((opt for opt in OPTIONS if opt.name == error.option), None)
    if option is None or error.section != GROUP or option.default == conf.get(option.dest, object):
        return False
    for name in (option.name, option.name.replace("-", "_")):
        conf.pop(name, None)
    conf[option.dest] = option.default
    return True
