"""The ids of revoked tokens that an issuer publishes: `{"revoked_jtis": [...]}`.

Keystone's successor, ADR-0026 §3, "Emergency Rotation and Signing Key Compromise".
"""

from __future__ import annotations

from collections.abc import Mapping

from authmw.errors import MalformedRevocationList

MAX_REVOKED = 1_000_000


def parse_revocation_list(document: Mapping[str, object]) -> frozenset[str]:
    """Return the ids of all revoked tokens.

    Raises:
        MalformedRevocationList: it is no such list. The one that was read before then stays in
            use until it is too old (`revocation_max_staleness`): half a list is none.
    """
    revoked = document.get("revoked_jtis")
    if type(revoked) is not list:
        raise MalformedRevocationList("'revoked_jtis' is missing or no array")
    if len(revoked) > MAX_REVOKED:
        raise MalformedRevocationList(f"'revoked_jtis' has more than {MAX_REVOKED} entries")
    if not all(type(one) is str for one in revoked):
        raise MalformedRevocationList("'revoked_jtis' is no array of strings")
    return frozenset(revoked)
