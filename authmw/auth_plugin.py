"""The keystoneauth1 plugin with which we authenticate ourselves to the identity service."""

from __future__ import annotations

import difflib
import functools
import importlib.metadata
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from authmw.errors import ConfigurationError
from authmw.lookup import Lookup
from authmw.option_types import SharedOpt
from authmw.options import GROUP

if TYPE_CHECKING:
    from keystoneauth1.loading import BaseLoader
    from keystoneauth1.plugin import BaseAuthPlugin
    from oslo_config import cfg

LOG = logging.getLogger(__name__)

_NAMESPACE = "keystoneauth1.plugin"
_INSTALL = "install the libraries this plugin needs, or choose another"


@dataclass(frozen=True, slots=True)
class AuthOptions:
    """Which auth plugin to use, with its options: everything needed to make it, any time.

    Plugins hold locks and tokens and so belong to one process; this can be shared.

    Attributes:
        auth_type: name under which the plugin is installed, such as `password`.
        section: configuration group its options come from.
        values: option values by the name the plugin takes them under; may be secret.
    """

    auth_type: str
    section: str
    values: Mapping[str, object] = field(repr=False)


def read_auth_options(lookup: Lookup) -> AuthOptions | None:
    """Read `auth_type`, `auth_section` and the options of that plugin.

    The plugin's options are registered where services look for them: in `auth_section`,
    else in our group. Returns None, with an error in the log, where no `auth_type` is set:
    the service may still start, as with keystonemiddleware, but no token can be validated
    remotely.

    Raises ConfigurationError for a plugin that is not installed, or a value of a wrong type.
    """
    from authmw.libraries import loading

    type_opt, section_opt = loading.get_auth_common_conf_options()
    section = lookup.read(section_opt) or GROUP
    auth_type = lookup.read(type_opt)
    if section != GROUP:
        auth_type = lookup.read(type_opt, section)
    if not auth_type:
        LOG.error(
            "No auth_type in [%s]: authmw has no credentials of its own, and every token that "
            "the identity service must be asked about gets 503. Set auth_type, for example to "
            "password, with auth_url, username, password, project_name and the domains.",
            section,
        )
        return None
    loader = _find_loader(auth_type)
    options = loader.get_options()
    registered = loading.get_auth_plugin_conf_options(loader)
    values: dict[str, object] = {}
    for opt, oslo_opt in zip(options, registered, strict=True):
        value = lookup.read(_never_required(oslo_opt), section)
        # The conversion to oslo.config's options loses the default.
        values[opt.dest] = opt.default if value is None else value
    return AuthOptions(auth_type, section, MappingProxyType(values))


def _never_required(opt: cfg.Opt) -> cfg.Opt:
    """Return the option for a conf whose files need not say it.

    Its value may stand in the paste file, which oslo.config does not know: it would then
    refuse to read its own files again. `load_auth_plugin` says what is missing.
    """
    return SharedOpt(
        opt.name,
        type=opt.type,
        dest=opt.dest,
        metavar=opt.metavar,
        default=opt.default,
        secret=opt.secret,
        help=opt.help,
        deprecated_opts=opt.deprecated_opts,
    )


def load_auth_plugin(auth: AuthOptions | None) -> BaseAuthPlugin | None:
    """Make the auth plugin; nothing is sent yet.

    Returns None if none was configured (which `read_auth_options` has logged).
    Raises ConfigurationError naming the options that the plugin misses.
    """
    if auth is None:
        return None
    from authmw.libraries import exceptions

    loader = _find_loader(auth.auth_type)
    # Asked before the plugin, whose own complaint names just one, and not by its name.
    missing = [
        opt.dest
        for opt in loader.get_options()
        if opt.required and auth.values.get(opt.dest) in (None, "")
    ]
    if missing:
        raise ConfigurationError(
            missing[0],
            None,
            f"auth_type = {auth.auth_type} needs {' and '.join(missing)} in [{auth.section}]",
        )
    try:
        return loader.load_from_options_getter(lambda opt: auth.values.get(opt.dest))
    except exceptions.AuthPluginException as exc:
        raise ConfigurationError(
            "auth_type", auth.auth_type, f"correct its options in [{auth.section}]: {exc}"
        ) from exc


@functools.cache
def _find_loader(auth_type: str) -> BaseLoader[BaseAuthPlugin]:
    """Return the loader that is installed under this name.

    Not by way of stevedore, as keystoneauth1 does it: that reads what is installed far more
    slowly wherever it can't keep a cache of it in the home directory.
    """
    installed = importlib.metadata.entry_points(group=_NAMESPACE)
    found = installed.select(name=auth_type)
    if not found:
        names = sorted(installed.names)
        near = difflib.get_close_matches(auth_type, names, n=3)
        raise ConfigurationError(
            "auth_type",
            auth_type,
            f"write {' or '.join(near)}" if near else f"write one of {', '.join(names)}",
        )
    from authmw.libraries import importing_quietly

    try:
        with importing_quietly():
            loader: BaseLoader[BaseAuthPlugin] = next(iter(found)).load()()
    except Exception as error:
        # Importing it may fail in any way where one of its libraries is missing.
        raise ConfigurationError(
            "auth_type", auth_type, f"{_INSTALL} ({type(error).__name__}: {error})"
        ) from error
    if not loader.available:
        raise ConfigurationError("auth_type", auth_type, _INSTALL)
    return loader
