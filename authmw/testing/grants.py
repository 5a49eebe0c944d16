"""Makes grants for wanted tokens ("member, on project inventory") and checks them."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from typing import TypedDict

from authmw.testing.api_errors import forbidden, not_found
from authmw.testing.directory import Directory
from authmw.testing.records import Grant, OnDomain, OnProject
from authmw.testing.token_bodies import roles_of


class Wanted(TypedDict, total=False):
    """The properties of a wanted token; every key may be left out.

    Attributes:
        project: id or name of the project it is scoped to.
        domain: id or name of the domain it is scoped to.
        system: whether it is scoped to the system. With none of the three it is unscoped.
        trust: id of a trust; user and project are then the trustee and the trust's.
        application_credential: id of one; user and project are then its own.
        oauth1_access: id of an OAuth1 access token; user and project are then its own.
        methods: how the user authenticated; the default depends on the keys above.
        issued_at: epoch seconds; now, by default.
        expires_in: seconds from `issued_at`, an hour by default; negative for a token that
            has long expired.
        parent_audit_id: the first token of the chain, for one made from another token.
        certificate_thumbprint: `x5t#S256` of the client certificate it is bound to (RFC 8705).
    """

    project: str
    domain: str
    system: bool
    trust: str
    application_credential: str
    oauth1_access: str
    methods: Sequence[str]
    issued_at: float
    expires_in: float
    parent_audit_id: str
    certificate_thumbprint: str


def make_grant(
    directory: Directory, user: str, wanted: Wanted, *, now: float, lifetime_seconds: float
) -> Grant:
    """Return the wanted grant; whether the user holds roles there is not checked.

    Raises:
        LookupError: something of that name is not in the directory.
        ValueError: more than one scope was named.
    """
    methods = ["password"]
    trust_id = wanted.get("trust")
    credential_id = wanted.get("application_credential")
    access_id = wanted.get("oauth1_access")
    target = directory.target(
        project=wanted.get("project"),
        domain=wanted.get("domain"),
        system=wanted.get("system", False),
    )
    if trust_id is not None:
        trust = directory.trusts[trust_id]
        user, target = trust.trustee_user_id, OnProject(trust.project_id)
    elif credential_id is not None:
        credential = directory.application_credentials[credential_id]
        user, target = credential.user_id, OnProject(credential.project_id)
        methods = ["application_credential"]
    elif access_id is not None:
        access = directory.oauth1_accesses[access_id]
        user, target = access.user_id, OnProject(access.project_id)
        methods = ["oauth1"]
    audit_ids = [make_audit_id()]
    if "parent_audit_id" in wanted:
        audit_ids.append(wanted["parent_audit_id"])
    issued_at = int(wanted.get("issued_at", now))
    return Grant(
        user_id=directory.user(user).id,
        target=target,
        methods=tuple(wanted.get("methods", methods)),
        audit_ids=tuple(audit_ids),
        issued_at=issued_at,
        expires_at=int(issued_at + wanted.get("expires_in", lifetime_seconds)),
        trust_id=trust_id,
        application_credential_id=credential_id,
        oauth1_access_id=access_id,
        certificate_thumbprint=wanted.get("certificate_thumbprint"),
    )


def assert_grantable(grant: Grant, directory: Directory) -> None:
    """Check that user and scope are enabled now and that the user holds a role there.

    Raises:
        IdentityApiError: 404 as Keystone answers; 403 if a trustor no longer holds every role
            of the trust.
    """
    try:
        user = directory.users[grant.user_id]
        domain_ids = {user.domain_id}
        is_enabled = user.enabled
        if isinstance(grant.target, OnProject):
            project = directory.projects[grant.target.project_id]
            domain_ids.add(project.domain_id)
            is_enabled = is_enabled and project.enabled
        elif isinstance(grant.target, OnDomain):
            domain_ids.add(grant.target.domain_id)
        if not (is_enabled and all(directory.domains[key].enabled for key in domain_ids)):
            raise not_found("The user or the scope of this token is disabled.")
        has_role = grant.target is None or bool(roles_of(grant, directory))
    except LookupError:
        raise not_found("The user or the scope of this token is gone.") from None
    if not has_role and grant.trust_id is not None:
        raise forbidden("The trustor no longer holds every role of this trust.")
    if not has_role:
        raise not_found(f"User {user.name} holds no role on the scope of this token.")


def make_audit_id() -> str:
    """Return a fresh audit id: 16 random octets in base64url, as Keystone makes them."""
    return base64.urlsafe_b64encode(secrets.token_bytes(16)).rstrip(b"=").decode("ascii")
