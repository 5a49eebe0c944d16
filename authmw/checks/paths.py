"""Matches the path of a request against the path patterns of users and operators.

One matcher serves the access rules of application credentials, whose authors are users,
and `public_paths`. Both are lists of what is *allowed*, so every doubt ends in "no match":
a path is matched only if whatever routes it afterwards has one way to read it.

Patterns (Keystone user guide, Application Credentials, Access Rules):

=================  ==========================================================
``*``, ``{tag}``   one or more characters other than ``/``
``**``             any characters, ``/`` included; none at all, too
anything else      itself: case, ``.``, ``%`` and a trailing ``/`` all count
=================  ==========================================================

Wildcards may stand beside literals: ``/images/ab*``, ``/servers/{id}.json``, ``/v1/a**``. As
``**`` may be empty, ``/servers/**`` covers ``/servers/`` too, though not ``/servers``.

What is matched is the path that the WSGI server hands over, decoded once (PEP 3333), since
that is what applications route on: ``/a%2Fb`` arrives as ``/a/b`` and is matched as that. An
application that routes on the raw request target instead is outside this promise, and so is a
deployment that lets clients set SCRIPT_NAME (through X-Forwarded-Prefix, for example).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from authmw.checks.clean_path import is_clean

MAX_PATTERN_BYTES = 1024
"""Keystone stores at most 225 characters, which are 900 bytes at worst."""

# The one expression here, and a constant: cuts a pattern at its wildcards.
_WILDCARD = re.compile(r"(\*\*?|\{[^{}/]*\})")


@dataclass(frozen=True, slots=True)
class PathPattern:
    """One parsed path pattern; made by `PathPattern.parse` only.

    Attributes:
        text: the pattern as it was written.
        prefix: what stands before the first wildcard, in the form of an environ path (see
            `parse`); the whole pattern if there is none.
        suffix: what stands after the last wildcard, likewise.
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

        An environ path is bytes in the disguise of Latin-1 text (PEP 3333), so the pattern is
        put into the same form once, here: its UTF-8 bytes, read as Latin-1.

        Raises:
            ValueError: it does not start with "/", is over `MAX_PATTERN_BYTES`, has a brace
                without its partner, a tag with "/" in it, three stars in a row, a lone
                surrogate, or literals that no path may have (see `is_clean`).
        """
        # Literals at even places, wildcards at odd ones; so it starts and ends with a literal.
        prefix, *between = _WILDCARD.split(_as_environ_text(text))
        literals = [prefix, *between[1::2]]
        if not prefix.startswith("/"):
            raise ValueError(f'path pattern {text!r} does not start with "/"')
        if "***" in text:
            raise ValueError(f"path pattern {text!r} has three stars in a row: write * or **")
        if any("{" in literal or "}" in literal for literal in literals):
            raise ValueError(
                f'path pattern {text!r} has a brace that is not part of a tag such as "{{id}}"'
            )
        # A letter in each wildcard's place, since there are paths where that is what it meets.
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
        """Whether there is no wildcard, so that `prefix` is the only path that matches."""
        return self._accepts_between is None

    def is_match(self, path: str) -> bool:
        """Whether the pattern matches a whole path, as it stands in the environ.

        A path that is not `is_clean` matches no pattern. The time taken grows with the length
        of the path alone, whatever the pattern.
        """
        if self._accepts_between is None:
            return path == self.prefix  # and so is clean: parse() saw to that
        if not (path.startswith(self.prefix) and path.endswith(self.suffix)):
            return False
        end = len(path) - len(self.suffix)
        return (
            end >= len(self.prefix)  # else the two would share characters
            and is_clean(path)
            and self._accepts_between(path[len(self.prefix) : end])
        )


@dataclass(frozen=True, slots=True)
class _Automaton:
    """A nondeterministic automaton whose states are the bits of one integer.

    Bit number i is set while the first i elements (a literal character, or a run of "*") are
    met by the text so far. All states take one step together for each character, so there is
    nothing to go back to and no pattern can make it slow. A state that stands at a run is both
    left and kept by any character but "/". A "**" is no element: the state it stands at is
    kept whatever comes.
    """

    accepting: int
    steps: Mapping[str, tuple[int, int]]
    step_otherwise: tuple[int, int]

    @classmethod
    def build(cls, parts: list[str]) -> _Automaton:
        """Build from a wildcard, a literal, a wildcard and so on."""
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
        """Whether the whole text is met: one step for each of its characters, at most."""
        states = 1
        for character in text:
            advance, stay = self.steps.get(character, self.step_otherwise)
            states = (states & advance) << 1 | states & stay
            if not states:
                return False
        return states & self.accepting != 0


@dataclass(frozen=True, slots=True)
class PublicPaths:
    """What the `public_paths` option lets through without a token; false when there is nothing.

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

        A path alone is open to GET and HEAD, which only read (RFC 9110 section 9.2.1); a method
        before it opens it to that method and no other. There is no way to write "any method":
        nothing that changes state becomes public by what was left unsaid.

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
        """Whether REQUEST_METHOD and PATH_INFO, as they stand in the environ, are public."""
        if (method, path_info) in self.literal:
            return True
        # A loop, not any(): no generator is made on the way of every other request.
        for public_method, pattern in self.wildcard:
            if public_method == method and pattern.is_match(path_info):
                return True
        return False


def access_path(environ: Mapping[str, object]) -> str:
    """Return SCRIPT_NAME + PATH_INFO, the path that access rules speak of.

    Returns "", which matches no pattern, where the two do not meet at a "/": a request target
    that is no path ("*", a whole URL), or a SCRIPT_NAME that PEP 3333 does not know.
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
