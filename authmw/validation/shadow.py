"""Shadow validation: decides remotely, verifies offline as well, counts the differences.

An operator rehearses with it the switch to offline validation.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

from authmw.checks.expiry import ExpiryPolicy
from authmw.errors import IdentityUnavailable, InvalidToken
from authmw.revocation.revocations import Revocations
from authmw.runtime.counts import Tally
from authmw.runtime.fingerprint import fingerprint
from authmw.token import Token
from authmw.validation.validator import Validator

_log = logging.getLogger(__name__)


class ShadowValidator:
    """Decides as the remote validator does, and compares the offline validator with it.

    Args:
        remote: decides.
        offline: is compared, for signed tokens.
        revocations: have to be complete for a token that was verified offline.
        comparisons: counts them by result: same, different, unavailable (no answer offline) or
            failed (a fault of ours).
        differences: counts what differed: "verdict", or the name of a header or field.
    """

    def __init__(
        self,
        remote: Validator,
        offline: Validator,
        revocations: Revocations,
        *,
        comparisons: Tally | None = None,
        differences: Tally | None = None,
    ) -> None:
        self._remote = remote
        self._offline = offline
        self._revocations = revocations
        self._comparisons = comparisons or Tally()
        self._differences = differences or Tally()

    @property
    def counts(self) -> dict[str, int]:
        """The number of comparisons in this process by result: "same", or what differed."""
        counts = {labels[0]: count for labels, count in self._differences.read().items()}
        for (result,), count in self._comparisons.read().items():
            if result != "different":
                counts[result] = count
        return counts

    def validate(
        self, token: str, expiry_policy: ExpiryPolicy, now: float, known: Token | None
    ) -> Token:
        """Validate one token; see `authmw.validation.validator.Validator`."""
        if "." not in token or expiry_policy is not ExpiryPolicy.REFUSE_EXPIRED:
            return self._remote.validate(token, expiry_policy, now, known)
        try:
            decided = self._remote.validate(token, expiry_policy, now, known)
        except InvalidToken as refusal:
            self._compare(token, refusal, now)
            raise
        self._compare(token, decided, now)
        return decided

    def _compare(self, token: str, decided: Token | InvalidToken, now: float) -> None:
        try:
            found: Token | InvalidToken = self._verify_offline(token, now)
        except InvalidToken as refusal:
            found = refusal
        except IdentityUnavailable as outage:
            self._count(token, self._comparisons, "unavailable", str(outage))
            return
        except Exception as error:  # noqa: BLE001 - a comparison must not fail a request
            self._count(token, self._comparisons, "failed", type(error).__name__)
            return
        differences = list(find_differences(decided, found))
        for what, detail in differences:
            self._count(token, self._differences, what, detail)
        self._comparisons.add("different" if differences else "same")

    def _verify_offline(self, token: str, now: float) -> Token:
        verified = self._offline.validate(token, ExpiryPolicy.REFUSE_EXPIRED, now, None)
        self._revocations.verify_events_complete(verified.issued_at, now)
        return verified

    def _count(self, token: str, tally: Tally, what: str, detail: str) -> None:
        count = tally.count(what)
        count.add()
        _log.warning(
            "shadow validation: token %s: offline differs in %s (%s); %d so far",
            fingerprint(token),
            what,
            detail,
            count.read(),
        )


def find_differences(
    remote: Token | InvalidToken, offline: Token | InvalidToken
) -> Iterator[tuple[str, str]]:
    """Yield what differs between two verdicts on one token: a short name, and a detail.

    Names and ids of users, projects and roles are not secret; values of tokens are never
    part of a detail.
    """
    if isinstance(remote, InvalidToken) and isinstance(offline, InvalidToken):
        return
    if isinstance(remote, InvalidToken):
        yield "verdict", f"refused remotely ({remote}), accepted offline"
        return
    if isinstance(offline, InvalidToken):
        yield "verdict", f"accepted remotely, refused offline ({offline})"
        return
    decided, found = remote.principal.user_environ, offline.principal.user_environ
    for key in sorted(decided.keys() | found.keys()):
        if not _are_equivalent(key, decided.get(key), found.get(key)):
            if key == "HTTP_X_SERVICE_CATALOG":
                yield key, "the catalogs differ"
            else:
                yield key, f"{decided.get(key)!r} remotely, {found.get(key)!r} offline"
    for name in ("expires_at", "issued_at", "methods", "audit_ids"):
        if getattr(remote, name) != getattr(offline, name):
            yield name, f"{getattr(remote, name)!r} remotely, {getattr(offline, name)!r} offline"
    for name in ("trust", "oauth1", "application_credential_id", "access_rules", "bind"):
        if getattr(remote.principal, name) != getattr(offline.principal, name):
            yield name, "they are not the same"


def _are_equivalent(key: str, decided: str | None, found: str | None) -> bool:
    """Compare two values of one header; roles and catalogs have no order.

    Each worker process of Keystone lists them in an order of its own.
    """
    if decided == found or decided is None or found is None:
        return decided == found
    if key in ("HTTP_X_ROLES", "HTTP_X_ROLE"):
        return sorted(decided.split(",")) == sorted(found.split(","))
    if key == "HTTP_X_SERVICE_CATALOG":
        return _without_order(json.loads(decided)) == _without_order(json.loads(found))
    return False


def _without_order(value: object) -> object:
    if isinstance(value, list):
        return sorted((_without_order(one) for one in value), key=json.dumps)
    if isinstance(value, dict):
        return {name: _without_order(value[name]) for name in sorted(value)}
    return value
