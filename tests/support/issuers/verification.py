"""From a token of a real issuer to its verified claims, as a filter verifies it."""

from __future__ import annotations

import time

from authmw.issuers.access_token import AccessToken
from authmw.issuers.discovery import list_discovery_uris, parse_discovery
from authmw.issuers.record import Issuer
from authmw.issuers.table import IssuerTable
from authmw.issuers.verifier import IssuerVerifier
from authmw.jose.jwk import parse_jwk_document
from authmw.jose.key_set import KeySet
from tests.support.issuers.http_client import HttpClient
from tests.support.signing import HeldKeys


def find_keys(issuer: Issuer) -> HeldKeys:
    """Return an issuer's keys, from where its discovery document says they are."""
    assert issuer.identifier is not None
    client = HttpClient()
    document = client.get(list_discovery_uris(issuer.identifier)[0]).json()
    jwks_uri = parse_discovery(document, issuer.identifier).jwks_uri
    assert jwks_uri is not None
    return HeldKeys(KeySet(parse_jwk_document(client.get(jwks_uri).body, jwks_uri).keys))


def verify_token(issuer: Issuer, token: str) -> AccessToken:
    """Verify a token's signature with its issuer's keys, then its claims."""
    verifier = IssuerVerifier(IssuerTable([issuer]), find_keys, max_keys=8, max_size=8000)
    return verifier.verify(token, time.time()).token
