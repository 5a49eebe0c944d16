"""Our own credentials: with which options no login can succeed, and which may."""

from __future__ import annotations

from typing import Any

import pytest
from oslo_config import cfg

from authmw.config.auth_plugin import load_auth_plugin
from authmw.config.loading import load_settings, read_settings
from authmw.errors import ConfigurationError

SECRET = "s3cr3t-that-nobody-may-see"
URL = {"auth_url": "http://id.example", "www_authenticate_uri": "http://id.example"}
USER = {"username": "nova", "password": SECRET}
PROJECT = {"project_name": "service", "project_domain_id": "default"}
CREDENTIAL = {"application_credential_secret": SECRET}


def load(auth_type: str, options: dict[str, Any]) -> None:
    conf = {"auth_type": auth_type, **URL, **options}
    load_auth_plugin(load_settings({"oslo_config_config": cfg.ConfigOpts(), **conf}).auth)


@pytest.mark.parametrize("auth_type", ["password", "v3password"])
@pytest.mark.parametrize(
    ("options", "option", "fix"),
    [
        ({**PROJECT, "username": "nova", "user_domain_id": "d"}, "password", "needs password"),
        ({**PROJECT, **USER, "password": "", "user_domain_id": "d"}, "password", "needs password"),
        ({**PROJECT, "password": SECRET}, "username", "needs username or user_id"),
        ({**PROJECT, **USER}, "user_domain_id", "write user_domain_id (often default) or user_"),
        (
            {**USER, "user_domain_id": "d", "project_name": "service"},
            "project_domain_id",
            "write project_domain_id (often default) or project_domain_name",
        ),
        (
            {**USER, **PROJECT, "user_domain_id": "d", "system_scope": "all"},
            "project_name",
            "a token has one scope: write one of project_name, system_scope",
        ),
        ({**USER, "user_domain_id": "d", "system_scope": "true"}, "system_scope", "write all"),
        (
            {**USER, **PROJECT, "user_domain_id": "d", "auth_url": "http://id/v3/auth/tokens"},
            "auth_url",
            "write it without a version or up to it",
        ),
        (
            {**USER, **PROJECT, "user_domain_id": "d", "auth_url": "http://id/identity/v2.0"},
            "auth_url",
            "write it without a version or up to it",
        ),
        (
            {**USER, **PROJECT, "user_domain_id": "d", "auth_url": "http://id/v3/v3/"},
            "auth_url",
            "write it without a version or up to it",
        ),
    ],
)
def test_login_that_can_not_succeed_stops_the_start(
    auth_type: str, options: dict[str, Any], option: str, fix: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(auth_type, options)
    assert caught.value.option == option
    assert fix in caught.value.fix
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({**CREDENTIAL}, "application_credential_id"),
        ({**CREDENTIAL, "application_credential_name": "n"}, "application_credential_id"),
        (
            {**CREDENTIAL, "application_credential_name": "n", "username": "nova"},
            "user_domain_id",
        ),
        ({**CREDENTIAL, "application_credential_id": "i", **PROJECT}, "project_name"),
        ({**CREDENTIAL, "application_credential_id": "i", "system_scope": "all"}, "system_scope"),
    ],
)
def test_application_credential_that_can_not_log_in_stops_the_start(
    options: dict[str, Any], option: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load("v3applicationcredential", options)
    assert caught.value.option == option


@pytest.mark.parametrize(
    ("auth_type", "without", "options"),
    [
        ("v3multifactor", "password", {"auth_methods": "v3password,v3totp", "passcode": "1"}),
        ("http_basic", "password", {"endpoint": "http://id", "username": "nova"}),
        ("http_basic", "username", {"endpoint": "http://id", "password": SECRET}),
        ("v3totp", "username", {"passcode": "1"}),
        ("v3totp", "user_domain_id", {"passcode": "1", "username": "nova"}),
    ],
)
def test_other_plugins_need_their_options_as_well(
    auth_type: str, without: str, options: dict[str, Any]
) -> None:
    whole = {"user_id": "u", **options} if without == "password" else options
    with pytest.raises(ConfigurationError) as caught:
        load(auth_type, whole)
    assert caught.value.option == without


FEDERATION = {"identity_provider": "i", "protocol": "p", "client_id": "c", "client_secret": SECRET}
FEDERATION |= {"access_token_endpoint": "https://idp.example/token"}

GOOD: list[tuple[str, dict[str, Any]]] = [
    ("password", {**USER, **PROJECT, "user_domain_name": "Default"}),
    ("password", {**USER, "project_name": "service", "default_domain_id": "default"}),
    ("password", {**USER, "project_name": "service", "default_domain_name": "Default"}),
    ("password", {"user_id": "u", "password": SECRET, "project_id": "p"}),
    ("password", {**USER, "user_id": "u", "project_id": "p"}),
    ("password", {**USER, "user_domain_id": "d", "trust_id": "t"}),
    ("password", {**USER, "user_domain_id": "d", "system_scope": "all"}),
    ("password", {**USER, "user_domain_id": "d", "domain_name": "Default"}),
    # The user may have a default project.
    ("password", {**USER, "user_domain_id": "d"}),
    # The domain of a project is no scope.
    ("password", {**USER, "user_domain_id": "d", "project_domain_id": "d", "system_scope": "all"}),
    ("v3password", {"user_id": "u", "password": SECRET, **PROJECT, "project_id": "p"}),
    ("v3applicationcredential", {**CREDENTIAL, "application_credential_id": "i"}),
    ("v3password", {"user_id": "u", "password": SECRET, "auth_url": "http://id/v3/of/a/proxy/"}),
    (
        "v3applicationcredential",
        {**CREDENTIAL, "application_credential_id": "i", "project_domain_id": "d"},
    ),
    (
        "v3applicationcredential",
        {**CREDENTIAL, "application_credential_name": "n", "user_id": "u"},
    ),
    (
        "v3applicationcredential",
        {**CREDENTIAL, "application_credential_name": "n", "username": "u", "user_domain_id": "d"},
    ),
    # An identity provider's user is of no domain of Keystone's.
    ("v3oidcpassword", {**FEDERATION, **PROJECT, **USER}),
    ("v3oidcclientcredentials", {**FEDERATION, **PROJECT}),
    ("v3tokenlessauth", {**PROJECT, "domain_id": "d"}),
    ("http_basic", {**USER, "endpoint": "http://id.example"}),
    ("none", {"endpoint": "http://id.example"}),
]


@pytest.mark.parametrize(("auth_type", "options"), GOOD)
def test_login_that_may_succeed_is_not_refused(auth_type: str, options: dict[str, Any]) -> None:
    conf = {"auth_type": auth_type, **URL, **options}
    settings, findings = read_settings({"oslo_config_config": cfg.ConfigOpts(), **conf})
    assert load_auth_plugin(settings.auth) is not None
    if auth_type not in ("none", "http_basic"):
        assert findings == []


@pytest.mark.parametrize("auth_type", ["v2password", "v2token"])
def test_login_to_version_2_is_doubted(auth_type: str) -> None:
    conf = {"auth_type": auth_type, **URL, **USER, "token": SECRET}
    findings = read_settings({"oslo_config_config": cfg.ConfigOpts(), **conf})[1]
    assert f"write v3{auth_type[2:]}" in [finding.fix for finding in findings]
