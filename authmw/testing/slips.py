"""Names that a test has misspelt: an error that says what was meant."""

from __future__ import annotations

import types
from collections.abc import Iterable
from typing import Any

from oslo_config import cfg

from authmw.config.auth_plugin import list_keystoneauth_options
from authmw.config.issuer_options import ISSUER_OPTIONS
from authmw.config.options import OPTIONS
from authmw.config.slips import find_nearest
from authmw.wsgi.asgi import is_asgi

# How alike two names are; see `find_nearest`. Whoever writes a wrong name here means one of ours.
_ALIKE = 0.6
# Say where the configuration is.
_ELSEWHERE = ("oslo_config_config", "oslo_config_file", "oslo_config_project", "project")


class UnknownName(KeyError):
    """There is nothing of that name; the message says what was meant."""

    __str__ = Exception.__str__


def suggest(name: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: what was meant, or what there is."""
    names = sorted(known)
    near = find_nearest(name, names, _ALIKE)
    return f"did you mean {near!r}?" if near else f"there are {', '.join(names)}"


def verify_app(app: Any) -> None:
    """Check that something can be protected.

    Raises:
        TypeError: it can't; the message says what to pass.
    """
    if isinstance(app, str | types.ModuleType):
        raise TypeError(
            f"the middleware takes the app itself, and {app!r} is the name or module of one: "
            "import the app and pass it"
        )
    if not callable(app):
        raise TypeError(f"the middleware takes a WSGI or ASGI app, and {app!r} can't be called")
    if not is_asgi(app):
        # Imported here: it loads the decorators.
        from authmw.decorators.protect import verify_arguments

        verify_arguments(app)


def verify_option_names(options: Iterable[str]) -> None:
    """Check that each option exists.

    In production an unknown one is ignored with a line in the log, as others may read it. In a
    test there are no others.

    Raises:
        TypeError: one does not; the message says what was meant.
    """
    known = {name for opt in OPTIONS for name in (opt.dest, *_former_names(opt))}.union(_ELSEWHERE)
    for name in options:
        section, _, rest = name.partition(".")
        if section == "issuer" and rest:
            of_issuers = {opt.dest for opt in ISSUER_OPTIONS}
            option = rest.rpartition(".")[2]
            if option not in of_issuers:
                raise TypeError(f"no option {option!r} of issuers: {suggest(option, of_issuers)}")
        elif name not in known and name not in list_keystoneauth_options():
            near = find_nearest(name, known | list_keystoneauth_options(), _ALIKE)
            meant = f"did you mean {near!r}?" if near else "etc/authmw.conf.sample has them all"
            raise TypeError(f"no option {name!r} of authmw: {meant}")


def _former_names(opt: cfg.Opt) -> list[str]:
    return [former.name for former in opt.deprecated_opts or () if former.name]
