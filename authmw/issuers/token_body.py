"""From verified claims to a v3 token body, which `Token.from_body` takes like Keystone's.

What the issuer's mapping has no claim for is absent, never guessed. In particular a token
without a project, a domain or the system is unscoped, and has no roles where the issuer's tokens
can have a scope: there, roles are roles on it.
"""

from __future__ import annotations

from collections.abc import Mapping

from authmw.errors import InvalidToken, Reason
from authmw.issuers.access_token import AccessToken
from authmw.issuers.claims_path import (
    ClaimsPath,
    find_first_text,
    find_flag,
    find_text,
    find_texts,
    parse_text,
)
from authmw.issuers.record import ClaimsMapping
from authmw.token.body import render_time
from authmw.token.oauth import OAuthAccess

_Claims = Mapping[str, object]

_ID = ClaimsPath.parse("id")
_NAME = ClaimsPath.parse("name")
_SCIM_VALUE = ClaimsPath.parse("value")


def make_token_body(token: AccessToken) -> dict[str, object]:
    """Return the object under "token" of Identity API v3, "Validate and show information".

    Args:
        token: of an issuer whose profile has a mapping.

    Raises:
        InvalidToken: (malformed) a mapped claim is of the wrong type, the user is missing, or
            there is more than one scope; (unsafe_value) a name holds a control character.
        ValueError: the profile has no mapping: names and roles come from somewhere else.
    """
    mapping = token.issuer.profile.mapping
    if mapping is None:
        raise ValueError(f"claims of issuer {token.issuer.name} are not mapped")
    claims = token.claims
    scope = _make_scope(claims, mapping)
    for name in mapping.required:
        if not (scope if name == "scope" else _is_there(claims, getattr(mapping, name))):
            raise InvalidToken(Reason.MALFORMED, f"it does not say what the {name} is")
    body: dict[str, object] = {
        "methods": list((mapping.methods and find_texts(claims, mapping.methods)) or ()),
        "audit_ids": [] if token.token_id is None else [token.token_id],
        "issued_at": render_time(token.issued_at),
        "expires_at": render_time(token.expires_at),
        "user": _make_user(claims, mapping, token.issuer.name),
        "roles": _make_roles(claims, mapping) if scope or not mapping.has_scope else [],
        **scope,
    }
    is_admin_project = (
        mapping.assumed_admin_project
        if mapping.is_admin_project is None
        else find_flag(claims, mapping.is_admin_project) or False
    )
    if is_admin_project is not None:
        body["is_admin_project"] = is_admin_project
    if token.thumbprint is not None:
        body["oauth2_credential"] = {"x5t#S256": token.thumbprint}
    return body


def make_oauth_access(token: AccessToken) -> OAuthAccess:
    """Return what the Token keeps beside the body: client, OAuth scope, claims."""
    return OAuthAccess.of_claims(
        token.claims,
        client_id=token.client_id,
        scope=token.oauth_scope,
        key_thumbprint=token.key_thumbprint,
    )


def _is_there(claims: _Claims, paths: ClaimsPath | tuple[ClaimsPath, ...] | None) -> bool:
    alternatives = paths if isinstance(paths, tuple) else (paths,)
    return any(path is not None and path.find(claims) for path in alternatives)


def _find(claims: _Claims, path: ClaimsPath | None) -> str | None:
    return None if path is None else find_text(claims, path)


def _make_user(claims: _Claims, mapping: ClaimsMapping, issuer_name: str) -> dict[str, object]:
    user_id = find_first_text(claims, mapping.user_id)
    if user_id is None:
        named = " or ".join(path.text for path in mapping.user_id)
        raise InvalidToken(Reason.MALFORMED, f"no claim {named!r} to say who the user is")
    user: dict[str, object] = {"id": user_id}
    name = _find(claims, mapping.user_name)
    if name is not None:
        user["name"] = name
    _add_domain(
        user, _find(claims, mapping.user_domain_id), _find(claims, mapping.user_domain_name)
    )
    groups = None if mapping.groups is None else mapping.groups.find(claims)
    if groups is not None and mapping.groups is not None:
        # As Keystone writes the groups of a federated user.
        user["OS-FEDERATION"] = {
            "groups": [{"id": one} for one in _read_ids(groups, mapping.groups)],
            "identity_provider": {"id": issuer_name},
            "protocol": {"id": "openid"},
        }
    return user


def _add_domain(owner: dict[str, object], domain_id: str | None, name: str | None) -> None:
    members = {"id": domain_id, "name": name}
    known = {member: value for member, value in members.items() if value is not None}
    if known:
        owner["domain"] = known


def _make_scope(claims: _Claims, mapping: ClaimsMapping) -> dict[str, object]:
    """Return the member for the scope, an empty dict where the token is unscoped."""
    scope: dict[str, object] = {}
    project_id = _find(claims, mapping.project_id)
    if project_id is not None:
        project = _named(project_id, _find(claims, mapping.project_name))
        _add_domain(
            project,
            _find(claims, mapping.project_domain_id),
            _find(claims, mapping.project_domain_name),
        )
        scope["project"] = project
    domain_id = _find(claims, mapping.domain_id)
    if domain_id is not None:
        scope["domain"] = _named(domain_id, _find(claims, mapping.domain_name))
    system = None if mapping.system_scope is None else mapping.system_scope.find(claims)
    if system is True or system == "all":
        scope["system"] = {"all": True}
    elif system is not None and system is not False:
        raise InvalidToken(Reason.MALFORMED, "the claim of the system scope is not 'all'")
    if len(scope) > 1 and mapping.takes_first_scope:
        first = next(name for name in ("system", "project", "domain") if name in scope)
        return {first: scope[first]}
    if len(scope) > 1:
        raise InvalidToken(Reason.MALFORMED, f"more than one scope: {' and '.join(scope)}")
    return scope


def _named(identifier: str, name: str | None) -> dict[str, object]:
    return {"id": identifier} if name is None else {"id": identifier, "name": name}


def _make_roles(claims: _Claims, mapping: ClaimsMapping) -> list[dict[str, object]]:
    ids = _read_role_ids(claims, mapping.role_references)
    roles: dict[str, dict[str, object]] = {}
    for path in mapping.roles:
        value = path.find(claims)
        if value is None:
            continue
        if mapping.role_separator is not None and type(value) is str:
            value = list(filter(None, map(str.strip, value.split(mapping.role_separator))))
        for name, role_id in _read_named(value, path):
            role_id = role_id or ids.get(name)
            role: dict[str, object] = {"name": name}
            roles.setdefault(name, role if role_id is None else {"id": role_id, **role})
    return list(roles.values())


def _read_role_ids(claims: _Claims, path: ClaimsPath | None) -> dict[str, str]:
    """Return the ids of role names; of a name that several roles have, none."""
    references = None if path is None else path.find(claims)
    if references is None or path is None:
        return {}
    ids: dict[str, set[str]] = {}
    for reference in _list_of(references, path):
        if type(reference) is not dict:
            raise InvalidToken(Reason.MALFORMED, f"claim {path.text!r} holds more than objects")
        role_id = find_text(reference, _ID)
        name = find_text(reference, _NAME)
        if role_id is None:
            raise InvalidToken(Reason.MALFORMED, f"claim {path.text!r}: a role without an id")
        if name is not None:
            ids.setdefault(name, set()).add(role_id)
    return {name: found.pop() for name, found in ids.items() if len(found) == 1}


def _read_named(value: object, path: ClaimsPath) -> list[tuple[str, str | None]]:
    """Read names, or objects with a name and perhaps an id.

    Objects are `{"name": ..., "id": ...}` as in the Identity API, or `{"value": ...}` as SCIM
    has them (RFC 9068 §2.2.3.1, RFC 7643 §4.1.2). A string alone is one name, whatever is in it.
    """
    named: list[tuple[str, str | None]] = []
    for one in _list_of(value, path):
        if type(one) is dict:
            name = find_text(one, _NAME) or find_text(one, _SCIM_VALUE)
            if name is None:
                raise InvalidToken(Reason.MALFORMED, f"claim {path.text!r}: one without a name")
            named.append((name, find_text(one, _ID)))
        else:
            named.append((parse_text(one, path), None))
    return named


def _read_ids(value: object, path: ClaimsPath) -> list[str]:
    """Read ids, or objects with an `id` or, as in SCIM, a `value`."""
    ids = []
    for one in _list_of(value, path):
        found = (
            find_text(one, _ID) or find_text(one, _SCIM_VALUE)
            if type(one) is dict
            else parse_text(one, path)
        )
        if found is None:
            raise InvalidToken(Reason.MALFORMED, f"claim {path.text!r}: one without an id")
        ids.append(found)
    return ids


def _list_of(value: object, path: ClaimsPath) -> list[object]:
    if type(value) is list:
        return value
    if type(value) is str or type(value) is dict:
        return [value]
    raise InvalidToken(Reason.MALFORMED, f"claim {path.text!r} is no array")
