"""Makes text of others fit for a log line."""

from __future__ import annotations


def printable(text: str, longest: int) -> str:
    """Return at most `longest` characters, each printable, so that no text forges a log line."""
    return "".join(char if char.isprintable() else " " for char in text[:longest])
