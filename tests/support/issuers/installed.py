"""Where the issuers that tests start are installed: see `install` beside this file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
DIRECTORY = Path(os.environ.get("AUTHMW_TEST_ISSUERS", REPOSITORY / ".venv-issuers"))


def require_installed(name: str) -> Path:
    """Return the path of what is installed there; skips the test if it is not."""
    path = DIRECTORY / name
    if not path.exists():
        pytest.skip(f"{path} is not there: tests/support/issuers/install {DIRECTORY}")
    return path
