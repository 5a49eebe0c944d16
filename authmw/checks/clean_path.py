"""Tells whether a path means one thing, whoever reads it.

Applications, the servers before them and the URLs they build resolve "..", merge slashes or
decode once more, each in its own way. A path that gives them nothing to do so with is clean;
only such a path is ever matched (`authmw.checks.paths`).
"""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

MAX_PATH_BYTES = 2048
"""The longest path a wildcard matches; Swift's longest is about 1600."""

# Control characters are here because URL parsers drop some of them unseen: to them a dot, a
# tab and a dot are two dots.
_FORBIDDEN = frozenset(map(chr, range(0x20))) | {"\x7f", "\\"}


def is_clean(path: str) -> bool:
    """Whether a path of the environ can be read in one way only.

    It starts with "/" and has at most `MAX_PATH_BYTES`; it has no segment "." or ".." (nor one
    that is, but for ";" and what follows), no "//", backslash, NUL or other control character;
    its bytes are UTF-8. Percent signs that the server left are allowed only where all of this
    would still hold, with no "/" more, after one more decoding, and a third would do nothing.
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
    # Some servers drop a segment's parameters (RFC 3986 section 3.3) before they resolve "..".
    return segment.partition(";")[0] in (".", "..")


def _percent_decode(path: str) -> str:
    return unquote_to_bytes(path.encode("latin-1")).decode("latin-1")
