"""Which claims are a token's own, and which later tokens of its bearer repeat.

A client asks for new tokens all day, and they differ in their times and ids alone. What the other
claims say is checked once; `authmw.validation.issuers` remembers it.
"""

from __future__ import annotations

from dataclasses import fields

from authmw.issuers.claims_path import ClaimsPath
from authmw.issuers.record import ClaimsMapping, Issuer

_OWN = frozenset({"iat", "exp", "nbf", "jti"})  # RFC 7519 §4.1
# Of every issuer's tokens these are checked.
_CHECKED = frozenset({"iss", "sub", "aud", "cnf"})


def find_own_claims(issuer: Issuer) -> frozenset[str]:
    """Return the claims that differ between tokens of one bearer, as the issuer is configured.

    Claims that decide about anything but times and the token's id are none of them.
    """
    mapping, profile = issuer.profile.mapping, issuer.profile
    if mapping is None:
        return frozenset()
    own = _OWN
    # Rules may check any claim that is not of a token's own by its definition.
    if mapping.token_id is not None and len(mapping.token_id.names) == 1 and not profile.rules:
        own |= {mapping.token_id.names[0]}
    read = {path.names[0] for path in _paths_of(mapping)}
    for values in (profile.claim_values, profile.id_token_values, issuer.pinned):
        read |= {path.names[0] for path, _ in values}
    return own.difference(
        _CHECKED,
        read,
        profile.id_token_claims,
        profile.access_token_claims,
        *profile.required_alternatives,
    )


def _paths_of(mapping: ClaimsMapping) -> list[ClaimsPath]:
    """Return the paths from which something is read that the token's id is not."""
    paths: list[ClaimsPath] = []
    for each in fields(mapping):
        if each.name == "token_id" and "token_id" not in mapping.required:
            continue
        value = getattr(mapping, each.name)
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, ClaimsPath):
                paths.append(one)
    return paths
