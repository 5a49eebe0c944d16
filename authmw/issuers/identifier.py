"""Issuer identifiers (RFC 8414 §2), and those with a variable in them.

A variable's values are always listed: what a token says fills no gap in what an operator wrote.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

MAX_EXPANDED = 1000
"""Issuer identifiers that one template may stand for."""

_VARIABLE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
# Unreserved characters (RFC 3986 §2.3): what can't end a path segment or begin another part.
_VALUE = re.compile(r"[A-Za-z0-9._~-]+")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def expand(
    template: str, values: Mapping[str, Sequence[str]]
) -> tuple[tuple[str, Mapping[str, str]], ...]:
    """Return every identifier that a template stands for, with the variables' values in it.

    Args:
        template: such as "https://login.microsoftonline.com/{tenant}/v2.0", or one without
            variables.
        values: the permitted values of each variable.

    Raises:
        ValueError: a sentence about a variable without values, values without a variable, a
            value that is more than a part of a path segment, or too many of them.
    """
    names = list(dict.fromkeys(_VARIABLE.findall(template)))
    if re.search(r"[{}]", _VARIABLE.sub("", template)):
        raise ValueError("a brace stands alone; a variable is written as {name}")
    if set(names) != set(values):
        raise ValueError(
            "list the permitted values of each variable in it, and of nothing else:"
            f" it has {sorted(names)}, and there are values of {sorted(values)}"
        )
    for name in names:
        for value in values[name]:
            if not _VALUE.fullmatch(value) or value in (".", ".."):
                raise ValueError(f"{value!r} can't be a part of a path segment ({name})")
    combinations = list(
        itertools.islice(itertools.product(*(values[name] for name in names)), MAX_EXPANDED + 1)
    )
    if len(combinations) > MAX_EXPANDED:
        raise ValueError(f"it stands for more than {MAX_EXPANDED} identifiers")
    if not combinations:
        raise ValueError("a variable has no permitted value")
    expanded = []
    for combination in combinations:
        chosen = dict(zip(names, combination, strict=True))
        expanded.append((fill_in(template, chosen), chosen))
    return tuple(expanded)


def fill_in(template: str, values: Mapping[str, str]) -> str:
    """Put values into a text with variables.

    Raises:
        ValueError: it has a variable without a value.
    """
    missing = sorted(set(_VARIABLE.findall(template)) - set(values))
    if missing:
        raise ValueError(f"it has the variables {missing}, which the issuer has not")
    return _VARIABLE.sub(lambda match: values[match[1]], template)


def find_fault(identifier: str) -> str | None:
    """Return why a text can be no issuer identifier, None if it can.

    RFC 8414 §2: an https URL without query and fragment. Plain http is for this machine alone:
    whoever stands between could send keys of their own.
    """
    try:
        url = urlsplit(identifier)
        host = url.hostname
        _ = url.port
    except ValueError:
        return "it is no URL"
    # urlsplit() takes tabs and line ends away.
    is_plain = all("!" <= char <= "~" for char in identifier)
    if not host or url.username is not None or not is_plain:
        return "it is no URL of a host"
    if url.query or url.fragment or "?" in identifier or "#" in identifier:
        return "an issuer identifier has no query and no fragment (RFC 8414 §2)"
    if url.scheme == "https" or (url.scheme == "http" and host in _LOOPBACK):
        return None
    return "an issuer identifier begins with https:// (http:// only on this machine)"
