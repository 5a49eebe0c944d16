"""The Identity API v3 as tests use it: issue tokens, make what they speak of, take it away.

Addresses and members are those of the Identity API reference. Names are made up where none is
given, so that tests can share one Keystone.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Mapping, Sequence
from functools import cached_property

import requests

from tests.support.identity_types import (
    SYSTEM_SCOPE,
    UNSCOPED,
    ApplicationCredential,
    IssuedToken,
    Json,
    Named,
    PasswordUser,
    Scope,
    project_scope,
)

TIMEOUT_SECONDS = 30


class UnexpectedAnswer(AssertionError):
    """Keystone answered with another status than the call is documented to have."""


class IdentityApi:
    """Calls one Keystone process, as its administrator unless a token is given.

    Every method raises UnexpectedAnswer where Keystone refuses.

    Args:
        url: with the version, http://host:port/v3.
        admin_password: of the user `admin` that bootstrap made.
    """

    def __init__(self, url: str, *, admin_password: str) -> None:
        self.url = url
        self._admin_password = admin_password
        self._http = requests.Session()
        # A connection kept alive may be closed by the server at the moment it is used again.
        self._http.headers["Connection"] = "close"
        # A proxy of the environment must not stand between us and 127.0.0.1.
        self._http.trust_env = False
        self._admin_token: IssuedToken | None = None

    @cached_property
    def admin(self) -> PasswordUser:
        """The user that bootstrap made: admin on the project `admin` and on the system."""
        return PasswordUser(
            self._get_admin_token().body["user"]["id"], "admin", self._admin_password
        )

    # Tokens

    def issue(self, user: PasswordUser, scope: Scope = UNSCOPED) -> IssuedToken:
        """Log in with a password."""
        identity = {"user": {"id": user.id, "password": user.password}}
        return self._issue("password", identity, scope)

    def issue_from_token(self, token: IssuedToken, scope: Scope = UNSCOPED) -> IssuedToken:
        """Exchange a token for one of another scope; the audit chain goes on."""
        return self._issue("token", {"id": token.id}, scope)

    def issue_from_application_credential(self, credential: ApplicationCredential) -> IssuedToken:
        """Log in with an application credential, on its project."""
        identity = {"id": credential.id, "secret": credential.secret}
        return self._issue("application_credential", identity, None)

    def issue_for_admin(self, scope: Scope = SYSTEM_SCOPE) -> IssuedToken:
        """Log in as the administrator."""
        return self.issue(self.admin, scope)

    def validate(self, token: IssuedToken, *, allow_expired: bool = False) -> IssuedToken:
        """Ask for what GET /v3/auth/tokens says about a token."""
        path = "/auth/tokens?allow_expired=1" if allow_expired else "/auth/tokens"
        answer = self.call(
            "GET",
            path,
            headers={"X-Subject-Token": token.id, "OpenStack-Identity-Access-Rules": "1"},
        )
        return IssuedToken(answer.headers["X-Subject-Token"], answer.json()["token"])

    def is_valid(self, token: IssuedToken) -> bool:
        """Tell whether Keystone takes this token now (HEAD /v3/auth/tokens)."""
        answer = self.call(
            "HEAD", "/auth/tokens", headers={"X-Subject-Token": token.id}, expected=(200, 404)
        )
        return answer.status_code == 200

    def revoke(self, token: IssuedToken) -> None:
        """Revoke a token, and with it what it was exchanged for."""
        self.call("DELETE", "/auth/tokens", headers={"X-Subject-Token": token.id})

    # What tokens speak of

    def create_domain(self, name: str | None = None) -> Named:
        """Make an enabled domain."""
        return self._create_named("domain", {"name": name or _make_name("domain")})

    def create_project(self, name: str | None = None, *, domain_id: str = "default") -> Named:
        """Make an enabled project."""
        return self._create_named(
            "project", {"name": name or _make_name("project"), "domain_id": domain_id}
        )

    def create_user(
        self,
        name: str | None = None,
        *,
        domain_id: str = "default",
        default_project: Named | None = None,
    ) -> PasswordUser:
        """Make an enabled user with a password, without any role."""
        password = uuid.uuid4().hex
        wanted = {"name": name or _make_name("user"), "domain_id": domain_id, "password": password}
        if default_project is not None:
            wanted["default_project_id"] = default_project.id
        made = self._create("user", wanted)
        return PasswordUser(made["id"], made["name"], password)

    def create_role(self, name: str | None = None) -> Named:
        """Make a global role."""
        return self._create_named("role", {"name": name or _make_name("role")})

    def find_role(self, name: str) -> Named:
        """Return a role by name: bootstrap made admin, manager, member, reader and service."""
        [role] = self.call("GET", f"/roles?name={name}").json()["roles"]
        return Named(role["id"], role["name"])

    def find_project(self, name: str) -> Named:
        """Return a project of the default domain by name: bootstrap made `admin`."""
        [project] = self.call("GET", f"/projects?name={name}&domain_id=default").json()["projects"]
        return Named(project["id"], project["name"])

    def create_service(self, service_type: str, name: str | None = None) -> Named:
        """Make a catalog entry without endpoints."""
        return self._create_named(
            "service", {"name": name or _make_name("service"), "type": service_type}
        )

    def create_endpoint(
        self, service: Named, url: str, *, interface: str = "public", region_id: str = "RegionOne"
    ) -> str:
        """Give a service an endpoint; returns the endpoint's id."""
        wanted = {
            "service_id": service.id,
            "url": url,
            "interface": interface,
            "region_id": region_id,
        }
        endpoint_id: str = self._create("endpoint", wanted)["id"]
        return endpoint_id

    # Who may do what

    def grant(self, user: PasswordUser, role: Named, scope: Json) -> None:
        """Assign a role on a project, a domain or the system."""
        self.call("PUT", _assignment_path(user, role, scope))

    def withdraw(self, user: PasswordUser, role: Named, scope: Json) -> None:
        """Take an assignment away; Keystone makes no revocation event of this."""
        self.call("DELETE", _assignment_path(user, role, scope))

    def create_trust(
        self,
        trustor: PasswordUser,
        trustee: PasswordUser,
        project: Named,
        roles: Sequence[Named],
        *,
        impersonation: bool = True,
    ) -> str:
        """Let the trustee act on a project with the trustor's roles; returns the trust's id."""
        wanted = {
            "trustor_user_id": trustor.id,
            "trustee_user_id": trustee.id,
            "project_id": project.id,
            "impersonation": impersonation,
            "roles": [{"id": role.id} for role in roles],
        }
        trustor_token = self.issue(trustor, project_scope(project))
        answer = self.call("POST", "/OS-TRUST/trusts", body={"trust": wanted}, token=trustor_token)
        trust_id: str = answer.json()["trust"]["id"]
        return trust_id

    def create_application_credential(
        self,
        user: PasswordUser,
        project: Named,
        *,
        access_rules: Sequence[Mapping[str, str]] | None = None,
    ) -> ApplicationCredential:
        """Make one with all of the user's roles on the project.

        Args:
            access_rules: mappings with `service`, `method` and `path`; an empty list is sent
                as such, None not at all.
        """
        wanted: Json = {"name": _make_name("credential")}
        if access_rules is not None:
            wanted["access_rules"] = [dict(rule) for rule in access_rules]
        answer = self.call(
            "POST",
            f"/users/{user.id}/application_credentials",
            body={"application_credential": wanted},
            token=self.issue(user, project_scope(project)),
        )
        made = answer.json()["application_credential"]
        return ApplicationCredential(made["id"], made["name"], made["secret"])

    # Taking away

    def update(self, kind: str, subject_id: str, **changes: object) -> None:
        """Change a `user`, `project`, `domain`, `role`, ...: update("user", id, enabled=False)."""
        self.call("PATCH", f"/{kind}s/{subject_id}", body={kind: changes})

    def delete(self, kind: str, subject_id: str) -> None:
        """Delete a `user`, `project`, `domain` (disabled before), `role`, `endpoint`, ..."""
        self.call("DELETE", f"/{kind}s/{subject_id}")

    def delete_trust(self, trust_id: str, trustor_token: IssuedToken) -> None:
        """Take a trust back, as its trustor."""
        self.call("DELETE", f"/OS-TRUST/trusts/{trust_id}", token=trustor_token)

    def delete_application_credential(
        self, user: PasswordUser, credential: ApplicationCredential
    ) -> None:
        """Delete it; Keystone makes no revocation event of this."""
        self.call("DELETE", f"/users/{user.id}/application_credentials/{credential.id}")

    def list_revocation_events(self, *, since: str | None = None) -> list[Json]:
        """Return the members of `events` of GET /v3/OS-REVOKE/events."""
        path = "/OS-REVOKE/events" if since is None else f"/OS-REVOKE/events?since={since}"
        events: list[Json] = self.call("GET", path).json()["events"]
        return events

    # Everything else

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Json | None = None,
        headers: Mapping[str, str] | None = None,
        token: IssuedToken | None = None,
        expected: Sequence[int] = (200, 201, 204),
    ) -> requests.Response:
        """Send one request with the administrator's token, or with the given one."""
        return self._send(
            method,
            path,
            body=body,
            headers={"X-Auth-Token": (token or self._get_admin_token()).id, **(headers or {})},
            expected=expected,
        )

    def _send(
        self,
        method: str,
        path: str,
        *,
        body: Json | None,
        headers: Mapping[str, str],
        expected: Sequence[int],
    ) -> requests.Response:
        answer = self._http.request(
            method, self.url + path, json=body, headers=dict(headers), timeout=TIMEOUT_SECONDS
        )
        if answer.status_code not in expected:
            raise UnexpectedAnswer(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer

    def _issue(self, method: str, credential: Json, scope: Scope | None) -> IssuedToken:
        auth: Json = {"identity": {"methods": [method], method: credential}}
        if scope is not None:
            auth["scope"] = scope
        answer = self._send(
            "POST", "/auth/tokens", body={"auth": auth}, headers={}, expected=(201,)
        )
        return IssuedToken(answer.headers["X-Subject-Token"], answer.json()["token"])

    def _get_admin_token(self) -> IssuedToken:
        # Some processes issue tokens that live for seconds only.
        soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=10)
        if self._admin_token is None or self._admin_token.expires_at < soon:
            admin = {
                "name": "admin",
                "domain": {"id": "default"},
                "password": self._admin_password,
            }
            self._admin_token = self._issue("password", {"user": admin}, SYSTEM_SCOPE)
        return self._admin_token

    def _create(self, kind: str, wanted: Json) -> Json:
        made: Json = self.call("POST", f"/{kind}s", body={kind: wanted}).json()[kind]
        return made

    def _create_named(self, kind: str, wanted: Json) -> Named:
        made = self._create(kind, wanted)
        return Named(made["id"], made["name"])


def _make_name(kind: str) -> str:
    return f"{kind}-{uuid.uuid4().hex[:8]}"


def _assignment_path(user: PasswordUser, role: Named, scope: Json) -> str:
    match scope:
        case {"project": {"id": project_id}}:
            return f"/projects/{project_id}/users/{user.id}/roles/{role.id}"
        case {"domain": {"id": domain_id}}:
            return f"/domains/{domain_id}/users/{user.id}/roles/{role.id}"
        case {"system": _}:
            return f"/system/users/{user.id}/roles/{role.id}"
        case _:
            raise ValueError(f"no role can be assigned on {scope}")
