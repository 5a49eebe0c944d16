"""Reads the TOML file of a centre or a site; what nobody reads is refused."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from authmw.errors import ConfigurationError, UsageError

_LARGEST: Final = 16 << 20
_REQUIRED: Final = object()
# Someone may write the secret where the name of its file belongs, and messages end up in logs.
_SECRET: Final = re.compile("pass|pin|secret|token|seed|private|credential", re.IGNORECASE)
_HIDDEN: Final = "..."


class Section:
    """One table of a TOML file, whose members are read by name.

    Every method raises ConfigurationError if the member is missing and has no default, or is of
    another form. `verify_all_read` refuses what no method was called for.

    Args:
        name: of the table, for messages: `roles.root`; "" is the file itself.
        members: of the table.
        directory: relative paths are relative to it.

    Attributes:
        name, directory: those.
    """

    def __init__(self, name: str, members: Mapping[str, Any], directory: Path) -> None:
        self.name = name
        self._members = members
        self.directory = directory
        self._read: dict[str, None] = {}

    def has(self, key: str) -> bool:
        """Tell whether a member is there."""
        return key in self._members

    def text(self, key: str, default: Any = _REQUIRED) -> Any:
        """Return a text that is not empty."""
        value = self._take(key, default)
        if value is not default and (not isinstance(value, str) or not value):
            raise self.refusal(key, "write a text in quotation marks")
        return value

    def texts(self, key: str, default: Any = ()) -> Any:
        """Return a tuple of texts."""
        value = self._take(key, default)
        if value is default:
            return default
        if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
            raise self.refusal(key, 'write a list of texts: ["a", "b"]')
        return tuple(value)

    def path(self, key: str, default: Any = _REQUIRED) -> Any:
        """Return a path; a relative one is one of the directory of the file."""
        value = self.text(key, default)
        return value if value is default else self.directory / value

    def integer(self, key: str, default: Any = _REQUIRED, *, least: int = 0, most: int) -> Any:
        """Return an integer between two others, or one of them."""
        value = self._take(key, default)
        if value is not default and (type(value) is not int or not least <= value <= most):
            raise self.refusal(key, f"write an integer from {least} to {most}")
        return value

    def number(self, key: str, default: Any = _REQUIRED, *, least: float, most: float) -> Any:
        """Return a float between two others, or one of them."""
        value = self._take(key, default)
        if value is default:
            return value
        # NaN is between none.
        if type(value) not in (int, float) or not least <= value <= most:
            raise self.refusal(key, f"write a number from {least} to {most}")
        return float(value)

    def boolean(self, key: str, default: Any = _REQUIRED) -> Any:
        """Return a boolean."""
        value = self._take(key, default)
        if value is not default and type(value) is not bool:
            raise self.refusal(key, "write true or false")
        return value

    def section(self, key: str) -> Section:
        """Return a table in this one; an empty one if it is not there."""
        value = self._take(key, {})
        if not isinstance(value, dict):
            raise self.refusal(key, f"write a table: [{self._full(key)}]")
        return Section(self._full(key), value, self.directory)

    def sections(self) -> Iterator[tuple[str, Section]]:
        """Yield each member by its key; all of them are tables."""
        for key in self._members:
            yield key, self.section(key)

    def verify_all_read(self) -> None:
        """Refuse members that no method was called for. Raises ConfigurationError."""
        for key, value in self._members.items():
            if key not in self._read:
                near = difflib.get_close_matches(key, self._read, 1)
                fix = f"did you mean {near[0]!r}?" if near else "leave it out"
                known = ", ".join(self._read)
                is_hidden = isinstance(value, dict) or _SECRET.search(key) is not None
                raise self._error(
                    key,
                    _HIDDEN if is_hidden else value,
                    f"there is no such option; {fix} Known: {known}",
                )

    def refusal(self, key: str, fix: str) -> ConfigurationError:
        """Return the error that names a member, its value and what to write instead."""
        value = self._members.get(key)
        # The name of a file may be shown; a PIN is likely to be written as a number.
        if value is not None and not isinstance(value, str) and _SECRET.search(key) is not None:
            value = _HIDDEN
        return self._error(key, value, fix)

    def _error(self, key: str, value: object, fix: str) -> ConfigurationError:
        return ConfigurationError(key, value, fix, section=self.name or "top of the file")

    def _take(self, key: str, default: Any) -> Any:
        self._read[key] = None
        if key in self._members:
            return self._members[key]
        if default is _REQUIRED:
            raise self.refusal(key, "it is needed")
        return default

    def _full(self, key: str) -> str:
        return f"{self.name}.{key}" if self.name else key


def read_toml(path: Path) -> Section:
    """Read a TOML file.

    Raises:
        UsageError: it can't be read, or is no TOML; says where.
    """
    try:
        with path.open("rb") as file:
            encoded = file.read(_LARGEST + 1)
        if len(encoded) > _LARGEST:
            raise UsageError(f"{path} has more than {_LARGEST} bytes")
        members = tomllib.loads(encoded.decode())
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is no TOML file: {error}") from error
    return Section("", members, path.parent.absolute())


def is_site_file(path: Path) -> bool:
    """Tell whether a TOML file is a site's, and not a centre's. Raises UsageError."""
    return read_toml(path).has("site")
