"""Tells whether a path has one meaning for every program that reads it.

Applications, the servers in front and URL libraries resolve "..", merge slashes or decode once
more, each in its own way. A path is clean if none of this would change it; only clean paths are
matched (`authmw.checks.paths`).
"""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

MAX_PATH_BYTES = 2048
"""The longest path a wildcard matches; Swift's longest is about 1600."""

# Control characters, since URL parsers silently drop some of them: they read a dot, a tab and a
# dot as two dots.
_FORBIDDEN = frozenset(map(chr, range(0x20))) | {"\x7f", "\\"}


def is_clean(path: str) -> bool:
    """Tell whether a path of the environ can be read in one way only.

    It starts with "/" and has at most `MAX_PATH_BYTES`; it has no segment "." or ".." (also not
    before a ";"), no "//", backslash, NUL or other control character; its bytes are UTF-8. A
    percent sign that the server left is allowed only if the path, decoded once more, meets all
    of this with no further "/", and another decoding would not change it.
    """
    if not _is_plain(path):
        return False
    if "%" not in path:
        return True
    decoded = _percent_decode(path)
    return (
        _is_plain(decoded)
        and decoded.count("/") == path.count("/")
        and _percent_decode(decoded) == decoded
    )


def _is_plain(path: str) -> bool:
    if not path.startswith("/") or len(path) > MAX_PATH_BYTES:
        return False
    if "//" in path or not _FORBIDDEN.isdisjoint(path):
        return False
    if "/." in path and any(_is_dot_segment(segment) for segment in path.split("/")):
        return False
    if path.isascii():
        return True
    try:
        path.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return False
    return True


def _is_dot_segment(segment: str) -> bool:
    # Some servers drop a segment's parameters (RFC 3986 §3.3) before they resolve "..".
    return segment.partition(";")[0] in (".", "..")


def _percent_decode(path: str) -> str:
    return unquote_to_bytes(path.encode("latin-1")).decode("latin-1")
