"""The keystoneauth1 plugin that authenticates us to the identity service: options and loading."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from authmw.config.credentials import verify_credentials
from authmw.config.findings import Finding
from authmw.config.option_reader import OptionReader
from authmw.config.options import GROUP
from authmw.config.types import SharedOpt
from authmw.errors import ConfigurationError

if TYPE_CHECKING:
    from keystoneauth1.loading import BaseLoader, Opt
    from keystoneauth1.plugin import BaseAuthPlugin
    from oslo_config import cfg

_NAMESPACE = "keystoneauth1.plugin"
_INSTALL = "install the libraries this plugin needs, or choose another"
_MULTIFACTOR = "v3multifactor"
_METHODS = "auth_methods"
_METHOD = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)
# Options without which a plugin loads but never gets a token.
_ALWAYS_NEEDED = frozenset({"endpoint", "token", "passcode"})
# Plugins and an option that would wait for a person, in the middle of a client's request.
_INTERACTIVE = ("v3oidcdeviceauthz", "v3websso")
_ONE_TIME_CODE = "idp_otp_key"


@dataclass(frozen=True, slots=True)
class AuthOptions:
    """The auth plugin to use and its options: all that is needed to load it.

    A plugin holds locks and a token and belongs to one process; this record may be shared.

    Attributes:
        auth_type: name of the installed plugin, such as `password`.
        section: configuration group of its options.
        values: option values by the plugin's argument names; some are secret.
    """

    auth_type: str
    section: str
    values: Mapping[str, object] = field(repr=False)


def read_auth_options(reader: OptionReader, *, is_expected: bool = True) -> AuthOptions | None:
    """Read `auth_type`, `auth_section` and the options of that plugin.

    Args:
        reader: of the filter's configuration.
        is_expected: whether it is a fault if no `auth_type` is set: it is none where all tokens
            are those of other issuers, or Keystone is asked about none.

    The plugin's options are registered where services look for them: in `auth_section`, else
    in our group. Returns None if no `auth_type` is set, which the reader's findings say: the
    service may start, as with keystonemiddleware, but no token can be validated remotely.

    Raises:
        ConfigurationError: the plugin is not installed, or a value has a wrong type.
    """
    from authmw.runtime.libraries import loading

    type_opt, section_opt = loading.get_auth_common_conf_options()
    common = reader.read([type_opt, section_opt])
    section = common[section_opt.dest] or GROUP
    if section != GROUP:
        common = reader.read([type_opt], section)
    auth_type = common[type_opt.dest]
    if not auth_type and not is_expected:
        return None
    if not auth_type:
        reader.findings.append(
            Finding(
                "fail",
                type_opt.name,
                f"no auth_type{_explain_lack(reader, section)}: authmw has no credentials of its "
                "own, and every token that the identity service must be asked about gets 503",
                "set auth_type, for example to password, with auth_url, username, password, "
                "project_name and the domains",
                section,
            )
        )
        return None
    values = _read_values(reader, _find_loader(auth_type), section)
    if auth_type == _MULTIFACTOR:
        values[_METHODS] = methods = _split_methods(values.get(_METHODS))
        for loader in _find_method_loaders(methods):
            values = _read_values(reader, loader, section) | values
    return AuthOptions(auth_type, section, MappingProxyType(values))


def _explain_lack(reader: OptionReader, section: str) -> str:
    sections = reader.list_sections()
    if not sections or section.lower() in (one.lower() for one in sections):
        return ""
    return f" (the files have no section [{section}])"


def _read_values(
    reader: OptionReader, loader: BaseLoader[BaseAuthPlugin], section: str
) -> dict[str, object]:
    from authmw.runtime.libraries import loading

    oslo_opts = loading.get_auth_plugin_conf_options(loader)
    values: dict[str, object] = reader.read(_make_optional(oslo_opts), section)
    for opt in loader.get_options():
        # The conversion to oslo.config's options loses the default.
        if values[opt.dest] is None:
            values[opt.dest] = opt.default
    return values


def _split_methods(written: object) -> list[str]:
    """Return the names in `auth_methods` as the list that keystoneauth1 expects."""
    # A list that a service passes arrives as its text.
    methods = _METHOD.findall(str(written or ""))
    if not methods:
        raise ConfigurationError(
            _METHODS, written, "name the plugins to combine, such as v3password,v3totp"
        )
    return methods


def _find_method_loaders(methods: Sequence[str]) -> list[BaseLoader[BaseAuthPlugin]]:
    """Return the loaders of the plugins that `v3multifactor` combines."""
    try:
        return [_find_loader(method) for method in methods]
    except ConfigurationError as error:
        raise ConfigurationError(_METHODS, ",".join(methods), error.fix) from error


def _make_optional(opts: Iterable[cfg.Opt]) -> list[cfg.Opt]:
    """Return the same options, none of them required.

    A value may be in the paste file, which oslo.config does not know: a required option would
    keep the service from reloading its files. `load_auth_plugin` names what is missing.
    """
    return [
        SharedOpt(
            opt.name,
            type=opt.type,
            dest=opt.dest,
            metavar=opt.metavar,
            default=opt.default,
            secret=opt.secret,
            help=opt.help,
            deprecated_opts=opt.deprecated_opts,
        )
        for opt in opts
    ]


def load_auth_plugin(auth: AuthOptions | None) -> BaseAuthPlugin | None:
    """Load the auth plugin; nothing is sent.

    Returns None if none is configured (`read_auth_options` noted that).

    Raises:
        ConfigurationError: the plugin lacks options, which the message names, or refuses them.
    """
    if auth is None:
        return None
    from authmw.runtime.libraries import exceptions

    if auth.auth_type in _INTERACTIVE:
        raise ConfigurationError(
            "auth_type",
            auth.auth_type,
            "write password or v3applicationcredential: this one waits for a person at a browser",
        )
    loader = _find_loader(auth.auth_type)
    options = loader.get_options()
    methods = [auth.auth_type]
    if auth.auth_type == _MULTIFACTOR:
        methods = cast(list[str], auth.values[_METHODS])
        for method in _find_method_loaders(methods):
            options += method.get_options()
    # Checked here, as the plugin's own error names one option only, and not by its dest.
    needed = (opt.dest for opt in options if opt.required or opt.dest in _ALWAYS_NEEDED)
    missing = [name for name in dict.fromkeys(needed) if auth.values.get(name) in (None, "")]
    if missing:
        raise ConfigurationError(
            missing[0],
            None,
            f"auth_type = {auth.auth_type} needs {' and '.join(missing)} in [{auth.section}]",
        )
    if type(loader).__module__.startswith("keystoneauth1."):
        verify_credentials(auth.auth_type, methods, auth.section, auth.values)
    if auth.values.get(_ONE_TIME_CODE):
        raise ConfigurationError(
            _ONE_TIME_CODE,
            auth.values[_ONE_TIME_CODE],
            "remove it: the plugin would ask for the code at the service's terminal",
        )
    try:
        return loader.load_from_options(**_read_arguments(loader, options, auth.values))
    except Exception as error:  # noqa: BLE001 - a loader may raise anything
        # Only messages of keystoneauth1 and Python are known to quote no value.
        quotable = isinstance(error, exceptions.ClientException | TypeError)
        raise ConfigurationError(
            "auth_type",
            auth.auth_type,
            f"correct its options in [{auth.section}]: "
            f"{error if quotable else type(error).__name__}",
        ) from (error if quotable else None)


@functools.cache
def list_keystoneauth_options() -> frozenset[str]:
    """Return the names of all options that keystoneauth1 and plugins read from a section."""
    from authmw.runtime.libraries import loading

    names = {
        name
        for opt in (
            *loading.get_session_conf_options(),
            *loading.get_adapter_conf_options(),
            *loading.get_auth_common_conf_options(),
        )
        for name in (opt.dest, *(old.name for old in opt.deprecated_opts or ()))
        if name
    }
    for entry in importlib.metadata.entry_points(group=_NAMESPACE):
        # One whose libraries are missing has no options to anyone, nor has one that is broken.
        with contextlib.suppress(Exception):
            for opt in _find_loader(entry.name).get_options():
                names.update((opt.dest, *(old.name for old in opt.deprecated)))
    return frozenset(name.replace("-", "_") for name in names)


def _read_arguments(
    loader: BaseLoader[BaseAuthPlugin], options: Sequence[Opt], values: Mapping[str, object]
) -> dict[str, object]:
    """Return the loader's arguments; an unset one is None, or left out if the plugin has a default.

    keystoneauth1 itself passes None also where its plugin has a default, as `access_token_type`
    of the v3oidc plugins, which then find no token.
    """
    parameters = inspect.signature(loader.plugin_class).parameters
    arguments: dict[str, object] = {}
    for opt in options:
        value = values.get(opt.dest)
        parameter = parameters.get(opt.dest)
        has_default = parameter is not None and parameter.default not in (parameter.empty, None)
        if value is not None or not has_default:
            arguments[opt.dest] = value
    return arguments


def _find_loader(auth_type: str) -> BaseLoader[BaseAuthPlugin]:
    """Return a new loader of the plugin that is installed under this name.

    New, because the loader of `v3multifactor` keeps the methods it has loaded.

    Raises:
        ConfigurationError: there is none, or its libraries are missing.
    """
    loader = _find_loader_class(auth_type)()
    if not loader.available:
        raise ConfigurationError("auth_type", auth_type, _INSTALL)
    return loader


@functools.cache
def _find_loader_class(auth_type: str) -> Callable[[], BaseLoader[BaseAuthPlugin]]:
    """Return the loader class that is installed under this name.

    keystoneauth1 asks stevedore, which reads every installed package, and is slow if it cannot
    keep its cache in the home directory. Here only a plugin that keystoneauth1 lacks is searched
    in all packages.
    """
    own = importlib.metadata.distribution("keystoneauth1").entry_points
    found = own.select(group=_NAMESPACE, name=auth_type) or importlib.metadata.entry_points(
        group=_NAMESPACE, name=auth_type
    )
    if not found:
        raise _not_installed(auth_type)
    from authmw.runtime.libraries import importing_quietly

    try:
        with importing_quietly():
            found_class: Callable[[], BaseLoader[BaseAuthPlugin]] = next(iter(found)).load()
            found_class()
    except Exception as error:
        # If one of its libraries is missing, the import may fail in any way.
        raise ConfigurationError(
            "auth_type", auth_type, f"{_INSTALL} ({type(error).__name__}: {error})"
        ) from error
    return found_class


def _not_installed(auth_type: str) -> ConfigurationError:
    # Imported here: only this message needs it.
    import difflib

    names = sorted(importlib.metadata.entry_points(group=_NAMESPACE).names)
    near = difflib.get_close_matches(auth_type, names, n=3)
    return ConfigurationError(
        "auth_type",
        auth_type,
        f"write {' or '.join(near)}" if near else f"write one of {', '.join(names)}",
    )
