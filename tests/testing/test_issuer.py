"""Tokens of the embedded issuer, read by another implementation (joserfc)."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwk, jws, jwt

from authmw.testing import IdentityServer, Issuer


@pytest.fixture
def server() -> IdentityServer:
    """One that is never started: issuing needs no socket."""
    return IdentityServer(clock=lambda: 1_700_000_000.25)


def _claims(server: IdentityServer, token: str) -> dict[str, object]:
    key = jwk.ECKey.import_key(server.issuer.public_pem())
    decoded = jwt.decode(token, key, algorithms=["ES256"])
    assert decoded.header == {"alg": "ES256", "typ": "JWT"}
    return dict(decoded.claims)


@pytest.mark.parametrize(
    ("user", "scope", "claim"),
    [
        ("member", "project", ("openstack_project_id", "inventory")),
        ("admin", "domain", ("openstack_domain_id", "default")),
        ("admin", "system", ("openstack_system", "all")),
        ("member", "unscoped", None),
    ],
)
def test_a_jws_has_keystones_claims_and_at_most_one_scope(
    server: IdentityServer, user: str, scope: str, claim: tuple[str, str] | None
) -> None:
    directory = server.directory
    match scope:
        case "project":
            token = server.issue_jws(user, project="inventory")
        case "domain":
            token = server.issue_jws(user, domain="Default")
        case "system":
            token = server.issue_jws(user, system=True)
        case _:
            token = server.issue_jws(user)
    expected: dict[str, object] = {
        "sub": directory.user(user).id,
        "iat": 1_700_000_000,
        "exp": 1_700_003_600,
        "openstack_methods": ["password"],
        "openstack_audit_ids": list(server.grant_of(token).audit_ids),
    }
    if claim is not None:
        name, value = claim
        expected[name] = directory.project(value).id if scope == "project" else value
    assert _claims(server, token) == expected


def test_a_trust_an_application_credential_and_oauth1_have_their_claims(
    server: IdentityServer,
) -> None:
    directory = server.directory
    trust = directory.add_trust(
        trustor="member",
        trustee="reader",
        project="inventory",
        roles=["member"],
        impersonation=True,
    )
    credential = directory.add_application_credential(
        "backup", user="member", project="inventory", roles=["reader"]
    )
    access = directory.add_oauth1_access(
        consumer_id="c" * 32, user="member", project="inventory", roles=["reader"]
    )
    by_trust = _claims(server, server.issue_jws(trust=trust.id))
    by_credential = _claims(server, server.issue_jws(application_credential=credential.id))
    by_access = _claims(server, server.issue_jws(oauth1_access=access.id))
    assert (by_trust["openstack_trust_id"], by_trust["sub"]) == (
        trust.id,
        directory.user("reader").id,
    )
    assert by_credential["openstack_app_cred_id"] == credential.id
    assert by_access["openstack_access_token_id"] == access.id
    bound = _claims(server, server.issue_jws(certificate_thumbprint="t" * 43))
    assert bound["openstack_thumbprint"] == "t" * 43


def test_names_and_roles_can_be_in_the_token_itself(server: IdentityServer) -> None:
    claims = _claims(server, server.issue_jws(project="inventory", names_and_roles=True))
    roles = [server.directory.role(name) for name in ("member", "reader")]
    assert claims["openstack_roles"] == [{"id": role.id, "name": role.name} for role in roles]
    assert (claims["openstack_user_name"], claims["openstack_user_domain_id"]) == (
        "member",
        "default",
    )
    assert (claims["openstack_project_name"], claims["openstack_project_domain_name"]) == (
        "inventory",
        "Default",
    )


def test_extra_claims_add_replace_and_take_away(server: IdentityServer) -> None:
    token = server.issue_jws(extra_claims={"aud": "elsewhere", "iat": "soon", "exp": None})
    claims = _claims_unchecked(server, token)
    assert (claims["aud"], claims["iat"], "exp" in claims) == ("elsewhere", "soon", False)


def _claims_unchecked(server: IdentityServer, token: str) -> dict[str, object]:
    key = jwk.ECKey.import_key(server.issuer.public_pem())
    payload = jws.deserialize_compact(token, key, algorithms=["ES256"]).payload
    decoded = json.loads(payload)
    assert isinstance(decoded, dict)
    return decoded


def test_a_server_with_the_jws_provider_issues_signed_tokens() -> None:
    server = IdentityServer(provider="jws")
    assert server.issue().count(".") == 2
    assert server.validate(server.issue(project="inventory"))["methods"] == ["password"]


def test_an_opaque_token_says_nothing_and_never_repeats(server: IdentityServer) -> None:
    tokens = {server.issue() for _ in range(100)}
    assert len(tokens) == 100
    assert {token[:7] for token in tokens} == {"gAAAAAB"}
    assert not any("." in token for token in tokens)


def test_the_public_key_is_written_whole_and_readable(tmp_path: Path) -> None:
    issuer = Issuer()
    path = issuer.write_public_key(tmp_path / "keys")
    assert [entry.name for entry in (tmp_path / "keys").iterdir()] == ["public.pem"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    key = serialization.load_pem_public_key(path.read_bytes())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert b"PRIVATE" not in path.read_bytes()


def test_the_jwk_set_is_the_same_key_and_no_private_part() -> None:
    issuer = Issuer()
    (exported,) = issuer.jwks(kid="2026-01")["keys"]
    assert "d" not in exported
    assert exported["kid"] == "2026-01"
    token = issuer.sign({"sub": "someone"})
    key = jwk.ECKey.import_key(dict(exported))
    assert jwt.decode(token, key, algorithms=["ES256"]).claims == {"sub": "someone"}
