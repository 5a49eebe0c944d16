"""Issues the two kinds of token that Keystone issues: opaque ones and signed ones (JWS).

Claims follow Keystone's own JWS tokens: whole-second times, at most one scope claim, no name
and no role. For `jws_authority = claims` the issuer can add names and roles as well.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from authmw.testing.directory import Directory
from authmw.testing.records import Grant, OnDomain, OnProject, OnSystem
from authmw.testing.token_bodies import bearer_of, roles_of

_COORDINATE_BYTES = 32


class Issuer:
    """Holds one ES256 private key and signs tokens with it.

    Args:
        private_key: a P-256 key; a fresh one is made if none is given.
    """

    def __init__(self, private_key: ec.EllipticCurvePrivateKey | None = None) -> None:
        self._private_key = private_key or ec.generate_private_key(ec.SECP256R1())

    def make_opaque(self) -> str:
        """Return a random token that looks like one of Keystone's Fernet tokens."""
        # Version 0x80 and a timestamp that fits make Keystone's begin with these letters.
        return "gAAAAAB" + secrets.token_urlsafe(132)

    def sign(self, claims: Mapping[str, object], header: Mapping[str, object] | None = None) -> str:
        """Return a compact JWS (RFC 7515 §7.1) over any claims, signed with ES256.

        Args:
            claims: signed unchanged, correct or not.
            header: the protected header; by default Keystone's `alg` and `typ`.
        """
        protected = {"alg": "ES256", "typ": "JWT"} if header is None else header
        signing_input = f"{_encode_json(protected)}.{_encode_json(claims)}"
        signature = self._private_key.sign(signing_input.encode("ascii"), ec.ECDSA(hashes.SHA256()))
        r, s = utils.decode_dss_signature(signature)
        raw = r.to_bytes(_COORDINATE_BYTES, "big") + s.to_bytes(_COORDINATE_BYTES, "big")
        return f"{signing_input}.{_base64url(raw)}"

    def public_pem(self) -> bytes:
        """Return the public key as Keystone's key repository holds it (PEM, PKIX)."""
        return self._private_key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def write_public_key(self, repository: Path, name: str = "public.pem") -> Path:
        """Put the public key into a `jws_public_key_repository`; it is made if missing.

        The file appears atomically: a reader never sees a part of it.
        """
        repository.mkdir(mode=0o755, parents=True, exist_ok=True)
        path = repository / name
        unfinished = repository / f".{name}.{secrets.token_hex(4)}"
        unfinished.write_bytes(self.public_pem())
        unfinished.chmod(0o644)
        os.replace(unfinished, path)
        return path

    def jwks(self, kid: str | None = None) -> dict[str, list[dict[str, str]]]:
        """Return the public key as a JWK Set (RFC 7517 §5)."""
        point = self._private_key.public_key().public_numbers()
        key = {
            "kty": "EC",
            "crv": "P-256",
            "x": _base64url(point.x.to_bytes(_COORDINATE_BYTES, "big")),
            "y": _base64url(point.y.to_bytes(_COORDINATE_BYTES, "big")),
            "use": "sig",
            "alg": "ES256",
        }
        if kid is not None:
            key["kid"] = kid
        return {"keys": [key]}


def make_claims(grant: Grant) -> dict[str, object]:
    """Return the claims Keystone puts into a JWS token for this grant."""
    claims: dict[str, object | None] = {
        "sub": grant.user_id,
        "iat": grant.issued_at,
        "exp": grant.expires_at,
        "openstack_methods": list(grant.methods),
        "openstack_audit_ids": list(grant.audit_ids),
        "openstack_trust_id": grant.trust_id,
        "openstack_access_token_id": grant.oauth1_access_id,
        "openstack_app_cred_id": grant.application_credential_id,
        "openstack_thumbprint": grant.certificate_thumbprint,
    }
    match grant.target:
        case OnSystem():
            claims["openstack_system"] = "all"
        case OnDomain(domain_id):
            claims["openstack_domain_id"] = domain_id
        case OnProject(project_id):
            claims["openstack_project_id"] = project_id
        case None:
            pass
    return {name: value for name, value in claims.items() if value is not None}


def make_authority_claims(grant: Grant, directory: Directory) -> dict[str, object]:
    """Return the claims that name the user, the scope and the roles (`jws_authority = claims`).

    Roles are a list of objects with `id` and `name`. A trust adds trustor, trustee and
    impersonation; an OAuth1 access token its consumer. The user's names are of the user the
    service shall see: in an impersonating trust, the trustor.
    """
    user = bearer_of(grant, directory)
    domain = directory.domains[user.domain_id]
    claims: dict[str, object] = {
        "openstack_user_name": user.name,
        "openstack_user_domain_id": domain.id,
        "openstack_user_domain_name": domain.name,
    }
    match grant.target:
        case OnProject(project_id):
            project = directory.projects[project_id]
            claims["openstack_project_name"] = project.name
            claims["openstack_project_domain_id"] = project.domain_id
            claims["openstack_project_domain_name"] = directory.domains[project.domain_id].name
        case OnDomain(domain_id):
            claims["openstack_domain_name"] = directory.domains[domain_id].name
        case _:
            pass
    if grant.target is not None:
        claims["openstack_roles"] = [
            {"id": role.id, "name": role.name} for role in roles_of(grant, directory)
        ]
    if grant.trust_id is not None:
        trust = directory.trusts[grant.trust_id]
        claims["openstack_trustor_id"] = trust.trustor_user_id
        claims["openstack_trustee_id"] = trust.trustee_user_id
        claims["openstack_trust_impersonation"] = trust.impersonation
    if grant.oauth1_access_id is not None:
        access = directory.oauth1_accesses[grant.oauth1_access_id]
        claims["openstack_consumer_id"] = access.consumer_id
    return claims


def _encode_json(value: Mapping[str, object]) -> str:
    return _base64url(json.dumps(value, separators=(",", ":")).encode("utf-8"))


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")
