"""What is wrong with a text that is to be a URL: the checks that all URL options share."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from authmw.errors import ConfigurationError, may_hold_password

_QUOTES = ("'", '"', "\u201c", "\u201d", "`")
_BLANK = re.compile(r"[\s\x00-\x20\x7f]")
# None of them is in a host name, an address or a port; most come from templates not filled in.
_NOT_IN_HOST = re.compile(r"[<>{}|\\^`\"'$%,;()*]")


def find_url_fault(text: str) -> str | None:
    """Return what to write in place of a text that is no http or https URL; None: it is one.

    Paths and queries are not checked.
    """
    if text.startswith(_QUOTES) or text.endswith(_QUOTES):
        return "write it without quotes"
    if _BLANK.search(text):
        return "write the URL alone, without blanks; a comment needs a line of its own"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        return f"write a URL such as https://id.example:5000 ({error})"
    if parts.scheme not in ("http", "https"):
        if "://" in text:
            return "begin it with https:// or http://"
        return f"write the scheme before it, as https://{text.lstrip('/:')} or http://..."
    if not host or port == 0:
        return "write a URL with a host, such as https://id.example:5000"
    if _NOT_IN_HOST.search(parts.netloc.rpartition("@")[2]):
        return "write one URL with the name or address of a host, such as https://id.example:5000"
    return None


def verify_url(option: str, text: str, *, section: str = "keystone_authtoken") -> None:
    """Refuse a text that is no http or https URL.

    Raises:
        ConfigurationError: it says what is wrong; a text that may hold a password is not shown.
    """
    fix = find_url_fault(text)
    if fix is not None:
        if may_hold_password(text):
            # The fix may quote it in part.
            fix = "write a URL such as https://id.example:5000"
        raise ConfigurationError(option, text, fix, section=section)
