"""How Sphinx makes the documentation: `make docs`."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform

DOC = Path(__file__).resolve().parent
ROOT = DOC.parent
sys.path.insert(0, str(ROOT))

import authmw  # noqa: E402
from authmw.token.headers import ENVIRON_OBJECTS, IDENTITY_HEADERS  # noqa: E402

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


# Of a page of doc/, as release notes and docstrings name it.
PAGE = re.compile(r"``doc/([\w/-]+)\.rst``")
DECISION = re.compile(r"ADR (\d{4})")


def write_changelog() -> None:
    """Write one page of the release notes, which are one file for each change."""
    found: dict[str, list[str]] = {heading: [] for heading in HEADINGS}
    for path in sorted((ROOT / "releasenotes" / "notes").iterdir()):
        if path.suffix != ".rst":
            raise ValueError(f"{path.name}: releasenotes/README.rst says what a note is")
        # Each heading stands above a line of dashes.
        parts = re.split(r"^(\w+)\n-+\n", path.read_text(), flags=re.MULTILINE)
        if parts[0].strip():
            raise ValueError(f"{path.name}: text above the first heading")
        for heading, text in zip(parts[1::2], parts[2::2], strict=True):
            found[heading].append(PAGE.sub(r":doc:`\1`", text.strip()))
    lines = ["Changes", "=======", "", f"Version {version}", "-" * 40, ""]
    for heading in HEADINGS:
        lines += [heading, "~" * 40, "", *(f"{text}\n" for text in found[heading])]
    (DOC / "changes.rst").write_text("\n".join(lines))


def write_headers() -> None:
    """Write the table of headers, from the one that the filter renders and strips by."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    rows = [("user token", "service token", "deprecated")]
    rows += [
        (
            f"``{header.name}``",
            f"``{header.service_name}``" if header.for_service else "",
            "yes" if header.deprecated else "",
        )
        for header in IDENTITY_HEADERS
    ]
    for first, *others in rows:
        lines += [f"   * - {first}", *(f"     - {cell}".rstrip() for cell in others)]
    lines += ["", "Objects in the environ:", ""]
    lines += [f'- ``environ["{name}"]``' for name in ENVIRON_OBJECTS]
    (DOC / "headers.inc").write_text("\n".join(lines) + "\n")


class LinkDecisions(SphinxTransform):
    """Makes a link of each "ADR 0130"."""

    # Before references are resolved.
    default_priority = 5

    def apply(self, **_: Any) -> None:
        for text in list(self.document.findall(nodes.Text)):
            if isinstance(text.parent, nodes.literal | nodes.literal_block | nodes.reference):
                continue
            parts = DECISION.split(text.astext())
            if len(parts) > 1:
                linked: list[nodes.Node] = [nodes.Text(parts[0])]
                for number, rest in zip(parts[1::2], parts[2::2], strict=True):
                    linked += [self.link(number), nodes.Text(rest)]
                text.parent.replace(text, linked)

    def link(self, number: str) -> nodes.Node:
        (page,) = (DOC / "adr").glob(f"{number}-*.rst")
        title = f"ADR {number}"
        return addnodes.pending_xref(
            "",
            nodes.inline("", title),
            reftype="doc",
            refdomain="std",
            refdoc=self.env.docname,
            reftarget=f"/adr/{page.stem}",
            refexplicit=True,
            refwarn=True,
        )


def write_pages(_: Any) -> None:
    write_changelog()
    write_headers()


def setup(app: Any) -> dict[str, bool]:
    """Extend Sphinx by pages made of the code and the notes, and by links to decisions."""
    app.connect("builder-inited", write_pages)
    app.add_transform(LinkDecisions)
    return {"parallel_read_safe": True}
