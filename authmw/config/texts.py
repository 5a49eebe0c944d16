"""Finds what is part of a text by mistake: quotes, comments, the next line, a placeholder."""

from __future__ import annotations

import re
from typing import Any

from authmw.config.findings import Finding
from authmw.errors import may_hold_password

_QUOTES = ("'", '"')
_LIST_BEGINS, _LIST_ENDS = ("['", '["'), ("']", '"]')
# Compiled at first use: few values begin or go on like one of them.
_COMMENT = r"\s[#;]\s"
# As in configuration files that distributions and deployment tools fill in.
_PLACEHOLDER = r"%[A-Z][A-Z0-9_]*%|\{\{.*\}\}|<[A-Za-z][A-Za-z _-]*>"
_PLACEHOLDER_BEGINS = ("%", "{{", "<")


def find_odd_text(name: str, value: Any, *, is_secret: bool, section: str) -> Finding | None:
    """Return what stands in a value and is hardly meant; None: nothing.

    A secret may hold any character, and is not shown.

    Args:
        name: of the option.
        value: text or a list of texts; others are right by their type.
        is_secret: whether it is one.
        section: where the option stands.
    """
    texts = value if isinstance(value, list | tuple) else (value,)
    for text in texts:
        if not isinstance(text, str) or len(text) < 2:
            continue
        found = _judge(text, is_secret=is_secret)
        if found is not None:
            is_shown = not is_secret and not may_hold_password(text)
            shown = f"{name} = {text!r}" if is_shown else name
            return Finding("warn", name, f"{shown} {found[0]}", found[1], section)
    return None


def _judge(text: str, *, is_secret: bool) -> tuple[str, str] | None:
    """Return what a text has in it, and what to write."""
    if "\n" in text:
        return "goes over several lines, as the next is indented", "begin each option a line"
    if text.startswith(_PLACEHOLDER_BEGINS) and re.fullmatch(_PLACEHOLDER, text):
        return "is a placeholder", "write the value that it stands for"
    if is_secret:
        return None
    if text.startswith((*_QUOTES, *_LIST_BEGINS)) or text.endswith((*_QUOTES, *_LIST_ENDS)):
        return "has quotes in it, which are part of the value", "write it without them"
    if ("#" in text or ";" in text) and re.search(_COMMENT, text):
        return (
            "has a comment in it, which is part of the value",
            "write the comment on a line of its own",
        )
    return None
