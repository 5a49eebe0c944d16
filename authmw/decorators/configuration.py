"""The configurations that decorators name; equal ones share one filter."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, Any

from authmw.errors import ConfigurationError
from authmw.runtime.clock import wall_clock

if TYPE_CHECKING:
    from oslo_config.cfg import ConfigOpts

    from authmw.build import FilterParts
    from authmw.config.findings import Finding


class Configuration:
    """The options of a `protect`, and the filter built from them at the first use.

    The filter opens nothing that a fork could break (see `authmw.runtime.process`), so it may be
    built before a server forks or after. No lock guards the first use: two threads may both
    build a filter, and one of the two is kept.

    Args:
        options: by name, as in `[keystone_authtoken]`; they override the file or object.
        config_file: an absolute path; None: none.
        config: an oslo.config object; with neither, `oslo_config.cfg.CONF`.
        clock: returns epoch seconds; tests pass their own.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        config_file: str | None,
        config: Any,
        clock: Callable[[], float] = wall_clock,
    ) -> None:
        self._options = dict(options)
        self._config_file = config_file
        self._config = config
        self._clock = clock
        self._built: dict[str, FilterParts] = {}

    def filter_parts(self) -> FilterParts:
        """Return the parts of the filter, built at the first call, and anew once they are closed.

        Raises:
            ConfigurationError: an option is wrong. The next use tries again.
        """
        parts = self._built.get("made")
        if parts is not None and parts.is_closed:
            self._built.clear()
            parts = None
        if parts is None:
            # Imported here, so that decorating a module costs little.
            from authmw.build import build_filter_parts

            made = build_filter_parts(self._read(), clock=self._clock)
            parts = self._built.setdefault("made", made)
        return parts

    def find_faults(self) -> list[Finding]:
        """Return all that building the filter would log or refuse; nothing is built or sent."""
        from authmw.build.findings import find_at_start
        from authmw.config.findings import Finding

        try:
            conf = self._read()
        except ConfigurationError as error:
            return [Finding.of_error(error)]
        return find_at_start(conf)[1]

    def _read(self) -> dict[str, Any]:
        return choose_options(self._options, self._config_file, self._config)


# Each lives as long as an app decorated with it.
_known: weakref.WeakValueDictionary[Hashable, Configuration] = weakref.WeakValueDictionary()


def find_configuration(
    options: Mapping[str, Any],
    config_file: str | os.PathLike[str] | None,
    config: Any,
    clock: Callable[[], float] = wall_clock,
) -> Configuration:
    """Return the one configuration for these arguments; see `Configuration`.

    Raises:
        TypeError: a file and an object were given.
    """
    _verify_one(config_file, config)
    # The process may change directory before the first use.
    path = None if config_file is None else os.path.abspath(config_file)
    named = tuple(sorted((name, repr(value)) for name, value in options.items()))
    # The Configuration holds these objects, so their ids stay unique.
    key = (path, id(config), id(clock), named)
    found = _known.get(key)
    if found is None:
        found = _known[key] = Configuration(options, path, config, clock)
    return found


def forget_configurations() -> None:
    """Let what is decorated from now on share no filter with what was before; for tests."""
    _known.clear()


def choose_options(
    options: Mapping[str, Any], config_file: str | os.PathLike[str] | None, config: Any
) -> dict[str, Any]:
    """Return the options for `build_filter_parts`; a file is read now.

    Raises:
        ConfigurationError: the file can't be read.
        TypeError: a file and an object were given.
    """
    _verify_one(config_file, config)
    if config_file is not None:
        config = _load_file(os.path.abspath(config_file))
    return {**options, **({} if config is None else {"oslo_config_config": config})}


def _verify_one(config_file: object, config: object) -> None:
    if config_file is not None and config is not None:
        raise TypeError("name a config_file or a config object, not both")


def _load_file(path: str) -> ConfigOpts:
    from oslo_config.cfg import ConfigOpts, Error

    config = ConfigOpts()
    try:
        config([], default_config_files=[path], default_config_dirs=[])
    except Error as error:
        raise ConfigurationError(
            "config_file", path, f"name a configuration file that can be read ({error})"
        ) from error
    return config
