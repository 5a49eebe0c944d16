"""What the figures were made on; nothing in it names a host, a user or a path."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
from pathlib import Path

_LIBRARIES = ("keystonemiddleware", "keystoneauth1", "WebOb", "oslo.config", "pymemcache")


def describe() -> str:
    """Return a paragraph: processor, interpreter, libraries, memcached."""
    versions = [f"{name} {importlib.metadata.version(name)}" for name in _LIBRARIES]
    return ", ".join(
        [
            f"{_processor()}, {os.cpu_count()} cores",
            f"{platform.system()} {platform.machine()}",
            f"{platform.python_implementation()} {platform.python_version()}",
            *versions,
            _memcached(),
        ]
    )


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or "unknown processor"


def _memcached() -> str:
    done = subprocess.run(
        ["memcached", "-V"], capture_output=True, text=True, timeout=10, check=False
    )
    return done.stdout.strip()
