"""Tells which names are those of options, where nobody else reads any: keywords of Python code.

In a file or a paste section an unknown name may be another's, so that it is a line in the log
(`authmw.config.slips`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from oslo_config import cfg

# How alike two names are; see `find_nearest`. Whoever writes a wrong name here means one of ours.
_ALIKE: Final = 0.6
# Say where the configuration is.
_ELSEWHERE: Final = ("oslo_config_config", "oslo_config_file", "oslo_config_project", "project")
# Of the plugin `password`, as nearly every service has it: to ask all plugins takes 0.3 s.
USUAL_OF_PLUGINS: Final = frozenset(
    {
        *("auth_type", "auth_section", "auth_url", "username", "password", "user_id"),
        *("project_id", "project_name", "project_domain_id", "project_domain_name"),
        *("user_domain_id", "user_domain_name"),
    }
)


def suggest(name: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: what was meant, or what there is."""
    names = sorted(known)
    return _suggest(name, names, f"there are {', '.join(names)}")


def verify_option_names(options: Iterable[str]) -> None:
    """Check that each option exists.

    Raises:
        TypeError: one does not; the message says what was meant.
    """
    names = [name for name in options if name not in USUAL_OF_PLUGINS]
    if not names:
        return
    # Imported here: it takes longer than to decorate an app.
    from authmw.config.options import OPTIONS

    known = {name for opt in OPTIONS for name in (opt.dest, *_former_names(opt))}.union(_ELSEWHERE)
    for name in names:
        section, _, rest = name.partition(".")
        if section == "issuer" and rest:
            _verify_option_of_issuers(rest.rpartition(".")[2])
        elif name not in known and name.replace("-", "_") not in known:
            _verify_option_of_plugins(name, known)


def _verify_option_of_issuers(option: str) -> None:
    from authmw.config.issuer_options import ISSUER_OPTIONS

    known = {opt.dest for opt in ISSUER_OPTIONS}
    if option not in known:
        raise TypeError(f"no option {option!r} of issuers: {suggest(option, known)}")


def _verify_option_of_plugins(name: str, known: set[str]) -> None:
    from authmw.config.auth_plugin import list_keystoneauth_options

    of_plugins = list_keystoneauth_options()
    if name.replace("-", "_") not in of_plugins:
        meant = _suggest(name, known | of_plugins, "etc/authmw.conf.sample has them all")
        raise TypeError(f"no option {name!r} of authmw: {meant}")


def _suggest(name: str, known: Iterable[str], otherwise: str) -> str:
    from authmw.config.slips import find_nearest

    near = find_nearest(name, known, _ALIKE)
    return f"did you mean {near!r}?" if near else otherwise


def _former_names(opt: cfg.Opt) -> list[str]:
    return [former.name for former in opt.deprecated_opts or () if former.name]
