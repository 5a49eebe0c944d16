"""POST /v3/auth/tokens: turns an authentication request into a grant.

It supports the methods password, token and application_credential, and the scopes project,
domain, system, OS-TRUST:trust and "unscoped" (Identity API v3, "Password authentication with
scoped authorization" and its siblings).
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from authmw.testing.api_errors import IdentityApiError, bad_request, forbidden, unauthorized
from authmw.testing.directory import Directory
from authmw.testing.grants import Wanted
from authmw.testing.identity import Identity
from authmw.testing.records import ApplicationCredential, Grant, User


def authenticate(request: object, identity: Identity) -> Grant:
    """Return the grant for the parsed JSON of an authentication request.

    Raises:
        IdentityApiError: 400 for a malformed request, 401 for invalid credentials, 403 for a token
            that may not be exchanged.
    """
    auth = _member(_object(request), "auth")
    proof = _member(auth, "identity")
    methods = proof.get("methods")
    if not isinstance(methods, list) or len(methods) != 1:
        raise bad_request("Name one authentication method.")
    with identity.lock:
        try:
            if methods == ["password"]:
                return _by_password(_member(_member(proof, "password"), "user"), auth, identity)
            if methods == ["token"]:
                return _by_token(_text(_member(proof, "token"), "id"), auth, identity)
            if methods == ["application_credential"]:
                return _by_application_credential(
                    _member(proof, "application_credential"), identity
                )
        except LookupError:
            # An anonymous caller must not learn which users exist.
            raise unauthorized() from None
    raise unauthorized()


def _by_password(named: Mapping[str, object], auth: Mapping[str, object], at: Identity) -> Grant:
    user = _find_user(named, at.directory)
    if not user.enabled or not secrets.compare_digest(
        user.password.encode(), _text(named, "password").encode()
    ):
        raise unauthorized()
    return at.grant(user.id, _wanted_scope(auth, user, at.directory))


def _by_token(token: str, auth: Mapping[str, object], at: Identity) -> Grant:
    try:
        parent = at.grant_of(token)
    except IdentityApiError:
        raise unauthorized() from None
    if parent.trust_id or parent.application_credential_id or parent.oauth1_access_id:
        raise forbidden("A delegated token can't be exchanged for another.")
    wanted = _wanted_scope(auth, at.directory.users[parent.user_id], at.directory)
    wanted["methods"] = tuple(dict.fromkeys(("token", *parent.methods)))
    wanted["parent_audit_id"] = parent.audit_ids[-1]
    # Exchanging tokens never prolongs a session.
    wanted["expires_in"] = parent.expires_at - int(at.clock())
    return at.grant(parent.user_id, wanted)


def _by_application_credential(named: Mapping[str, object], at: Identity) -> Grant:
    credential = _find_application_credential(named, at.directory)
    if not secrets.compare_digest(credential.secret.encode(), _text(named, "secret").encode()):
        raise unauthorized()
    return at.grant(credential.user_id, {"application_credential": credential.id})


def _find_application_credential(
    named: Mapping[str, object], directory: Directory
) -> ApplicationCredential:
    if "id" in named:
        return directory.application_credentials[_text(named, "id")]
    user = _find_user(_member(named, "user"), directory)
    for credential in directory.application_credentials.values():
        if (credential.user_id, credential.name) == (user.id, _text(named, "name")):
            return credential
    raise LookupError("no such application credential")


def _wanted_scope(auth: Mapping[str, object], user: User, directory: Directory) -> Wanted:
    scope = auth.get("scope")
    if scope is None:
        return {"project": user.default_project_id} if user.default_project_id else {}
    if scope == "unscoped":
        return {}
    scope = _object(scope)
    if "OS-TRUST:trust" in scope:
        trust = directory.trusts[_text(_member(scope, "OS-TRUST:trust"), "id")]
        if trust.trustee_user_id != user.id:
            raise forbidden("Only the trustee can use a trust.")
        return {"trust": trust.id}
    if "system" in scope:
        if _member(scope, "system").get("all") is not True:
            raise bad_request("The system scope is all of it: {'all': true}.")
        return {"system": True}
    if "domain" in scope:
        return {"domain": _find_domain_id(_member(scope, "domain"), directory)}
    if "project" in scope:
        project = _member(scope, "project")
        if "id" in project:
            return {"project": directory.projects[_text(project, "id")].id}
        domain_id = _find_domain_id(_member(project, "domain"), directory)
        return {"project": directory.project(_text(project, "name"), domain_id).id}
    raise bad_request("Scope is none of project, domain, system and OS-TRUST:trust.")


def _find_user(named: Mapping[str, object], directory: Directory) -> User:
    if "id" in named:
        return directory.users[_text(named, "id")]
    domain_id = _find_domain_id(_member(named, "domain"), directory)
    return directory.user(_text(named, "name"), domain_id)


def _find_domain_id(named: Mapping[str, object], directory: Directory) -> str:
    if "id" in named:
        return directory.domains[_text(named, "id")].id
    return directory.domain(_text(named, "name")).id


def _object(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise bad_request("Expected a JSON object.")
    return value


def _member(parent: Mapping[str, object], name: str) -> Mapping[str, object]:
    if not isinstance(parent.get(name), dict):
        raise bad_request(f"Expected an object {name!r}.")
    return _object(parent[name])


def _text(parent: Mapping[str, object], name: str) -> str:
    value = parent.get(name)
    if not isinstance(value, str):
        raise bad_request(f"Expected a string {name!r}.")
    return value
