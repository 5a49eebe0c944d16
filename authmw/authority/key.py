"""The authority key: what two tokens must have in common to share an answer."""

from __future__ import annotations

from collections.abc import Mapping

from authmw.config.claim_names import PER_TOKEN_CLAIMS


def authority_key(claims: Mapping[str, object]) -> str:
    """Return a canonical form of every claim that is not in `PER_TOKEN_CLAIMS`.

    A claim that is unknown here is part of it: it may split a bearer, and never merges two that
    the issuer tells apart. `repr` tells apart all that JSON does (1, 1.0, true and "1" too), and
    takes a third of the time of writing JSON.
    """
    return repr({name: claims[name] for name in sorted(claims) if name not in PER_TOKEN_CLAIMS})
