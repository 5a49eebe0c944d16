"""For tests that were written before it moved: `tests.support.bundle_facts`. To be deleted."""

from tests.support.bundle_facts import (
    FACTS,
    NEW_ORIGIN,
    OLD_ORIGIN,
    READ_AT,
    Fact,
    assignment,
    changed,
    facts,
    identifier,
    user,
    write,
    write_delta,
)

__all__ = [
    "FACTS",
    "NEW_ORIGIN",
    "OLD_ORIGIN",
    "READ_AT",
    "Fact",
    "assignment",
    "changed",
    "facts",
    "identifier",
    "user",
    "write",
    "write_delta",
]
