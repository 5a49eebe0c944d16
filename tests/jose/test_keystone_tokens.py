"""Tokens that a real Keystone signs, verified with the key that it distributes."""

from __future__ import annotations

import time

import pytest

from authmw.errors import InvalidToken
from authmw.keys.directory import KeyDirectory
from authmw.keys.refreshed import RefreshedKeys
from tests.support.identity_types import SYSTEM_SCOPE, UNSCOPED, Scope, project_scope
from tests.support.keystone import Keystone
from tests.support.signing import sign, verifier


def test_token_of_every_scope_is_verified_with_keystones_own_key(keystone: Keystone) -> None:
    api = keystone.fernet.api
    project, user, reader = api.create_project(), api.create_user(), api.find_role("reader")
    source = RefreshedKeys(
        KeyDirectory(str(keystone.jws_public_key_repository)), max_age_seconds=86400
    )
    source.reload(time.time())
    by = verifier(source=source, accepted=frozenset({"ES256"}))
    scopes: dict[str | None, Scope] = {
        "openstack_project_id": project_scope(project),
        "openstack_system": SYSTEM_SCOPE,
        None: UNSCOPED,
    }
    for granted in (project_scope(project), SYSTEM_SCOPE):
        api.grant(user, reader, granted)
    for claim, scope in scopes.items():
        token = keystone.jws.api.issue(user, scope).id
        verified = by.verify(token, time.time())
        assert verified.claims["sub"] == user.id
        assert verified.expires_at - verified.issued_at == 3600
        of_scope = {"openstack_project_id", "openstack_domain_id", "openstack_system"}
        assert of_scope & verified.claims.keys() == ({claim} if claim else set())
        with pytest.raises(InvalidToken, match="expired"):
            by.verify(token, verified.expires_at)
        with pytest.raises(InvalidToken, match="bad_signature: no public key verifies"):
            by.verify(sign(verified.claims), time.time())
