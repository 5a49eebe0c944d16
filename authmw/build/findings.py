"""All that building a filter would log or refuse, for the doctor and other programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from authmw.build.parts import assemble_filter
from authmw.build.start import count_keys, find_in_surroundings
from authmw.config.findings import Finding
from authmw.config.loading import read_settings
from authmw.config.settings import Settings
from authmw.errors import ConfigurationError


def find_at_start(conf: Mapping[str, Any]) -> tuple[Settings | None, list[Finding]]:
    """Return all that building a filter would log or refuse; nothing is sent.

    Args:
        conf: as of `build_filter_parts`.

    Returns the settings, and the findings. Where no filter can be built, the settings are None and
    the last finding is the option that is refused.
    """
    try:
        settings, findings = read_settings(conf)
    except ConfigurationError as error:
        return None, [Finding.of_error(error)]
    findings += find_in_surroundings(settings, count_keys(settings))
    try:
        assemble_filter(settings).close()
    except ConfigurationError as error:
        return None, [*findings, Finding.of_error(error)]
    return settings, findings
