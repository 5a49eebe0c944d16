"""The key of a bearer: what all tokens of one user, scope, methods and delegation share."""

from __future__ import annotations

import hashlib
import marshal
from collections.abc import Mapping

# Of one token alone.
_OF_THE_TOKEN = frozenset({"audit_ids", "issued_at", "expires_at", "oauth2_credential"})
# What the identity service says of a bearer now, and may say otherwise the next time.
_STATE = frozenset({"roles", "catalog", "is_admin_project", "is_domain"})
_USER_STATE = frozenset({"name", "domain", "password_expires_at"})


def bearer_key(body: Mapping[str, object]) -> str:
    """Return the key of the bearer that a v3 token body is about.

    Two tokens with one key have the same roles at the same time. A member that is not known
    here is part of the key: it splits bearers, and never merges two.

    Raises ValueError if the body is nothing JSON can say.
    """
    parts: list[object] = []
    for name in sorted(body):
        if name in _OF_THE_TOKEN or name in _STATE:
            continue
        member = body[name]
        if name == "user" and isinstance(member, dict):
            member = [(key, member[key]) for key in sorted(member) if key not in _USER_STATE]
        elif name in ("project", "domain") and isinstance(member, dict):
            member = member.get("id")
        elif name == "methods" and isinstance(member, list):
            member = sorted(map(str, member))
        parts.append((name, member))
    # Version 0 writes equal values alike; what is digested is never read back.
    return hashlib.sha256(marshal.dumps(parts, 0)).hexdigest()
