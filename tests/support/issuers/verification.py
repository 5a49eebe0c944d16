"""From a token of a real issuer to a token body, by the checks that a filter makes."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

from joserfc import jws
from joserfc.jwk import KeySet

from authmw.issuers.access_token import AccessToken, verify_access_token
from authmw.issuers.discovery import list_discovery_uris, parse_discovery
from authmw.issuers.record import Issuer
from tests.support.issuers.http_client import HttpClient


def find_keys(issuer: Issuer) -> KeySet:
    """Return an issuer's keys, where its discovery document says they are."""
    assert issuer.identifier is not None
    client = HttpClient()
    document = client.get(list_discovery_uris(issuer.identifier)[0]).json()
    jwks_uri = parse_discovery(document, issuer.identifier).jwks_uri
    assert jwks_uri is not None
    return KeySet.import_key_set(client.get(jwks_uri).json())


def verify_token(issuer: Issuer, token: str) -> AccessToken:
    """Verify the signature with the issuer's keys, then check the claims."""
    verified = jws.deserialize_compact(
        token, find_keys(issuer), algorithms=sorted(issuer.profile.algorithms)
    )
    header, claims = decode_token(token)
    assert json.loads(verified.payload) == claims
    return verify_access_token(
        issuer, typ=header.get("typ"), kid=header.get("kid"), claims=claims, now=time.time()
    )


def decode_token(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and claims of a JWT, unverified."""
    header, claims, _ = token.split(".")
    return _decode(header), _decode(claims)


def _decode(segment: str) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(segment + "=="))
    return decoded
