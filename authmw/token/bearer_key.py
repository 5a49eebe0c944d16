"""The key of a bearer: what all tokens of one user, scope, methods and delegation share."""

from __future__ import annotations

import hashlib
import marshal
from collections.abc import Iterable, Mapping

# Members of a bearer that may change while the bearer stays the same.
_STATE = frozenset({"roles", "catalog", "is_admin_project", "is_domain"})
_USER_STATE = frozenset({"name", "domain", "password_expires_at"})


def digest_bearer(members: Mapping[str, object]) -> str:
    """Return the digest of the members of a v3 token body that identify its bearer.

    Args:
        members: those that all tokens of one principal share. An unknown member counts: it
            splits bearers and never merges two.
    """
    parts: list[object] = []
    for name in sorted(members):
        if name in _STATE:
            continue
        member = members[name]
        if name == "user" and isinstance(member, dict):
            member = [(key, member[key]) for key in sorted(member) if key not in _USER_STATE]
        elif name in ("project", "domain") and isinstance(member, dict):
            member = member.get("id")
        parts.append((name, member))
    try:
        # Version 0 writes equal values alike; what is digested is never read back.
        serialized = marshal.dumps(parts, 0)
    except ValueError:  # a test's token may hold values that JSON does not have
        serialized = repr(parts).encode()
    return hashlib.sha256(serialized).hexdigest()


def make_bearer_key(bearer_digest: str, methods: Iterable[str]) -> str:
    """Return the key of a bearer: two tokens with one key have the same roles at the same time.

    Args:
        bearer_digest: from `digest_bearer`.
        methods: how the user authenticated, in any order.
    """
    return f"{bearer_digest} {sorted(methods)}"
