"""Authority from the claims of a token whose issuer states names and roles in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from authmw.authority.agreement import verify_agreement
from authmw.authority.authorization import Authorization
from authmw.authority.signed_bearer import SignedBearer
from authmw.cache.memory import MemoryCache
from authmw.config.claim_names import DEFAULT_CLAIM_NAMES
from authmw.errors import InvalidToken, MalformedBody, Reason
from authmw.token import Principal


class ClaimsAuthority:
    """Reads names and roles from the claims; has no answer for a token without roles in them.

    An unscoped token has no roles; it needs the name of its user instead.

    Args:
        memory: caches what was read, by authority key: names and headers are the same for all
            tokens of one bearer.
        names: the claim of each meaning; see `DEFAULT_CLAIM_NAMES`.
        admin_project: (project name, domain name) of the admin project, for tokens without a
            claim about it.
        fresh_seconds: how long what was read is cached.
    """

    def __init__(
        self,
        *,
        memory: MemoryCache[Authorization],
        names: Mapping[str, str],
        admin_project: tuple[str, str] | None,
        fresh_seconds: int,
    ) -> None:
        self._memory = memory
        self.recall = memory.use
        self._names = {**DEFAULT_CLAIM_NAMES, **names}
        self._admin_project = admin_project
        self._fresh_seconds = fresh_seconds

    def look_up(self, bearer: SignedBearer, now: float) -> Authorization | None:
        """Answer from the claims; see `Authority`."""
        known = self.recall(bearer.key)
        if known is not None and now < known.fresh_until:
            return known
        body = self._make_body(bearer)
        if body is None:
            return None
        try:
            principal = Principal.from_body(body, None)
        except MalformedBody as error:
            raise InvalidToken(Reason.MALFORMED, f"its claims: {error}") from error
        verify_agreement(principal, bearer.keystone)
        # The claims are signed, so they stay true as long as the token is valid.
        fresh_until = int(now) + self._fresh_seconds
        answer = Authorization(
            principal,
            bearer.methods,
            bearer.thumbprint,
            answered_at=int(now),
            renew_from=fresh_until,
            fresh_until=fresh_until,
            usable_until=fresh_until,
        )
        self._memory.put(bearer.key, answer)
        return answer

    def _make_body(self, bearer: SignedBearer) -> dict[str, object] | None:
        claimed = {meaning: bearer.claims.get(name) for meaning, name in self._names.items()}
        keystone = bearer.keystone
        is_scoped = keystone.project_id or keystone.domain_id or keystone.system
        if claimed["roles" if is_scoped else "user_name"] is None:
            return None
        if keystone.application_credential_id is not None:
            # Its access rules are not in the claims, and without them it would be unrestricted.
            return None
        body: dict[str, object] = {
            "user": {
                "id": keystone.user_id,
                "name": claimed["user_name"],
                "domain": _domain(claimed, "user_domain"),
            },
            "roles": claimed["roles"] if is_scoped else [],
        }
        self._add_scope(body, claimed, bearer)
        self._add_trust(body, claimed, bearer)
        self._add_oauth1(body, claimed, bearer)
        return body

    def _add_scope(
        self, body: dict[str, object], claimed: Mapping[str, Any], bearer: SignedBearer
    ) -> None:
        keystone = bearer.keystone
        if keystone.project_id is not None:
            body["project"] = {
                "id": keystone.project_id,
                "name": claimed["project_name"],
                "domain": _domain(claimed, "project_domain"),
            }
            if claimed["is_admin_project"] is not None:
                body["is_admin_project"] = claimed["is_admin_project"]
            elif self._admin_project is not None:
                named = (claimed["project_name"], claimed["project_domain_name"])
                body["is_admin_project"] = named == self._admin_project
        elif keystone.domain_id is not None:
            body["domain"] = {"id": keystone.domain_id, "name": claimed["domain_name"]}
        elif keystone.system:
            body["system"] = {"all": True}

    @staticmethod
    def _add_trust(
        body: dict[str, object], claimed: Mapping[str, Any], bearer: SignedBearer
    ) -> None:
        keystone = bearer.keystone
        if keystone.trust_id is None:
            return
        # Revocation events name the trustor and role ids: without them some would be missed.
        _require_role_ids(claimed["roles"])
        for meaning in ("trustor_id", "trustee_id", "trust_impersonation"):
            if claimed[meaning] is None:
                raise InvalidToken(Reason.MALFORMED, f"a trust's claims lack its {meaning}")
        if claimed["trust_impersonation"] is True:
            body["user"] = {**body["user"], "id": claimed["trustor_id"]}  # type: ignore[dict-item]
        body["OS-TRUST:trust"] = {
            "id": keystone.trust_id,
            "impersonation": claimed["trust_impersonation"],
            "trustor_user": {"id": claimed["trustor_id"]},
            "trustee_user": {"id": claimed["trustee_id"]},
        }

    @staticmethod
    def _add_oauth1(
        body: dict[str, object], claimed: Mapping[str, Any], bearer: SignedBearer
    ) -> None:
        keystone = bearer.keystone
        if keystone.access_token_id is None:
            return
        _require_role_ids(claimed["roles"])
        if claimed["consumer_id"] is None:
            raise InvalidToken(Reason.MALFORMED, "an OAuth1 token's claims lack its consumer_id")
        body["OS-OAUTH1"] = {
            "consumer_id": claimed["consumer_id"],
            "access_token_id": keystone.access_token_id,
        }


def _domain(claimed: Mapping[str, Any], prefix: str) -> dict[str, object] | None:
    domain_id, name = claimed[f"{prefix}_id"], claimed[f"{prefix}_name"]
    return None if domain_id is None and name is None else {"id": domain_id, "name": name}


def _require_role_ids(roles: object) -> None:
    if not isinstance(roles, list) or not all(
        isinstance(role, dict) and isinstance(role.get("id"), str) and role["id"] for role in roles
    ):
        raise InvalidToken(Reason.MALFORMED, "a delegated token's roles lack their ids")
