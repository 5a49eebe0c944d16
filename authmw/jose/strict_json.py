"""JSON objects, parsed so strictly that no two parsers can read them differently.

RFC 8259 leaves repeated names, NaN, lone surrogates and deep nesting to each parser; RFC 7515 §4
and RFC 7519 §4 let a parser refuse repeated names. All four are refused: in a token they refuse the
token, in a JWK set only the key that has one.
"""

from __future__ import annotations

import codecs
import json
import math
from dataclasses import dataclass

MAX_DEPTH = 16
"""Levels of nesting; Keystone's claims have three."""


def _refuse_repeated_names(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member name is repeated")
    return members


def _parse_finite_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):  # 1e999
        raise ValueError("a number is out of range")
    return value


def _refuse_constant(_: str) -> object:
    raise ValueError("NaN and Infinity are not JSON")


_DECODER = json.JSONDecoder(parse_float=_parse_finite_float, parse_constant=_refuse_constant)
_DECODER_OF_UNIQUE_NAMES = json.JSONDecoder(
    object_pairs_hook=_refuse_repeated_names,
    parse_float=_parse_finite_float,
    parse_constant=_refuse_constant,
)


def parse_json_object(octets: bytes) -> dict[str, object]:
    """Parse one JSON object from UTF-8.

    Returns:
        its members; every string in them can be encoded as UTF-8, every number is an int or a
        finite float, and nothing is nested deeper than `MAX_DEPTH`.

    Raises:
        ValueError: it is anything else; the message quotes nothing of the input.
    """
    try:
        text = octets.decode("utf-8").strip(" \t\r\n")
        # URLs have colons of their own, see below: then the slower decoder is asked at once.
        is_slow = "://" in text
        decoder = _DECODER_OF_UNIQUE_NAMES if is_slow else _DECODER
        parsed, end = decoder.raw_decode(text)
        if end != len(text) or type(parsed) is not dict:
            raise ValueError("not one JSON object")
        # Two counts are enough for most objects. Each member in the text has a colon, also a
        # repeated or nested one: with as many colons as names in the result, none is repeated.
        # And the number of brackets bounds the depth.
        if not is_slow and text.count(":") != len(parsed):
            _DECODER_OF_UNIQUE_NAMES.raw_decode(text)
        if text.count("{") + text.count("[") > MAX_DEPTH and _is_deeper_than(MAX_DEPTH, parsed):
            raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
        # UTF-8 has no surrogates, so one can only come from an escape. (Python finds one
        # character in a sixth of the time of two.)
        if "\\" in text:
            json.dumps(parsed, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels") from None
    except UnicodeError:
        raise ValueError("a string is not Unicode text") from None
    except json.JSONDecodeError:
        raise ValueError("not one JSON object") from None
    return parsed


@dataclass(frozen=True, slots=True)
class Defect:
    """Replaces a value that the strict rules refuse in a parsed document."""

    reason: str


def _mark_repeated_names(pairs: list[tuple[str, object]]) -> object:
    members = dict(pairs)
    return members if len(members) == len(pairs) else Defect("a member name is repeated")


def _mark_bad_float(text: str) -> object:
    value = float(text)
    return value if math.isfinite(value) else Defect("a number is out of range")


def _mark_bad_int(text: str) -> object:
    try:
        return int(text)
    except ValueError:  # more digits than Python converts
        return Defect("a number is out of range")


_DECODER_THAT_MARKS = json.JSONDecoder(
    object_pairs_hook=_mark_repeated_names,
    parse_float=_mark_bad_float,
    parse_int=_mark_bad_int,
    parse_constant=lambda _: Defect("NaN and Infinity are not JSON"),
)


def parse_json_parts(octets: bytes) -> dict[str, object]:
    """Parse one JSON object whose values are accepted or refused one by one.

    A byte order mark is ignored (RFC 8259 §8.1).

    Returns:
        its members, with a `Defect` in place of each value that `parse_json_object` refuses,
        at any depth; `find_defect` finds strings that are not Unicode text and deep nesting.

    Raises:
        ValueError: it is not one JSON object, or repeats one of its own names.
    """
    # An octet that is not UTF-8 becomes a lone surrogate, which `find_defect` finds.
    text = octets.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")
    text = text.strip(" \t\r\n")
    try:
        parsed, end = _DECODER_THAT_MARKS.raw_decode(text)
    except (json.JSONDecodeError, RecursionError):
        raise ValueError("not one JSON object") from None
    if isinstance(parsed, Defect):
        raise ValueError(parsed.reason)
    if end != len(text) or type(parsed) is not dict:
        raise ValueError("not one JSON object")
    return parsed


def find_defect(value: object) -> Defect | None:
    """Return what the strict rules refuse first in a value of `parse_json_parts`, if anything."""
    generation = [value]
    for _ in range(MAX_DEPTH + 1):
        children: list[object] = []
        for one in generation:
            match one:
                case Defect():
                    return one
                case str() if not _is_unicode_text(one):
                    return Defect("a string is not Unicode text")
                case dict():
                    children += one.keys()
                    children += one.values()
                case list():
                    children += one
        if not children:
            return None
        generation = children
    if _is_deeper_than(MAX_DEPTH, value):
        return Defect(f"values are nested deeper than {MAX_DEPTH} levels")
    return None


def _is_unicode_text(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeError:
        return False
    return True


def _is_deeper_than(levels: int, value: object) -> bool:
    """Tell whether objects and arrays are nested more than `levels` deep, without recursion."""
    generation = [value]
    for _ in range(levels):
        generation = [
            child
            for parent in generation
            for child in (
                parent.values()
                if isinstance(parent, dict)
                else parent
                if isinstance(parent, list)
                else ()
            )
        ]
    return any(isinstance(value, (dict, list)) for value in generation)
