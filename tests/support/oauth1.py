"""OAuth1 delegation through the real Keystone (Identity API v3, OS-OAUTH1)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from urllib.parse import parse_qs

import requests
from oauthlib import oauth1  # type: ignore[import-untyped]

from tests.support.identity_api import TIMEOUT_SECONDS, IdentityApi
from tests.support.identity_types import IssuedToken, Named, PasswordUser, project_scope

_PATH = "/OS-OAUTH1"


@dataclass(frozen=True, slots=True)
class Delegation:
    """A consumer that may act for a user on a project."""

    consumer_id: str
    client: oauth1.Client


def delegate(api: IdentityApi, user: PasswordUser, project: Named, role: Named) -> Delegation:
    """Make a consumer, and let it act with the user's role on the project.

    Keystone lets administrators alone authorize consumers, so for this moment the user is one.
    """
    made = api.call("POST", f"{_PATH}/consumers", body={"consumer": {}}).json()["consumer"]
    consumer = {"client_key": made["id"], "client_secret": made["secret"]}
    request_token = _send_signed(
        api,
        f"{_PATH}/request_token",
        oauth1.Client(**consumer, callback_uri="oob"),
        {"Requested-Project-Id": project.id},
    )
    admin = api.find_role("admin")
    api.grant(user, admin, project_scope(project))
    # A thread of Keystone may still know the user's roles of before; it asks anew each time.
    for _ in range(20):
        authorization = api.call(
            "PUT",
            f"{_PATH}/authorize/{request_token['oauth_token']}",
            body={"roles": [{"id": role.id}]},
            token=api.issue(user, project_scope(project)),
            expected=(200, 401, 403),
        )
        if authorization.status_code == 200:
            break
        time.sleep(0.2)
    api.withdraw(user, admin, project_scope(project))
    access_token = _send_signed(
        api,
        f"{_PATH}/access_token",
        oauth1.Client(
            **consumer,
            resource_owner_key=request_token["oauth_token"],
            resource_owner_secret=request_token["oauth_token_secret"],
            verifier=authorization.json()["token"]["oauth_verifier"],
        ),
        {},
    )
    client = oauth1.Client(
        **consumer,
        resource_owner_key=access_token["oauth_token"],
        resource_owner_secret=access_token["oauth_token_secret"],
    )
    return Delegation(made["id"], client)


def issue_from_delegation(api: IdentityApi, delegation: Delegation) -> IssuedToken:
    """Log in as the consumer."""
    url = f"{api.url}/auth/tokens"
    _, headers, _ = delegation.client.sign(url, http_method="POST")
    answer = requests.post(
        url,
        json={"auth": {"identity": {"methods": ["oauth1"], "oauth1": {}}}},
        headers=headers,
        timeout=TIMEOUT_SECONDS,
        proxies={"http": ""},
    )
    assert answer.status_code == 201, answer.text
    return IssuedToken(answer.headers["X-Subject-Token"], answer.json()["token"])


def _send_signed(
    api: IdentityApi, path: str, client: oauth1.Client, headers: dict[str, str]
) -> dict[str, str]:
    url = api.url + path
    _, signed, _ = client.sign(url, http_method="POST", headers=headers)
    answer = requests.post(url, headers=signed, timeout=TIMEOUT_SECONDS, proxies={"http": ""})
    assert answer.status_code == 201, answer.text
    return {name: values[0] for name, values in parse_qs(answer.text).items()}
