"""Reads a token from an argument or from standard input, in whatever form people paste it."""

from __future__ import annotations

import re
import sys

from authmw.cli.output import complain

# Far longer than any header.
_MOST_CHARACTERS = 1 << 20
# A header with its name, as curl, browsers and logs show it; or its value alone.
_HEADER = re.compile(
    r"(?:-H\s*)?['\"]?(?:(?:x-auth-token|x-service-token|x-subject-token|x-storage-token)\s*[:=]"
    r"|(?:authorization\s*[:=]\s*)?(?:bearer|dpop)\s"
    r"|(?:OS_)?TOKEN=)\s*",
    re.IGNORECASE,
)


def read_token(argument: str, command: str) -> str | None:
    """Return a token without what stood around it; None: there is none, which was said.

    Args:
        argument: the token itself, or "-": it is on standard input.
        command: for messages.
    """
    written = _read_input() if argument == "-" else argument
    token = extract_token(written)
    if not token:
        complain(f"{command}: there is none on standard input")
        return None
    if argument != "-":
        complain(f"{command}: given as an argument; standard input would be safer")
    return token


def extract_token(written: str) -> str:
    """Return the token in what somebody has pasted: `Bearer ...`, `X-Auth-Token: ...`, quotes."""
    text = written.strip()
    header = _HEADER.match(text)
    if header is not None:
        text = text[header.end() :]
    return text.strip().strip("'\"").strip()


def _read_input() -> str:
    if sys.stdin.isatty():
        complain("Paste the token, press Enter and Ctrl-D:")
    return sys.stdin.read(_MOST_CHARACTERS)
