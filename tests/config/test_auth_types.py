"""Every `auth_type` that keystoneauth1 brings: it serves, or stops the start with the reason."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from webtest import TestApp

import authmw
from authmw import AuthMiddleware
from authmw.errors import ConfigurationError
from tests.support.misbehaving import MisbehavingIdentity, Stage, answer

SECRET = "s3cr3t-that-nobody-may-see"
TOKEN = "gAAAA-the-token-of-a-client"
USER = {"username": "nova", "user_domain_id": "default"}
PROJECT = {"project_name": "service", "project_domain_id": "default"}
OAUTH2 = {"oauth2_endpoint": "URL/v3/OS-OAUTH2/token", "oauth2_client_id": "nova"}
FEDERATION = {"identity_provider": "idp", "protocol": "openid", **PROJECT}
OIDC = {**FEDERATION, "client_id": "nova", "client_secret": SECRET} | {
    "access_token_endpoint": "URL/idp/token"
}

# Options beside `auth_url`; URL stands for the server's address.
SERVING: dict[str, dict[str, str]] = {
    "password": {**USER, **PROJECT, "password": SECRET},
    "v3password": {**USER, **PROJECT, "password": SECRET},
    "token": {**PROJECT, "token": SECRET},
    "v3token": {**PROJECT, "token": SECRET},
    "v3totp": {**USER, **PROJECT, "passcode": "123456"},
    "v3applicationcredential": {
        "application_credential_id": "abc",
        "application_credential_secret": SECRET,
    },
    "v3multifactor": {
        **USER,
        **PROJECT,
        "auth_methods": "v3password, v3totp",
        "password": SECRET,
        "passcode": "123456",
    },
    "v3oauth1": {
        "consumer_key": "a",
        "consumer_secret": SECRET,
        "access_key": "b",
        "access_secret": SECRET,
    },
    "v3oauth2clientcredential": {**OAUTH2, "oauth2_client_secret": SECRET},
    "v3oauth2mtlsclientcredential": OAUTH2,
    "v3oidcaccesstoken": {**FEDERATION, "access_token": SECRET},
    "v3oidcauthcode": {**OIDC, "code": SECRET},
    "v3oidcclientcredentials": OIDC,
    "v3oidcpassword": {**OIDC, "username": "nova", "password": SECRET},
    "v3tokenlessauth": {"project_id": "service"},
    "none": {"endpoint": "URL/v3"},
    "http_basic": {"endpoint": "URL/v3", "username": "nova", "password": SECRET},
    "admin_token": {"endpoint": "URL/v3", "token": SECRET},
}

# The options of plugins that can't serve, and what the start says.
REFUSED: dict[str, tuple[dict[str, str], str]] = {
    "v3oidcdeviceauthz": ({**OIDC, "device_authorization_endpoint": "URL/idp"}, "a person at"),
    "v3websso": (FEDERATION, "a person at"),
    "v3adfspassword": ({}, "install the libraries"),
    "v3samlpassword": ({}, "install the libraries"),
    "v3fedkerb": (FEDERATION, "install the libraries"),
    "v3kerberos": (PROJECT, "install the libraries"),
}

# Only a Keystone older than 13 (Queens, 2018) answers them.
VERSION_2 = {"v2password", "v2token"}


@pytest.fixture
def identity() -> Iterator[MisbehavingIdentity]:
    """An identity service that takes any credentials, and is their identity provider as well."""
    with MisbehavingIdentity().served() as running:
        everything = {"token": running.own_token(), "access_token": "x", "expires_in": 3600}
        running.behaviours = {
            # v3oauth2mtlsclientcredential has its own token validated for its catalog.
            Stage.VALIDATION: answer(200, {"token": running.own_token()}),
            Stage.OTHER: answer(200, everything, headers={"X-Subject-Token": "unscoped"}),
        }
        yield running


def service(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [b""]


def conf_of(auth_type: str, options: dict[str, str], url: str) -> dict[str, str]:
    filled = {name: value.replace("URL", url) for name, value in options.items()}
    fixed = "endpoint" in options
    return {
        "auth_type": auth_type,
        "revocation_poll_interval": "0",
        **({} if fixed else {"auth_url": f"{url}/v3"}),
        **filled,
    }


@pytest.mark.parametrize("auth_type", SERVING)
def test_auth_type_serves(auth_type: str, identity: MisbehavingIdentity) -> None:
    conf = conf_of(auth_type, SERVING[auth_type], identity.url)
    protected = AuthMiddleware(service, conf)
    client = TestApp(protected)
    for number in range(2):
        headers = {"X-Auth-Token": f"{TOKEN}-{number}"}
        assert client.get("/", headers=headers, status="*").status_int == 200
    protected.close()


@pytest.mark.parametrize("auth_type", REFUSED)
def test_auth_type_that_can_not_serve_stops_the_start(auth_type: str) -> None:
    options, says = REFUSED[auth_type]
    with pytest.raises(ConfigurationError, match=says) as caught:
        AuthMiddleware(service, conf_of(auth_type, options, "http://id.example"))
    assert (caught.value.option, caught.value.value) == ("auth_type", auth_type)


def test_every_installed_auth_type_is_tried() -> None:
    installed = {
        entry.name
        for entry in importlib.metadata.entry_points(group="keystoneauth1.plugin")
        if entry.module.startswith("keystoneauth1.")
    }
    assert installed == SERVING.keys() | REFUSED.keys() | VERSION_2


@pytest.mark.parametrize(
    ("auth_type", "without"),
    [
        ("none", "endpoint"),
        ("http_basic", "endpoint"),
        ("admin_token", "endpoint"),
        ("admin_token", "token"),
        ("token", "token"),
        ("v3token", "token"),
        ("v3totp", "passcode"),
        ("v3multifactor", "passcode"),
        ("v3multifactor", "auth_methods"),
    ],
)
def test_option_without_which_no_token_is_had_stops_the_start(auth_type: str, without: str) -> None:
    conf = conf_of(auth_type, SERVING[auth_type], "http://id.example")
    del conf[without]
    with pytest.raises(ConfigurationError) as caught:
        AuthMiddleware(service, conf)
    assert caught.value.option == without
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("methods", "option"),
    [
        ("v3password,v3totpp", "auth_methods"),
        (" , ", "auth_methods"),
        ("v3password,v3oidcpassword", "auth_type"),
    ],
)
def test_methods_that_can_not_be_combined_stop_every_start(methods: str, option: str) -> None:
    options = {**SERVING["v3multifactor"], **SERVING["v3oidcpassword"], "auth_methods": methods}
    for _ in range(2):
        with pytest.raises(ConfigurationError) as caught:
            AuthMiddleware(service, conf_of("v3multifactor", options, "http://id.example"))
        assert caught.value.option == option
        assert SECRET not in str(caught.value)


def test_methods_may_be_a_list(identity: MisbehavingIdentity) -> None:
    conf: dict[str, Any] = conf_of("v3multifactor", SERVING["v3multifactor"], identity.url)
    conf["auth_methods"] = ["v3password", "v3totp"]
    protected = AuthMiddleware(service, conf)
    response = TestApp(protected).get("/", headers={"X-Auth-Token": TOKEN}, status="*")
    protected.close()
    assert response.status_int == 200


def test_protect_answers_what_it_answers_to_any_wrong_configuration() -> None:
    options = {**SERVING["v3multifactor"], "auth_methods": "v3password,v3oidcpassword"}
    conf = conf_of("v3multifactor", options, "http://id.example")
    client = TestApp(authmw.protect(**conf)(service))
    for _ in range(3):
        assert client.get("/", headers={"X-Auth-Token": TOKEN}, status="*").status_int == 503


def test_option_that_has_the_plugin_ask_at_the_terminal_stops_the_start() -> None:
    options = {**SERVING["v3oidcpassword"], "idp_otp_key": "totp"}
    with pytest.raises(ConfigurationError, match="at the service's terminal"):
        AuthMiddleware(service, conf_of("v3oidcpassword", options, "http://id.example"))
