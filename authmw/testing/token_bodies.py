"""Renders the v3 token body of a grant, member for member as Keystone does.

Identity API v3, "Validate and show information for token". `tests/` holds a comparison with
the bodies of a real Keystone.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from authmw.testing.directory import Directory
from authmw.testing.records import (
    ApplicationCredential,
    Grant,
    OnDomain,
    OnProject,
    OnSystem,
    Role,
    User,
)


def render_token_body(
    grant: Grant,
    directory: Directory,
    *,
    catalog: Sequence[object] | None = None,
    admin_project: tuple[str, str] | None = None,
) -> dict[str, object]:
    """Return the value of `token` in the answer of GET /v3/auth/tokens.

    Args:
        grant: of the token; whether it is still valid is not checked.
        directory: source of the current names and roles.
        catalog: the service catalog; None: leave it out.
        admin_project: (project name, domain name) of the admin project, if there is one;
            without it `is_admin_project` is absent.

    Raises:
        LookupError: the user or the scope is no longer there.
    """
    body: dict[str, object] = {
        "methods": list(grant.methods),
        "user": _render_user(bearer_of(grant, directory), directory),
        "audit_ids": list(grant.audit_ids),
        "expires_at": render_time(grant.expires_at),
        "issued_at": render_time(grant.issued_at),
    }
    body.update(_render_scope(grant, directory, admin_project))
    if grant.target is not None and catalog is not None:
        body["catalog"] = catalog
    if grant.oauth1_access_id is not None:
        access = directory.oauth1_accesses[grant.oauth1_access_id]
        body["OS-OAUTH1"] = {"access_token_id": access.id, "consumer_id": access.consumer_id}
    if grant.application_credential_id is not None:
        credential = directory.application_credentials[grant.application_credential_id]
        body["application_credential"] = _render_application_credential(credential)
    if grant.certificate_thumbprint is not None:
        body["oauth2_credential"] = {"x5t#S256": grant.certificate_thumbprint}
    return body


def render_time(seconds: float, *, fraction: bool = True) -> str:
    """Return a time as Keystone writes it: whole seconds, and six zeros for the fraction."""
    moment = datetime.datetime.fromtimestamp(int(seconds), datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S" + (".000000Z" if fraction else "Z"))


def bearer_of(grant: Grant, directory: Directory) -> User:
    """Return the user that a service sees: in an impersonating trust, the trustor."""
    if grant.trust_id is not None:
        trust = directory.trusts[grant.trust_id]
        if trust.impersonation:
            return directory.users[trust.trustor_user_id]
    return directory.users[grant.user_id]


def roles_of(grant: Grant, directory: Directory) -> tuple[Role, ...]:
    """Return the current roles of a grant: never more than its user or trustor holds."""
    if grant.target is None:
        return ()
    if grant.trust_id is not None:
        trust = directory.trusts[grant.trust_id]
        held = directory.roles_on(trust.trustor_user_id, grant.target)
        delegated = directory.with_implied(trust.role_ids)
        # If the trustor lost a single role of a trust, the trust is void.
        return delegated if set(delegated) <= set(held) else ()
    held = directory.roles_on(grant.user_id, grant.target)
    if grant.oauth1_access_id is not None:
        access = directory.oauth1_accesses[grant.oauth1_access_id]
        delegated = directory.with_implied(access.role_ids)
    elif grant.application_credential_id is not None:
        credential = directory.application_credentials[grant.application_credential_id]
        delegated = tuple(directory.roles[role_id] for role_id in credential.role_ids)
    else:
        return held
    return tuple(role for role in delegated if role in held)


def _render_user(user: User, directory: Directory) -> dict[str, object]:
    return {
        "domain": _render_domain(user.domain_id, directory),
        "id": user.id,
        "name": user.name,
        "password_expires_at": None,
    }


def _render_domain(domain_id: str, directory: Directory) -> dict[str, str]:
    domain = directory.domains[domain_id]
    return {"id": domain.id, "name": domain.name}


def _render_scope(
    grant: Grant, directory: Directory, admin_project: tuple[str, str] | None
) -> dict[str, object]:
    roles = [_render_role(role, grant) for role in roles_of(grant, directory)]
    match grant.target:
        case None:
            return {}
        case OnSystem():
            return {"roles": roles, "system": {"all": True}}
        case OnDomain(domain_id):
            return {"domain": _render_domain(domain_id, directory), "roles": roles}
        case OnProject(project_id):
            return _render_project(grant, project_id, directory, admin_project) | {"roles": roles}


def _render_project(
    grant: Grant, project_id: str, directory: Directory, admin_project: tuple[str, str] | None
) -> dict[str, object]:
    project = directory.projects[project_id]
    domain = _render_domain(project.domain_id, directory)
    scope: dict[str, object] = {
        "project": {"domain": domain, "id": project.id, "name": project.name}
    }
    if grant.trust_id is not None:
        # A trust's token says nothing about is_domain and the admin project.
        trust = directory.trusts[grant.trust_id]
        scope["OS-TRUST:trust"] = {
            "id": trust.id,
            "trustor_user": {"id": trust.trustor_user_id},
            "trustee_user": {"id": trust.trustee_user_id},
            "impersonation": trust.impersonation,
        }
        return scope
    scope["is_domain"] = False
    if admin_project is not None:
        scope["is_admin_project"] = (project.name, domain["name"]) == admin_project
    return scope


def _render_role(role: Role, grant: Grant) -> dict[str, object]:
    if grant.trust_id is None:
        return {"id": role.id, "name": role.name}
    # Keystone shows a trust's roles as its role API does, not as other tokens do; those that
    # its bootstrap makes are immutable.
    return {
        "id": role.id,
        "name": role.name,
        "domain_id": None,
        "description": None,
        "options": {"immutable": True},
    }


def _render_application_credential(credential: ApplicationCredential) -> dict[str, object]:
    rendered: dict[str, object] = {
        "id": credential.id,
        "name": credential.name,
        "restricted": not credential.unrestricted,
    }
    # Keystone leaves an empty list out, as it does an absent one.
    if credential.access_rules:
        rendered["access_rules"] = [
            {"id": rule.id, "path": rule.path, "service": rule.service, "method": rule.method}
            for rule in credential.access_rules
        ]
    return rendered
