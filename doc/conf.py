"""How Sphinx makes the documentation: `make docs`."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

DOC = Path(__file__).resolve().parent
ROOT = DOC.parent
sys.path.insert(0, str(ROOT))

import authmw  # noqa: E402

project = "authmw"
author = "The authmw developers"
version = release = authmw.__version__
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinxarg.ext",
    "oslo_config.sphinxext",
]
exclude_patterns = ["_build"]
language = "en"
html_theme = "furo"
html_title = f"authmw {version}"
html_copy_source = False
nitpicky = False
autodoc_typehints = "description"
autodoc_member_order = "bysource"
# Of the page, not of a term that happens to be the same.
default_role = None

# The headings of release notes, in the order of releasenotes/README.rst.
HEADINGS = ("Features", "Upgrade", "Security", "Fixes")


def write_changelog() -> None:
    """Write one page of the release notes, which are one file for each change."""
    found: dict[str, list[str]] = {heading: [] for heading in HEADINGS}
    for path in sorted((ROOT / "releasenotes" / "notes").iterdir()):
        # Each heading stands above a line of dashes.
        parts = re.split(r"^(\w+)\n-+\n", path.read_text(), flags=re.MULTILINE)
        if parts[0].strip():
            raise ValueError(f"{path.name}: text above the first heading")
        for heading, text in zip(parts[1::2], parts[2::2], strict=True):
            found[heading].append(text.strip())
    lines = ["Changes", "=======", "", f"Version {version}", "-" * 40, ""]
    for heading in HEADINGS:
        lines += [heading, "~" * 40, "", *(f"{text}\n" for text in found[heading])]
    (DOC / "changes.rst").write_text("\n".join(lines))


def setup(app: Any) -> dict[str, bool]:
    """Extend Sphinx by the comments that name a test, and by the page of changes."""
    app.connect("builder-inited", lambda _: write_changelog())
    return {"parallel_read_safe": True}
