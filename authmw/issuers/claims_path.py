"""Where a claim stands in a claims set, and reading it with its type checked.

Paths come from configuration, claims sets from tokens whose signature was verified. JSON's null
counts as absent: some issuers write every claim that they know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from authmw.errors import InvalidToken, Reason
from authmw.token.headers import is_header_safe

_MAX_DEPTH = 8


@dataclass(frozen=True, slots=True)
class ClaimsPath:
    """The names of nested objects, outermost first, that lead to one claim.

    Attributes:
        text: as it stands in the configuration; error messages name it.
        names: at least one.
    """

    text: str
    names: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> ClaimsPath:
        """Read a path as an operator writes it.

        - `realm_access.roles`: names joined by dots;
        - `kubernetes.io/namespace`: names joined by slashes, where names have dots in them;
        - `https://acme.example/roles`: one name, since "://" is in it (claims are often URIs);
        - `/a~1b/c`: a JSON Pointer (RFC 6901), for every other name.

        Raises:
            ValueError: the path is empty, has an empty name, or is too deep.
        """
        if text.startswith("/"):
            names = [_unescape(name) for name in text[1:].split("/")]
        elif "://" in text:
            names = [text]
        else:
            names = text.split("/" if "/" in text else ".")
        if not all(names):
            raise ValueError("a claim's name is empty")
        if len(names) > _MAX_DEPTH:
            raise ValueError(f"more than {_MAX_DEPTH} names")
        return cls(text, tuple(names))

    def find(self, claims: Mapping[str, object]) -> object | None:
        """Return the claim's value, None where it is absent or null.

        Raises:
            InvalidToken: (malformed) a value on the way to it is no object.
        """
        value = claims.get(self.names[0])
        if len(self.names) == 1:
            return value
        for name in self.names[1:]:
            if value is None:
                return None
            if type(value) is not dict:
                raise InvalidToken(
                    Reason.MALFORMED, f"claim {self.text!r}: what holds {name!r} is no object"
                )
            value = value.get(name)
        return value


def _unescape(name: str) -> str:
    """RFC 6901 §4: ~1 first, so that ~01 becomes ~1."""
    unescaped = name.replace("~1", "/").replace("~0", "~")
    if "~" in name.replace("~1", "").replace("~0", ""):
        raise ValueError("'~' stands for itself as '~0' in a JSON Pointer")
    return unescaped


def find_text(claims: Mapping[str, object], path: ClaimsPath) -> str | None:
    """Return a claim that is a string, None where it is absent.

    Raises:
        InvalidToken: (malformed) it is of another type, or empty; (unsafe_value) it holds a
            control character, which neither a header nor a log line may carry.
    """
    names = path.names
    value = claims.get(names[0]) if len(names) == 1 else path.find(claims)
    # Nearly every claim; three calls less for each.
    if type(value) is str and value and value.isascii() and value.isprintable():
        return value
    return None if value is None else parse_text(value, path)


def find_texts(claims: Mapping[str, object], path: ClaimsPath) -> tuple[str, ...] | None:
    """Return a claim that is an array of strings or a single one, None where it is absent.

    Raises:
        InvalidToken: as `find_text` does.
    """
    value = path.find(claims)
    if value is None:
        return None
    values = value if type(value) is list else [value]
    return tuple([parse_text(one, path) for one in values])


def find_flag(claims: Mapping[str, object], path: ClaimsPath) -> bool | None:
    """Return a claim that is true or false, None where it is absent.

    Raises:
        InvalidToken: (malformed) it is of another type.
    """
    value = path.find(claims)
    if value is not None and type(value) is not bool:
        raise InvalidToken(Reason.MALFORMED, f"claim {path.text!r} is neither true nor false")
    return value


def find_first_text(claims: Mapping[str, object], paths: tuple[ClaimsPath, ...]) -> str | None:
    """Return the first of several claims that is there; raises as `find_text` does."""
    for path in paths:
        text = find_text(claims, path)
        if text is not None:
            return text
    return None


def parse_text(value: object, path: ClaimsPath) -> str:
    """Return a value found at `path` as a string; raises as `find_text` does."""
    if type(value) is not str or not value:
        raise InvalidToken(Reason.MALFORMED, f"claim {path.text!r} is no string, or empty")
    if not is_header_safe(value):
        raise InvalidToken(Reason.UNSAFE_VALUE, f"claim {path.text!r} holds a control character")
    return value
