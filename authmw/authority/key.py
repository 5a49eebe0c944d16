"""The authority key: what two tokens must have in common to share an answer."""

from __future__ import annotations

import json
from collections.abc import Mapping

OF_THE_TOKEN_ALONE = frozenset({"iat", "exp", "nbf", "jti", "openstack_audit_ids"})
"""The claims that make a token a different token, and its bearer no other bearer."""

# JSON keeps 1, 1.0, true and "1" apart, which Python's == does not.
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def authority_key(claims: Mapping[str, object]) -> str:
    """Return the canonical form of every claim but those of the token alone.

    A claim that is unknown here is part of it: it splits the key, and never merges two
    bearers that the issuer tells apart.
    """
    return _encode(
        {name: value for name, value in claims.items() if name not in OF_THE_TOKEN_ALONE}
    )
