"""Matches request paths against the path patterns of users and operators.

One matcher serves the access rules of application credentials, which users write, and
`public_paths`. Both list what is *allowed*, so every doubt ends in "no match": a path matches
only if the application that routes it has one way to read it.

Patterns (Keystone user guide, Application Credentials, Access Rules):

=================  ==========================================================
``*``, ``{tag}``   one or more characters other than ``/``
``**``             any characters, ``/`` included; none at all, too
anything else      itself: case, ``.``, ``%`` and a trailing ``/`` all count
=================  ==========================================================

Wildcards may stand beside literals: ``/images/ab*``, ``/servers/{id}.json``, ``/v1/a**``. As
``**`` may be empty, ``/servers/**`` covers ``/servers/`` too, though not ``/servers``.

The matcher sees the path of the WSGI environ, which the server has decoded once (PEP 3333), since
applications route on it: ``/a%2Fb`` arrives as ``/a/b`` and is matched as that. It does not protect
an application that routes on the raw request target, nor a deployment that lets clients set
SCRIPT_NAME (through X-Forwarded-Prefix, for example).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from authmw.checks.clean_path import is_clean

MAX_PATTERN_BYTES = 1024
"""Keystone stores at most 225 characters, which are 900 bytes at worst."""

# Splits a pattern at its wildcards. A constant: no expression is built from a user's text.
# Compiled at first use: most services have no such rules.
_WILDCARD = r"(\*\*?|\{[^{}/]*\})"


@dataclass(frozen=True, slots=True)
class PathPattern:
    """A parsed path pattern; only `PathPattern.parse` makes one.

    Attributes:
        text: the pattern as it was written.
        prefix: the text before the first wildcard, in the form of an environ path (see
            `parse`); the whole pattern if there is none.
        suffix: the text after the last wildcard, in the same form.
        names_something: whether any character but "/" is literal; "/**" and "/*/*" name nothing.
    """

    text: str
    prefix: str = field(repr=False, compare=False)
    suffix: str = field(repr=False, compare=False)
    names_something: bool = field(repr=False, compare=False)
    _accepts_between: Callable[[str], bool] | None = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> PathPattern:
        """Parse a pattern written in Unicode.

        An environ path is bytes that were decoded as Latin-1 (PEP 3333). The pattern is converted
        to the same form once, here: its UTF-8 bytes, decoded as Latin-1.

        Raises:
            ValueError: it does not start with "/", is longer than `MAX_PATTERN_BYTES`, or has an
                unpaired brace, a tag with "/" in it, three stars in a row, a lone surrogate, or
                literals that no path may have (see `is_clean`).
        """
        # Literals at even places, wildcards at odd ones; so it starts and ends with a literal.
        prefix, *between = re.split(_WILDCARD, _as_environ_text(text))
        literals = [prefix, *between[1::2]]
        if not prefix.startswith("/"):
            raise ValueError(f'path pattern {text!r} does not start with "/"')
        if "***" in text:
            raise ValueError(f"path pattern {text!r} has three stars in a row: write * or **")
        if any("{" in literal or "}" in literal for literal in literals):
            raise ValueError(
                f'path pattern {text!r} has a brace that is not part of a tag such as "{{id}}"'
            )
        # With a letter in each wildcard's place, which every wildcard matches.
        if not is_clean("x".join(literals)):
            raise ValueError(
                f"path pattern {text!r} can never match: dot segments, doubled slashes, "
                "backslashes, control characters and their percent-encoded forms are refused "
                "in every request"
            )
        names_something = any(literal.strip("/") for literal in literals)
        if not between:
            return cls(text, prefix, "", names_something, None)
        suffix = between.pop()
        accepts: Callable[[str], bool]
        if len(between) > 1:
            accepts = _Automaton.build(between).accepts
        else:  # by far the most frequent patterns need no automaton
            accepts = _is_anything if between == ["**"] else _is_run
        return cls(text, prefix, suffix, names_something, accepts)

    @property
    def is_literal(self) -> bool:
        """Whether it has no wildcard, so that `prefix` is the only path that matches."""
        return self._accepts_between is None

    def is_match(self, path: str) -> bool:
        """Tell whether the pattern matches a whole path of the environ.

        A path that is not clean (`is_clean`) matches no pattern. The time grows with the length of
        the path only, for every pattern.
        """
        if self._accepts_between is None:
            return path == self.prefix  # which is clean: parse() refuses any other
        if not (path.startswith(self.prefix) and path.endswith(self.suffix)):
            return False
        end = len(path) - len(self.suffix)
        return (
            end >= len(self.prefix)  # else the two would share characters
            and is_clean(path)
            and self._accepts_between(path[len(self.prefix) : end])
        )


class _Automaton(NamedTuple):
    """A nondeterministic automaton whose states are the bits of one integer.

    Bit number i is set while the text so far matches the first i elements (a literal character,
    or a run of "*"). Each character moves all states at once, so nothing backtracks and no pattern
    is slow. At a run, any character but "/" both keeps the state and sets the next. A "**" is no
    element: at its place, every character keeps the state.
    """

    accepting: int
    steps: Mapping[str, tuple[int, int]]
    step_otherwise: tuple[int, int]

    @classmethod
    def build(cls, parts: list[str]) -> _Automaton:
        """Build from alternating wildcards and literals; a wildcard is first and last."""
        literals: dict[str, int] = {"/": 0}
        runs = anything = 0
        bit = 1
        for index, part in enumerate(parts):
            if index % 2:
                for character in part:
                    literals[character] = literals.get(character, 0) | bit
                    bit <<= 1
            elif part == "**":
                anything |= bit
            else:
                runs |= bit
                bit <<= 1
        stay = anything | runs
        steps = {character: (bits | runs, stay) for character, bits in literals.items()}
        steps["/"] = (literals["/"], anything)
        return cls(bit, steps, (runs, stay))

    def accepts(self, text: str) -> bool:
        """Tell whether the whole text matches, in at most one step for each character."""
        states = 1
        for character in text:
            advance, stay = self.steps.get(character, self.step_otherwise)
            states = (states & advance) << 1 | states & stay
            if not states:
                return False
        return states & self.accepting != 0


class PublicPaths(NamedTuple):
    """The requests that `public_paths` lets through without a token; false if there are none.

    Attributes:
        literal: (method, path) pairs without a wildcard, so that the frequent case, a health
            check, costs one look-up; paths in the form of an environ path.
        wildcard: (method, pattern) pairs for the rest.
    """

    literal: frozenset[tuple[str, str]] = frozenset()
    wildcard: tuple[tuple[str, PathPattern], ...] = ()

    @classmethod
    def parse(cls, entries: Iterable[str]) -> PublicPaths:
        """Parse entries such as ``/healthcheck`` and ``POST /v1/hooks/*``.

        A path alone is open to GET and HEAD, which only read (RFC 9110 §9.2.1); a method
        before it opens it to that method only. "Any method" can't be written: no request that
        changes state becomes public by omission.

        Raises:
            ValueError: an entry is neither form, its pattern is unusable (`PathPattern.parse`),
                or it names no path at all, as "/**" does.
        """
        literal: set[tuple[str, str]] = set()
        wildcard: list[tuple[str, PathPattern]] = []
        for entry in entries:
            methods, pattern = _parse_entry(entry)
            for method in methods:
                if pattern.is_literal:
                    literal.add((method, pattern.prefix))
                else:
                    wildcard.append((method, pattern))
        return cls(frozenset(literal), tuple(wildcard))

    def __bool__(self) -> bool:
        return bool(self.literal or self.wildcard)

    def is_match(self, method: str, path_info: str) -> bool:
        """Tell whether a request is public, by its REQUEST_METHOD and PATH_INFO."""
        if (method, path_info) in self.literal:
            return True
        # A loop, not any(), which would make a generator for every other request.
        for public_method, pattern in self.wildcard:
            if public_method == method and pattern.is_match(path_info):
                return True
        return False


def access_path(environ: Mapping[str, object]) -> str:
    """Return SCRIPT_NAME + PATH_INFO, the path that access rules are matched against.

    Returns "", which matches no pattern, unless the two join at one "/": the request target may be
    no path ("*", a whole URL), or SCRIPT_NAME not as PEP 3333 requires.
    """
    script_name = environ.get("SCRIPT_NAME", "")
    path_info = environ.get("PATH_INFO", "")
    if not isinstance(script_name, str) or not isinstance(path_info, str):
        return ""
    if script_name and (not script_name.startswith("/") or script_name.endswith("/")):
        return ""
    if path_info and not path_info.startswith("/"):
        return ""
    return script_name + path_info


def _as_environ_text(text: str) -> str:
    try:
        encoded = text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError(f"path pattern {text!r} has a lone surrogate") from None
    if len(encoded) > MAX_PATTERN_BYTES:
        raise ValueError(
            f"path pattern of {len(encoded)} bytes is over the limit of {MAX_PATTERN_BYTES}"
        )
    return encoded.decode("latin-1")


def _is_run(text: str) -> bool:
    return text != "" and "/" not in text


def _is_anything(_text: str) -> bool:
    return True


def _parse_entry(entry: str) -> tuple[tuple[str, ...], PathPattern]:
    words = entry.split()
    if len(words) == 1:
        methods: tuple[str, ...] = ("GET", "HEAD")
    elif len(words) == 2 and _is_method(words[0]):
        methods = (words[0],)
    else:
        raise ValueError(
            f'{entry!r} is neither a path such as "/healthcheck" (for GET and HEAD) nor a method '
            'in capitals and a path such as "POST /hooks"'
        )
    pattern = PathPattern.parse(words[-1])
    if not pattern.names_something and not pattern.is_literal:
        raise ValueError(f"{entry!r} names no path: it would open the whole service")
    return methods, pattern


def _is_method(word: str) -> bool:
    return word.isascii() and word.isalpha() and word.isupper()
