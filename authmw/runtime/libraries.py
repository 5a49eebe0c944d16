"""keystoneauth1, imported without the warnings that its own imports raise.

With osprofiler installed, keystoneauth1 imports WebOb, which imports the deprecated `cgi` on Python
3.11 and 3.12. A process that treats warnings as errors (`-W error`) would not start because of
other people's code. Every import of keystoneauth1 goes through this module.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing_quietly() -> Iterator[None]:
    """Ignore warnings while the block imports; not for code that requests run.

    Warning filters belong to the process, so warnings of other threads are lost meanwhile.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


with importing_quietly():
    from keystoneauth1 import exceptions, loading
    from keystoneauth1.access import AccessInfoV3
    from keystoneauth1.adapter import Adapter
    from keystoneauth1.identity.base import BaseIdentityPlugin
    from keystoneauth1.plugin import AUTH_INTERFACE
    from keystoneauth1.session import Session

__all__ = [
    "AUTH_INTERFACE",
    "AccessInfoV3",
    "Adapter",
    "BaseIdentityPlugin",
    "Session",
    "exceptions",
    "importing_quietly",
    "loading",
]
