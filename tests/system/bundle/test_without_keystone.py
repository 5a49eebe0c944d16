"""Keystone is gone for good, and a process that never knew it decides by a bundle as it did."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from authmw.token.headers import RESERVED_KEYS
from tests.support.bundles import normalize
from tests.support.clock import Clock
from tests.support.filters import Filter
from tests.support.identity_types import (
    UNSCOPED,
    IssuedToken,
    Json,
    PasswordUser,
    project_scope,
)
from tests.support.keystone import Keystone
from tests.support.wsgi_server import serve_paste_file
from tests.system.bundle.exports import export, name_of
from tests.system.keystone.bearers import BEARERS, SERVICE_TYPE, Bearers
from tests.system.servers.contract import expected_headers, sort_roles
from tests.system.servers.paste_files import write_paste_file
from tests.system.servers.servers import Server
from tests.system.servers.wire import Answer

pytestmark = pytest.mark.slow

AGE_SECONDS = 100_000


@dataclass
class Estate:
    """What was left when Keystone was stopped.

    Attributes:
        server: a process that has the bundle and the public keys, and no Keystone.
        revision: of the bundle.
        accepted: a token of each kind, with what Keystone said of it at last.
        refused: tokens that Keystone did not accept any more, by what had ended them.
    """

    server: Server
    revision: str = ""
    accepted: dict[str, IssuedToken] = field(default_factory=dict)
    refused: dict[str, IssuedToken] = field(default_factory=dict)

    def ask(self, name: str, token: IssuedToken) -> Answer:
        return self.server.ask(name, token, target="/v1/items")


def end_some(bearers: Bearers) -> dict[str, IssuedToken]:
    """Make tokens and end each in another way; returns those that Keystone refuses."""
    api, project = bearers.api, bearers.project

    def make() -> tuple[PasswordUser, IssuedToken]:
        user = bearers.make_member()
        return user, api.issue(user, project_scope(project))

    ended: dict[str, IssuedToken] = {}
    _, ended["revoked"] = make()
    user, ended["user disabled"] = make()
    api.update("user", user.id, enabled=False)
    user, ended["user deleted"] = make()
    api.delete("user", user.id)
    user, ended["role withdrawn"] = make()
    api.withdraw(user, api.find_role("member"), project_scope(project))
    other = api.create_project()
    ended["project disabled"] = api.issue(bearers.make_member(other), project_scope(other))
    api.update("project", other.id, enabled=False)
    domain = api.create_domain()
    user = api.create_user(domain_id=domain.id)
    ended["domain disabled"] = api.issue(user)
    api.update("domain", domain.id, enabled=False)
    user = bearers.make_member()
    credential = api.create_application_credential(user, project)
    ended["credential deleted"] = api.issue_from_application_credential(credential)
    api.delete_application_credential(user, credential)
    api.revoke(ended["revoked"])
    for what, token in ended.items():
        assert not api.is_valid(token), what
    return ended


@pytest.fixture(scope="module")
def estate(new_keystone_site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    directory = tmp_path_factory.mktemp("estate")
    keystone = Keystone(tmp_path_factory.mktemp("keystone-to-stop"), new_keystone_site)
    try:
        bearers = Bearers(keystone, keystone.jws.api)
        tokens = {kind: issue(bearers)() for kind, issue in BEARERS.items()}
        refused = end_some(bearers)
        api = bearers.api
        accepted = {kind: api.validate(IssuedToken(token, {})) for kind, token in tokens.items()}
        refused["expired"] = IssuedToken(sign_expired(bearers), {})
        refused["forged"] = IssuedToken(f"{tokens['project'][:-86]}{tokens['domain'][-86:]}", {})
        elsewhere = api.create_project().id
    finally:
        keystone.stop()
    bundle, part, newer = (directory / name for name in ("whole", "part", "newer"))
    header = export(keystone, bundle)
    export(keystone, part, only={"projects": [elsewhere]})
    export(keystone, newer, newer_by=3600)
    options = {
        "jws_public_key_repository": keystone.jws_public_key_repository,
        "token_validation": "offline",
        "jws_authority": "bundle",
        "bundle_max_age": AGE_SECONDS,
        "revocation_max_staleness": AGE_SECONDS,
        "www_authenticate_uri": "https://id.example",
        "service_type": SERVICE_TYPE,
    }
    filters = {path.name: {**options, "bundle_path": path} for path in (bundle, part, newer)}
    process = serve_paste_file(write_paste_file(directory / "cold.ini", filters), threads=4)
    process.start()
    yield Estate(Server(process), name_of(header), accepted, refused)
    process.stop()


def sign_expired(bearers: Bearers) -> str:
    now = int(time.time())
    return bearers.keystone_issuer().sign(
        {
            "sub": bearers.caller.id,
            "iat": now - 7200,
            "exp": now - 60,
            "openstack_methods": ["password"],
            "openstack_audit_ids": [uuid.uuid4().hex[:22]],
            "openstack_project_id": bearers.project.id,
        }
    )


@pytest.mark.parametrize("kind", BEARERS)
def test_without_keystone_a_new_process_decides_as_keystone_did(estate: Estate, kind: str) -> None:
    token = estate.accepted[kind]
    seen = estate.ask("whole", token).seen
    assert seen.revision == estate.revision
    assert seen.token_info is not None
    assert normalize(seen.token_info["token"]) == normalize(in_seconds(token.body))
    told = {name: value for name, value in seen.headers.items() if name in RESERVED_KEYS}
    told.pop("HTTP_X_SERVICE_CATALOG", None)
    expected = {"HTTP_X_IDENTITY_STATUS": "Confirmed", **expected_headers(token.body)}
    assert sort_roles(told) == sort_roles(expected)


def in_seconds(body: Json) -> Json:
    """Return a body whose times have no fractions, as in the claims."""
    times = {name: f"{body[name][:19]}.000000Z" for name in ("issued_at", "expires_at")}
    return {**body, **times}


ENDED = (
    "revoked",
    "user disabled",
    "user deleted",
    "role withdrawn",
    "project disabled",
    "domain disabled",
    "expired",
    "forged",
)


@pytest.mark.parametrize("what", ENDED)
def test_what_keystone_refused_at_last_is_refused(estate: Estate, what: str) -> None:
    name = "newer" if what == "user deleted" else "whole"
    assert estate.ask(name, estate.refused[what]).status == 401


def test_what_is_not_there_any_more_was_deleted_unless_the_facts_may_be_older(
    estate: Estate,
) -> None:
    token = estate.refused["credential deleted"]
    assert estate.ask("whole", token).status == 503
    assert estate.ask("newer", token).status == 401


def test_what_a_site_s_filter_leaves_out_is_unknown(estate: Estate) -> None:
    for kind in ("project", "group-role", "trust-plain", "credential"):
        assert estate.ask("part", estate.accepted[kind]).status == 503, kind
    assert estate.ask("part", estate.accepted["system"]).status == 200
    assert estate.ask("part", estate.refused["revoked"]).status == 503


def test_what_the_bundle_does_not_say_keystone_is_asked_about(
    keystone: Keystone, tmp_path: Path, clock: Clock
) -> None:
    bearers = Bearers(keystone, keystone.jws.api)
    known = [bearers.on_project()() for _ in range(2)]
    path = tmp_path / "bundle"
    header = export(keystone, path)
    time.sleep(1.1)
    newcomer = bearers.make_member()
    new = [bearers.api.issue(newcomer, project_scope(bearers.project)).id for _ in range(2)]
    stranger = bearers.api.issue(bearers.make_member(), UNSCOPED).id
    protected = Filter(
        {
            **bearers.service_options,
            "jws_public_key_repository": str(keystone.jws_public_key_repository),
            "jws_authority": "bundle,identity",
            "bundle_path": str(path),
            "identity_deadline": "5",
            "http_connect_timeout": "5",
            "http_request_max_retries": "0",
        },
        clock,
    )
    try:
        first, asked = protected.ask(known[0]), protected.ask(new[0])
        assert (first.status, asked.status) == (200, 200)
        assert first.token is not None
        assert asked.token is not None
        assert (first.token.revision, asked.token.revision) == (name_of(header), None)
        keystone.jws.suspend()
        clock.advance(61)
        assert protected.ask(known[1]).status == 200
        assert protected.ask(new[1]).status == 200  # for identity_outage_grace
        assert protected.ask(stranger).status == 503
    finally:
        keystone.jws.resume()
        protected.close()
