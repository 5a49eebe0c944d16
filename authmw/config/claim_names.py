"""The claims that `jws_claim_names` may rename: their defaults, and names that it must not use."""

from __future__ import annotations

from collections.abc import Mapping

DEFAULT_CLAIM_NAMES: Mapping[str, str] = {
    name: f"openstack_{name}"
    for name in (
        "user_name",
        "user_domain_id",
        "user_domain_name",
        "project_name",
        "project_domain_id",
        "project_domain_name",
        "domain_name",
        "roles",
        "is_admin_project",
        "trustor_id",
        "trustee_id",
        "trust_impersonation",
        "consumer_id",
    )
}
"""The claim of each meaning; `jws_claim_names` overrides single ones."""

PER_TOKEN_CLAIMS = frozenset({"iat", "exp", "nbf", "jti", "openstack_audit_ids"})
"""Claims that differ between two tokens of one bearer; they are not part of the authority key."""
