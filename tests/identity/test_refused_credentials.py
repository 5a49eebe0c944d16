"""What the start refuses of our credentials, Keystone refuses as well, and the other way round."""

from __future__ import annotations

from typing import Any

import pytest
from keystoneauth1 import exceptions, loading, session

from authmw.config.credentials import verify_credentials
from authmw.errors import ConfigurationError
from tests.support.identity_types import project_scope
from tests.support.keystone import Keystone

pytestmark = pytest.mark.slow


@pytest.fixture
def login(keystone: Keystone) -> dict[str, str]:
    """Return options of a user that has a role on a project of the domain `default`."""
    api = keystone.fernet.api
    user, project = api.create_user(), api.create_project()
    api.grant(user, api.find_role("member"), project_scope(project))
    credential = api.create_application_credential(user, project)
    return {
        "auth_url": keystone.fernet.url,
        "username": user.name,
        "user_id": user.id,
        "password": user.password,
        "project_name": project.name,
        "project_id": project.id,
        "application_credential_id": credential.id,
        "application_credential_secret": credential.secret,
    }


USER = {"username": "", "password": "", "user_domain_id": "default"}
CREDENTIAL = {"application_credential_id": "", "application_credential_secret": ""}

# Plugin and options; those that are empty are filled in from the login.
REFUSED: dict[str, tuple[str, dict[str, str]]] = {
    "no domain of the user": (
        "password",
        {"username": "", "password": "", "project_id": ""},
    ),
    "no domain of the project": ("password", {**USER, "project_name": ""}),
    "no password": ("v3password", {"user_id": "", "project_id": ""}),
    "two scopes": ("password", {**USER, "project_id": "", "system_scope": "all"}),
    "a scope beside a credential": ("v3applicationcredential", {**CREDENTIAL, "project_id": ""}),
    "version 2.0": ("password", {**USER, "auth_url": "URL/v2.0", "project_id": ""}),
    "past the version": (
        "v3password",
        {**USER, "auth_url": "URL/v3/auth/tokens", "project_id": ""},
    ),
}
ACCEPTED: dict[str, tuple[str, dict[str, str]]] = {
    "domains": ("password", {**USER, "project_name": "", "project_domain_id": "default"}),
    "names of domains": (
        "v3password",
        {
            "username": "",
            "password": "",
            "user_domain_name": "Default",
            "project_name": "",
            "project_domain_name": "Default",
        },
    ),
    "default domain": (
        "password",
        {"username": "", "password": "", "project_name": "", "default_domain_id": "default"},
    ),
    "ids": ("password", {"user_id": "", "password": "", "project_id": ""}),
    "no scope": ("v3password", USER),
    "a credential": ("v3applicationcredential", CREDENTIAL),
}


def fill_in(options: dict[str, str], login: dict[str, str]) -> dict[str, Any]:
    filled = {name: value or login[name] for name, value in options.items()}
    url = filled.setdefault("auth_url", login["auth_url"])
    return {**filled, "auth_url": url.replace("URL", login["auth_url"])}


def log_in(auth_type: str, options: dict[str, Any]) -> str | None:
    plugin: Any = loading.get_plugin_loader(auth_type).load_from_options(**options)
    return session.Session(auth=plugin).get_token()


@pytest.mark.parametrize("what", REFUSED)
def test_what_the_start_refuses_keystone_refuses(what: str, login: dict[str, str]) -> None:
    auth_type, options = REFUSED[what]
    filled = fill_in(options, login)
    with pytest.raises(ConfigurationError):
        verify_credentials(auth_type, [auth_type], "keystone_authtoken", filled)
    # Without a password keystoneauth1 asks nobody.
    with pytest.raises((exceptions.ClientException, TypeError)):
        log_in(auth_type, filled)


@pytest.mark.parametrize("what", ACCEPTED)
def test_what_keystone_accepts_the_start_accepts(what: str, login: dict[str, str]) -> None:
    auth_type, options = ACCEPTED[what]
    filled = fill_in(options, login)
    verify_credentials(auth_type, [auth_type], "keystone_authtoken", filled)
    assert log_in(auth_type, filled)
