"""Paste files as an operator would write them, several filters in each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

OURS = "paste.filter_factory = authmw:filter_factory"
OURS_BY_ENTRY_POINT = "use = egg:authmw#auth_token"
THE_PEER_S = "paste.filter_factory = keystonemiddleware.auth_token:filter_factory"

_HEAD = """\
[composite:main]
paste.composite_factory = tests.system.servers.service:choose_by_host
{hosts}

[app:service]
paste.app_factory = tests.system.servers.service:app_factory
"""

_PIPELINE = """
[pipeline:{name}]
pipeline = {name}_filter service

[filter:{name}_filter]
{factory}
{options}
"""

# Everything is logged, so that a test can look for what must not be.
_LOGGING = """
[loggers]
keys = root
[handlers]
keys = console
[formatters]
keys = plain
[logger_root]
level = DEBUG
handlers = console
[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = plain
[formatter_plain]
format = %(process)d %(levelname)s %(name)s %(message)s
"""


def write_paste_file(
    path: Path, filters: Mapping[str, Mapping[str, object]], *, factory: str = OURS
) -> Path:
    """Write a file whose `main` application has one pipeline for each filter.

    Args:
        path: of the file.
        filters: the options of each, by the Host header that chooses it.
        factory: the line that says what makes the filters.
    """
    parts = [_HEAD.format(hosts="\n".join(f"{name} = {name}" for name in filters))]
    for name, options in filters.items():
        lines = "\n".join(f"{option} = {value}" for option, value in options.items())
        parts.append(_PIPELINE.format(name=name, factory=factory, options=lines))
    path.write_text("".join(parts) + _LOGGING)
    return path
