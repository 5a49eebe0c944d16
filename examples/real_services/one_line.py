"""The one line of a paste file that changes."""

from __future__ import annotations

import difflib
import re

PEER = "keystonemiddleware.auth_token:filter_factory"
OURS = "authmw:filter_factory"

# The factory stands at the end of its line; keystonemiddleware's other filters (audit,
# ec2_token, ...) stay, and so does a line that is commented out.
_FACTORY_LINE = re.compile(
    rf"^(?P<before>[ \t]*paste\.filter_factory[ \t]*=[ \t]*){re.escape(PEER)}(?P<after>[ \t]*)$",
    re.MULTILINE,
)


class NotOneLine(Exception):
    """The paste file names keystonemiddleware's auth_token nowhere, or more than once."""


def change_factory(paste: str) -> str:
    """Return the text of a paste file with authmw's factory for keystonemiddleware's.

    Everything else stays as it is, to the last blank. Raises NotOneLine unless exactly one
    line changes.
    """
    changed, count = _FACTORY_LINE.subn(rf"\g<before>{OURS}\g<after>", paste)
    if count != 1:
        raise NotOneLine(f"expected one line that ends with {PEER}, found {count}")
    return changed


def describe_change(before: str, after: str, *, name: str) -> str:
    """Return a unified diff without its heading's dates."""
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), name, name, lineterm="", n=1
    )
    return "\n".join(lines)
