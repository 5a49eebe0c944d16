"""What a real Keystone says of our own credentials is in the log, and what to write instead."""

from __future__ import annotations

import logging
from functools import partial

import pytest
from keystoneauth1.loading import get_plugin_loader
from keystoneauth1.plugin import BaseAuthPlugin

from authmw.config.auth_plugin import load_auth_plugin
from authmw.config.loading import load_settings
from authmw.errors import InvalidToken, Outage
from authmw.identity.client import IdentityClient
from tests.support.identity_types import PasswordUser
from tests.support.keystone import Keystone, KeystoneProcess
from tests.support.keystone_site import ADMIN_PASSWORD

pytestmark = pytest.mark.slow

TOKEN = "gAAAAA-a-token-of-a-client"


def credentials_of(process: KeystoneProcess) -> dict[str, str]:
    return {
        "auth_type": "password",
        "auth_url": process.auth_url,
        "username": "admin",
        "password": ADMIN_PASSWORD,
        "project_name": "admin",
        "user_domain_id": "default",
        "project_domain_id": "default",
        "www_authenticate_uri": process.auth_url,
        "identity_deadline": "60",
    }


def fail(
    conf: dict[str, str], caplog: pytest.LogCaptureFixture, plugin: BaseAuthPlugin | None = None
) -> str:
    """Have a token validated, with a plugin or that of the options; returns the line logged."""
    caplog.set_level(logging.INFO, "authmw")
    settings = load_settings(conf)
    client = IdentityClient(settings, plugin or partial(load_auth_plugin, settings.auth))
    caplog.clear()
    with pytest.raises(Outage):
        client.fetch_token(TOKEN)
    (record,) = caplog.records
    line = record.getMessage()
    assert line.isprintable()
    assert conf["password"] not in line
    assert TOKEN not in line
    return line


def without(conf: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in conf.items() if name not in names}


@pytest.mark.parametrize(
    ("missing", "message", "option"),
    [
        ("user_domain_id", "Expecting to find domain in user.", "set user_domain_id"),
        ("project_domain_id", "Expecting to find domain in project.", "set project_domain_id"),
    ],
)
def test_a_domain_that_is_missing(
    keystone: Keystone,
    caplog: pytest.LogCaptureFixture,
    missing: str,
    message: str,
    option: str,
) -> None:
    conf = credentials_of(keystone.fernet)
    # The start refuses what Keystone would, so that the plugin is not loaded by us.
    options = without(conf, missing, "auth_type", "identity_deadline", "www_authenticate_uri")
    plugin: BaseAuthPlugin = get_plugin_loader("password").load_from_options(**options)
    line = fail(conf, caplog, plugin)
    assert "(request_invalid)" in line
    assert f'HTTP 400, "{message}' in line
    assert option in line


def test_a_project_that_is_missing(keystone: Keystone, caplog: pytest.LogCaptureFixture) -> None:
    conf = without(credentials_of(keystone.fernet), "project_name", "project_domain_id")
    line = fail(conf, caplog)
    assert "(no_scope)" in line
    assert "a token without scope has no catalog: set project_name" in line


def test_a_wrong_password(keystone: Keystone, caplog: pytest.LogCaptureFixture) -> None:
    line = fail({**credentials_of(keystone.fernet), "password": "not the right one"}, caplog)
    assert "the identity service refused our own credentials" in line
    assert 'HTTP 401, "The request you have made requires authentication."' in line


@pytest.mark.parametrize(
    ("option", "value", "shown"),
    [
        ("region_name", "RegionTow", "interface = internal, region_name = RegionTow; of the"),
        ("interface", "public", None),
    ],
)
def test_the_catalog_is_listed_where_nothing_fits(
    keystone: Keystone,
    caplog: pytest.LogCaptureFixture,
    option: str,
    value: str,
    shown: str | None,
) -> None:
    conf = {**credentials_of(keystone.fernet), option: value}
    if shown is None:  # bootstrap has made all three
        conf["region_name"] = "Elsewhere"
        shown = "interface = public, region_name = Elsewhere; of the"
    line = fail(conf, caplog)
    assert "(no_endpoint)" in line
    assert shown in line
    assert (
        "identity service the catalog has interface = admin, region_name = RegionOne; interface ="
        " internal, region_name = RegionOne; interface = public, region_name = RegionOne" in line
    )


def test_an_account_that_is_locked(keystone: Keystone, caplog: pytest.LogCaptureFixture) -> None:
    user = keystone.strict.api.create_user()
    conf = without(credentials_of(keystone.strict), "username", "user_domain_id", "project_name")
    conf = without({**conf, "user_id": user.id, "system_scope": "all"}, "project_domain_id")
    for _ in range(2):
        fail({**conf, "password": "a wrong one"}, caplog)
    line = fail({**conf, "password": user.password}, caplog)
    assert 'HTTP 401, "The request you have made requires authentication."' in line
    # Keystone 30 tells nobody but its own log (keystone.notifications).
    assert "a user that is locked or disabled gets the same answer" in line


def test_a_password_that_must_be_changed(
    keystone: Keystone, caplog: pytest.LogCaptureFixture
) -> None:
    user: PasswordUser = keystone.strict.api.create_user()
    conf = without(credentials_of(keystone.strict), "username", "user_domain_id", "project_name")
    conf = without({**conf, "user_id": user.id, "system_scope": "all"}, "project_domain_id")
    line = fail({**conf, "password": user.password}, caplog)
    assert 'HTTP 401, "The password is expired and needs to be changed for user' in line


def test_what_is_said_of_a_client_s_token(
    keystone: Keystone, caplog: pytest.LogCaptureFixture
) -> None:
    settings = load_settings(credentials_of(keystone.fernet))
    client = IdentityClient(settings, partial(load_auth_plugin, settings.auth))
    with pytest.raises(InvalidToken) as refused:
        client.fetch_token(TOKEN)
    assert 'does not know this token (HTTP 404, "' in str(refused.value)
    assert TOKEN not in str(refused.value)
    assert caplog.records == []
