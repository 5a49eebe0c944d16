"""Applies mutable options when the service reloads its configuration files (SIGHUP).

oslo.config calls this mutation: the service calls `conf.mutate_config_files()`, options marked
mutable get their new values, and hooks are called. oslo.service does so on SIGHUP.
"""

from __future__ import annotations

import dataclasses
import logging
import weakref
from collections.abc import Mapping
from typing import Any, Protocol

from authmw.config.loading import load_settings
from authmw.config.option_reader import find_service_conf
from authmw.config.options import GROUP, OPTIONS
from authmw.config.settings import Settings
from authmw.errors import ConfigurationError

_log = logging.getLogger(__name__)


class Follower(Protocol):
    """An object whose settings may be reloaded."""

    settings: Settings

    def apply_settings(self, settings: Settings) -> None:
        """Apply reloaded settings; they differ in mutable options only."""


def follow_reloads(follower: Follower, conf: Mapping[str, Any]) -> None:
    """Apply new values of mutable options as soon as the service has reloaded them.

    If the new configuration is wrong, an error is logged and the former values stay in force, as
    services do for their own options.

    Args:
        follower: gets the new settings; held by a weak reference.
        conf: the mapping from which its settings were loaded.
    """
    service_conf = find_service_conf(conf)
    register = getattr(service_conf, "register_mutate_hook", None)
    if register is None:
        return
    find_follower = weakref.ref(follower)
    # The service may rebind `cfg.CONF` later.
    same_conf = {**conf, "oslo_config_config": service_conf}

    def reload(_conf: object, fresh: Mapping[tuple[str, str], object]) -> None:
        follower = find_follower()
        if follower is None or not any(group == GROUP for group, _ in fresh):
            return
        try:
            loaded = load_settings(same_conf)
        except ConfigurationError as error:
            _log.error("Reloaded, and the former options stay in force: %s", error)
            return
        before = follower.settings
        # Each is about requests; no remembered decision depends on one.
        changed = {
            opt.dest: getattr(loaded, opt.dest)
            for opt in OPTIONS
            if opt.mutable and getattr(loaded, opt.dest) != getattr(before, opt.dest)
        }
        if changed:
            follower.apply_settings(dataclasses.replace(before, **changed))
            for name, value in changed.items():
                _log.info("Reloaded [%s] %s = %r", GROUP, name, value)

    register(reload)
