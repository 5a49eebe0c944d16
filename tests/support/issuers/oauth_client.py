"""An OAuth client that knows the URL of a service and its own credentials, and nothing else."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from webtest import TestApp

from tests.support.issuers.http_client import HttpClient


def find_token(app: TestApp, path: str, *, client_id: str, client_secret: str, scope: str) -> Any:
    """Get a token for what is at a path of a service, as RFC 9728 §5 says; return it.

    Args:
        app: the service, which is asked as if it were at its public URL.
        client_id, client_secret: what the authorization server knows the client by.
    """
    refused = app.get(path, status=401)
    challenges = refused.headers.getall("WWW-Authenticate")
    bearer = next(one for one in challenges if one.startswith("Bearer "))
    named = re.search('resource_metadata="([^"]+)"', bearer)
    assert named is not None, bearer
    metadata = app.get(urlsplit(named[1]).path, status=200).json
    # RFC 9728 §3.3: the resource is the one whose metadata was asked for.
    assert named[1] == metadata["resource"] + "/.well-known/oauth-protected-resource"
    (issuer,) = metadata["authorization_servers"]
    http = HttpClient()
    server = http.get(f"{issuer}/.well-known/openid-configuration").json()
    assert server["issuer"] == issuer  # RFC 8414 §3.3
    answer = http.post(
        server["token_endpoint"],
        {
            "grant_type": "client_credentials",
            "resource": metadata["resource"],
            "scope": scope,
            "client_id": client_id,
            "client_secret": client_secret,
        },
    )
    return answer.json()["access_token"]
