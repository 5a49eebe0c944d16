"""Strict option types.

oslo.config's own types accept `1_000`, `True` as a number, and an empty number; their errors
name the bounds but not the value. Errors of these types name both. oslo.config uses them for files,
`authmw.config.option_reader` for paste overrides. Every message ends in the refused value, quoted,
where `option_reader` finds it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from oslo_config import cfg, types

# Compiled at first use, as most starts read few numbers and no pairs.
_WHOLE_NUMBER = r"[+-]?[0-9]{1,18}"


class Boolean(types.Boolean):
    """A bool, or one of oslo.config's spellings of one, in upper or lower case."""

    def __call__(self, value: Any) -> bool:
        if isinstance(value, bool):
            return value
        text = str(value).strip().lower()
        if text in self.TRUE_VALUES:
            return True
        if text in self.FALSE_VALUES:
            return False
        raise ValueError(f"neither true nor false: {str(value)!r}")


class Integer(types.Integer):
    """A whole number between bounds; None for an empty text, as with oslo.config.

    Args:
        unit: plural noun for messages ("seconds", "bytes", "entries").
        min: smallest value allowed.
        max: largest value allowed; None: no bound.
    """

    def __init__(self, unit: str, min: int, max: int | None = None) -> None:  # noqa: A002
        super().__init__(min=min, max=max)
        self.unit = unit

    def __call__(self, value: Any) -> int | None:
        text = str(value).strip()
        if not text:
            return None
        if not re.fullmatch(_WHOLE_NUMBER, text):
            raise ValueError(f"not a whole number: {text!r}")
        number = int(text)
        if (self.min is not None and number < self.min) or (
            self.max is not None and number > self.max
        ):
            raise ValueError(f"out of range: {text!r}")
        return number


class NamedTexts(types.Dict):
    """Comma-separated `name:text` pairs; no name twice, no part empty."""

    def __call__(self, value: Any) -> dict[str, str]:
        if isinstance(value, Mapping):
            pairs = [(name, text) for name, text in value.items()]
        else:
            written = [pair.partition(":") for pair in str(value).split(",") if pair.strip()]
            pairs = [(name.strip(), text.strip()) for name, _, text in written]
        for name, text in pairs:
            if not (isinstance(name, str) and isinstance(text, str) and name and text):
                raise ValueError(f"not name:text pairs: {str(value)!r}")
        if len(dict(pairs)) < len(pairs):
            raise ValueError(f"a name is repeated: {str(value)!r}")
        return dict(pairs)


class NamedLists(types.Dict):
    """Comma-separated `name:text` pairs, as lists by name: a name that is repeated has them all.

    The colon of "://" is part of a name, since claims are often URIs.
    """

    def __call__(self, value: Any) -> dict[str, list[str]]:
        if isinstance(value, Mapping):
            pairs = [
                (name, text)
                for name, texts in value.items()
                for text in ([texts] if isinstance(texts, str) else texts)
            ]
        else:
            pairs = [_split_pair(pair) for pair in str(value).split(",") if pair.strip()]
        lists: dict[str, list[str]] = {}
        for name, text in pairs:
            if not (isinstance(name, str) and isinstance(text, str) and name and text):
                raise ValueError(f"not name:text pairs: {str(value)!r}")
            lists.setdefault(name, []).append(text)
        return lists


_PAIR = r"((?:[^:]|:(?=//))*):(?!//)(.*)"


def _split_pair(pair: str) -> tuple[str, str]:
    match = re.fullmatch(_PAIR, pair, re.DOTALL)
    return ("", "") if match is None else (match[1].strip(), match[2].strip())


class SharedOpt(cfg.Opt):
    """An option that another library may register under the same name.

    Services import keystonemiddleware, before or after our filter is built, and it registers
    options of the same names with other help in the same group. oslo.config takes any difference
    for a DuplicateOptError, which stops the service. So this option equals one of the same name,
    default and deprecated names, whatever its help, bounds and `required`. Python calls the
    comparison of the subclass, and so this one, in either order.
    """

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, cfg.Opt):
            return NotImplemented
        return _contract(self) == _contract(other)

    def __ne__(self, other: object) -> bool:
        if not isinstance(other, cfg.Opt):
            return NotImplemented
        return _contract(self) != _contract(other)

    __hash__ = cfg.Opt.__hash__


def _contract(opt: cfg.Opt) -> tuple[object, ...]:
    """Return the properties that readers of an option rely on."""
    return (
        opt.name,
        opt.dest,
        opt.default,
        opt.multi,
        opt.secret,
        {(deprecated.group, deprecated.name) for deprecated in opt.deprecated_opts},
    )


class StrOpt(SharedOpt, cfg.StrOpt):
    """A text, or one of some choices."""


class BoolOpt(SharedOpt, cfg.BoolOpt):
    """A strict boolean."""

    def __init__(self, name: str, **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        self.type = Boolean()


class IntOpt(SharedOpt, cfg.IntOpt):
    """A strict whole number with unit and bounds (see `Integer`)."""

    def __init__(
        self,
        name: str,
        *,
        unit: str,
        min: int = 0,  # noqa: A002
        max: int | None = None,  # noqa: A002
        **kwargs: Any,
    ) -> None:
        super().__init__(name, **kwargs)
        self.type = Integer(unit, min, max)


class ListOpt(SharedOpt, cfg.ListOpt):
    """A comma separated list of texts."""


class DictOpt(SharedOpt, cfg.DictOpt):
    """Strict `name:text` pairs (see `NamedTexts`)."""

    def __init__(self, name: str, **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        self.type = NamedTexts()


class ListsOpt(SharedOpt, cfg.DictOpt):
    """Strict `name:text` pairs, in which names may be repeated (see `NamedLists`)."""

    def __init__(self, name: str, **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        self.type = NamedLists()


def describe_type(option_type: object) -> str:
    """Return a description of the values of an option type, such as `true or false`.

    Args:
        option_type: `opt.type` of any oslo.config option, or a plain callable.
    """
    if isinstance(option_type, types.Boolean):
        return "true or false"
    if isinstance(option_type, types.Integer):
        what = "a whole number" + (
            f" of {option_type.unit}" if isinstance(option_type, Integer) else ""
        )
        if option_type.min is not None and option_type.max is not None:
            return f"{what} from {option_type.min} to {option_type.max}"
        return what if option_type.min is None else f"{what}, at least {option_type.min}"
    if isinstance(option_type, types.List):
        choices = getattr(option_type.item_type, "choices", None)
        return "a comma separated list" + (f" out of {', '.join(choices)}" if choices else "")
    if isinstance(option_type, types.Dict):
        return "comma separated name:text pairs"
    choices = getattr(option_type, "choices", None)
    if choices:
        return f"one of {', '.join(choices)}"
    return (
        "a whole number"
        if option_type is int
        else "a number"
        if option_type is float
        else ("a text")
    )
