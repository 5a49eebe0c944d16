"""The token body: what `GET /v3/auth/tokens` would show (Identity API v3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any

from authmw.authority.keystone_claims import KeystoneClaims
from authmw.bundle.evaluate.delegation import (
    access_token_roles,
    find_application_credential,
    find_trust,
    trust_roles,
    verify_identity_provider,
)
from authmw.bundle.evaluate.question import Question, deny
from authmw.bundle.evaluate.roles import (
    add_implied,
    domain_roles,
    project_roles,
    project_scope,
    role_of,
    verify_in_filter,
    without_domain_specific,
)
from authmw.bundle.facts import pack_id, unpack_id
from authmw.bundle.records import (
    Actors,
    ApplicationCredential,
    FactsReader,
    Id,
    Project,
    Scope,
    Trust,
    User,
)
from authmw.errors import BundleUnreadable
from authmw.token.body import render_time

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAME = attrgetter("name")


def evaluate(
    claims: KeystoneClaims, *, issued_at: int, expires_at: int, now: float, facts: FactsReader
) -> dict[str, Any]:
    """Return the body of a token as `judge` does, for those who don't keep it."""
    return judge(claims, issued_at=issued_at, expires_at=expires_at, now=now, facts=facts)[0]


def judge(
    claims: KeystoneClaims, *, issued_at: int, expires_at: int, now: float, facts: FactsReader
) -> tuple[dict[str, Any], int | None]:
    """Return the body of a token, the object that Keystone has under `token`, and when it ends.

    It may end without any change of the facts: when a trust or an application credential
    expires, a membership ends, or a user counts as inactive. That is the earliest such time,
    in microseconds since 1970; None: there is none.

    Signature, lifetime and revocation are the caller's to check.

    Args:
        claims: of the token, verified.
        issued_at, expires_at: of the token, epoch seconds.
        now: epoch seconds.
        facts: one revision.

    Raises:
        InvalidToken: the facts deny it.
        FactUnknown: they don't say.
        BundleUnreadable: they can't be read.
    """
    question = Question(claims, issued_at, expires_at, now, facts)
    try:
        return _Evaluation(question).body(), question.ends_at
    except (AttributeError, LookupError, OverflowError, TypeError, ValueError) as error:
        # SQLite holds values of any type in any column, and settings may be of another form.
        raise BundleUnreadable(f"a fact has another form: {error}") from error


class _Evaluation:
    def __init__(self, question: Question) -> None:
        self.question = question
        self.claims: KeystoneClaims = question.claims
        self.facts: FactsReader = question.facts
        self.user: User = question.user(pack_id(question.claims.user_id))
        self.user_domain = question.enabled_domain(self.user.domain_id)
        question.verify_enabled(self.user)

    def body(self) -> dict[str, Any]:
        claims = self.claims
        body: dict[str, Any] = {
            "methods": list(claims.methods),
            "user": self._render_user(self.user, self.user_domain),
            "audit_ids": list(claims.audit_ids),
            "expires_at": render_time(self.question.expires_at),
            "issued_at": render_time(self.question.issued_at),
        }
        catalog_user_id = claims.user_id
        if claims.trust_id is not None:
            trust = self._add_trust(body, pack_id(claims.trust_id))
            catalog_user_id = unpack_id(trust.trustor_user_id)
        elif claims.project_id is not None:
            self._add_project(body, pack_id(claims.project_id))
        elif claims.application_credential_id is not None or claims.access_token_id is not None:
            deny("the token of a delegation is scoped to no project")
        elif claims.domain_id is not None:
            self._add_domain(body, pack_id(claims.domain_id))
        elif claims.system:
            self._add_system(body)
        if "roles" in body:
            project_id = claims.project_id
            limits = None if project_id is None else self.facts.endpoint_filter(pack_id(project_id))
            body["catalog"] = self.facts.catalog.of_token(catalog_user_id, project_id, limits)
        self._add_federation(body)
        if claims.thumbprint is not None:
            body["oauth2_credential"] = {"x5t#S256": claims.thumbprint}
        return body

    # --- scopes

    def _add_trust(self, body: dict[str, Any], trust_id: Id) -> Trust:
        question = self.question
        if self.claims.application_credential_id or self.claims.access_token_id:
            deny("the token is one of two delegations")
        chain = find_trust(question, trust_id)
        trust = chain[0]
        trustor = question.user(trust.trustor_user_id)
        trustor_domain = question.enabled_domain(trustor.domain_id)
        question.verify_enabled(trustor)
        scope = self._project_scope(pack_id(self.claims.project_id or ""))
        role_ids = trust_roles(question, chain, scope)
        self._verify_some(role_ids)
        if trust.impersonation:
            body["user"] = self._render_user(trustor, trustor_domain)
        body["OS-TRUST:trust"] = {
            "id": unpack_id(trust_id),
            "trustor_user": {"id": unpack_id(trust.trustor_user_id)},
            "trustee_user": {"id": unpack_id(trust.trustee_user_id)},
            "impersonation": trust.impersonation,
        }
        body["project"] = self._render_project(scope)
        body["roles"] = self._render_roles(role_ids, whole=True)
        return trust

    def _add_project(self, body: dict[str, Any], project_id: Id) -> None:
        claims = self.claims
        credential: ApplicationCredential | None = None
        if claims.application_credential_id is not None:
            credential_id = pack_id(claims.application_credential_id)
            credential = find_application_credential(self.question, credential_id)
            if claims.access_token_id is not None or claims.group_ids is not None:
                deny("the token is of an application credential, and of something else")
        scope = self._project_scope(project_id)
        own = without_domain_specific(
            self.question, project_roles(self.question, scope, self.question.actors(self.user))
        )
        if claims.access_token_id is not None:
            token_id = pack_id(claims.access_token_id)
            consumer_id, role_ids = access_token_roles(self.question, token_id, own)
            body["OS-OAUTH1"] = {
                "access_token_id": claims.access_token_id,
                "consumer_id": unpack_id(consumer_id),
            }
        elif claims.group_ids is not None:
            groups = self._groups_of_token(claims.group_ids)
            of_groups = project_roles(self.question, scope, groups)
            role_ids = self._federated_roles(own, of_groups, groups)
        elif credential is not None:
            role_ids = own & credential.role_ids
        else:
            role_ids = own
        if credential is not None:
            body["application_credential"] = _render_credential(credential)
        self._verify_some(role_ids)
        project = scope.path[0]
        body["project"] = self._render_project(scope)
        body["is_domain"] = project.is_domain
        body["roles"] = self._render_roles(role_ids, whole=self._shows_whole_roles)
        admin = self.facts.settings.get("admin_project")
        if admin is not None:
            named = {"name": project.name, "domain_name": scope.path[-1].name}
            body["is_admin_project"] = named == admin

    def _add_domain(self, body: dict[str, Any], domain_id: Id) -> None:
        domain = self.question.domain(domain_id)
        verify_in_filter(self.question, [domain_id])
        own = domain_roles(self.question, domain_id, self.question.actors(self.user))
        role_ids = without_domain_specific(self.question, own)
        if self.claims.group_ids is not None:
            groups = self._groups_of_token(self.claims.group_ids)
            of_groups = domain_roles(self.question, domain_id, groups)
            role_ids = self._federated_roles(role_ids, of_groups, groups)
        self._verify_some(role_ids)
        body["domain"] = {"id": unpack_id(domain_id), "name": domain.name}
        body["roles"] = self._render_roles(role_ids, whole=self._shows_whole_roles)

    def _add_system(self, body: dict[str, Any]) -> None:
        self.question.note_memberships(self.user.id)
        groups = self.facts.groups_of(self.user.id, self.question.now_microseconds)
        assigned = self.facts.system_roles(self.user.id, groups)
        role_ids = add_implied(self.facts, assigned)
        self._verify_some(role_ids)
        body["system"] = {"all": True}
        body["roles"] = self._render_roles(role_ids, whole=False)

    def _project_scope(self, project_id: Id) -> Scope:
        scope = project_scope(self.question, project_id)
        verify_in_filter(self.question, [each.id for each in scope.path])
        return scope

    # --- roles

    def _groups_of_token(self, group_ids: tuple[str, ...]) -> Actors:
        return Actors(None, tuple(map(pack_id, group_ids)), self.question.now_microseconds)

    def _federated_roles(self, own: set[Id], of_groups: set[Id], groups: Actors) -> set[Id]:
        """Return the roles of a federated user's token.

        Keystone adds the system roles of the user and of the token's groups whatever the scope is,
        and without what they imply.
        """
        system = self.facts.system_roles(self.user.id, groups.group_ids)
        return own | without_domain_specific(self.question, of_groups) | system

    def _verify_some(self, role_ids: set[Id]) -> None:
        if not role_ids:
            deny(f"user {self.claims.user_id} has no role in the scope of the token")

    @property
    def _shows_whole_roles(self) -> bool:
        return self.claims.group_ids is not None and self.claims.access_token_id is None

    def _render_roles(self, role_ids: set[Id], *, whole: bool) -> list[dict[str, Any]]:
        """Render roles, by name.

        Args:
            whole: with every member that a role has, as in tokens of trusts and federated users.
        """
        roles = [role_of(self.question, each) for each in role_ids]
        if len(roles) > 1:
            roles.sort(key=_NAME)
        if not whole:
            return [{"id": unpack_id(role.id), "name": role.name} for role in roles]
        return [
            {
                **role.extra,
                "id": unpack_id(role.id),
                "name": role.name,
                "domain_id": None if role.domain_id is None else unpack_id(role.domain_id),
            }
            for role in roles
        ]

    # --- members

    def _render_user(self, user: User, domain: Project) -> dict[str, Any]:
        return {
            "domain": {"id": unpack_id(domain.id), "name": domain.name},
            "id": unpack_id(user.id),
            "name": user.name,
            "password_expires_at": _render_microseconds(user.password_expires_at),
        }

    def _render_project(self, scope: Scope) -> dict[str, Any]:
        project, domain = scope.path[0], scope.path[-1]
        return {
            "domain": {"id": unpack_id(domain.id), "name": domain.name},
            "id": self.claims.project_id,
            "name": project.name,
        }

    def _add_federation(self, body: dict[str, Any]) -> None:
        providers = self.facts.service_providers
        if providers:
            body["service_providers"] = [
                {"id": unpack_id(each.id), "auth_url": each.auth_url, "sp_url": each.sp_url}
                for each in providers
            ]
        claims = self.claims
        if claims.group_ids is None:
            return
        if claims.identity_provider_id is None:
            deny("the token of a federated user names no identity provider")
        verify_identity_provider(self.question, claims.identity_provider_id)
        del body["user"]["password_expires_at"]
        body["user"]["OS-FEDERATION"] = {
            "groups": [{"id": each} for each in claims.group_ids],
            "identity_provider": {"id": claims.identity_provider_id},
            "protocol": {"id": claims.protocol_id},
        }


def _render_credential(credential: ApplicationCredential) -> dict[str, Any]:
    rendered: dict[str, Any] = {
        "id": unpack_id(credential.id),
        "name": credential.name,
        "restricted": not credential.unrestricted,
    }
    if credential.access_rules:
        rendered["access_rules"] = [
            {
                "id": unpack_id(rule.id),
                "service": rule.service,
                "path": rule.path,
                "method": rule.method,
            }
            for rule in credential.access_rules
        ]
    return rendered


def _render_microseconds(time: int | None) -> str | None:
    if time is None:
        return None
    return f"{_EPOCH + timedelta(microseconds=time):%Y-%m-%dT%H:%M:%S.%f}"
