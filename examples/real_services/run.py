"""Install real services from PyPI and try authmw in front of them; README.rst says more.

Run it with Python 3.11 or later: `python examples/real_services/run.py`. What it installs
goes to .venv-services in the checkout, once.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
ENVIRONMENT = CHECKOUT / ".venv-services"
PYTHON = ENVIRONMENT / "bin" / "python"
STAMP = ENVIRONMENT / ".installed"
INSTALLATION_TIMEOUT_SECONDS = 1200

# Beside authmw itself. Paste files, options and commands are those of these series.
REQUIREMENTS = (
    "keystone>=30,<31",
    "glance>=33,<34",
    "barbican>=23,<24",
    "keystonemiddleware>=13,<14",
    "gunicorn>=27",
    # Keystone's cache speaks to memcached through it.
    "pymemcache>=4",
)


def main() -> None:
    """Install what is missing, then become the program in the environment."""
    if shutil.which("memcached") is None:
        sys.exit("memcached is missing. On Debian or Ubuntu: sudo apt-get install memcached")
    install()
    os.chdir(CHECKOUT)
    os.execv(PYTHON, [str(PYTHON), "-m", "examples.real_services", *sys.argv[1:]])  # noqa: S606


def install() -> None:
    """Make the environment, unless it is there and was made for the same requirements."""
    wanted = "\n".join([sys.version, *REQUIREMENTS, (CHECKOUT / "setup.cfg").read_text()])
    if STAMP.exists() and STAMP.read_text() == wanted:
        return
    print(f"installing the services in {ENVIRONMENT.name}; this takes a minute or two", flush=True)
    venv.create(ENVIRONMENT, with_pip=True, clear=True)
    command = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += [*REQUIREMENTS, "--editable", str(CHECKOUT)]
    subprocess.run(command, check=True, timeout=INSTALLATION_TIMEOUT_SECONDS)  # noqa: S603
    STAMP.write_text(wanted)


if __name__ == "__main__":
    main()
