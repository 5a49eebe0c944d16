"""The auth plugin: any type, from paste and file, complete or refused."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from keystoneauth1 import loading
from keystoneauth1.identity import BaseIdentityPlugin, generic, v3
from oslo_config import cfg

from authmw.config.auth_plugin import load_auth_plugin
from authmw.config.loading import load_settings
from authmw.errors import ConfigurationError

SECRET = "s3cr3t-that-nobody-may-see"
PASSWORD = {
    "auth_type": "password",
    "auth_url": "http://id.example",
    "www_authenticate_uri": "http://public.example",
    "username": "nova",
    "password": SECRET,
    "user_domain_id": "default",
    "project_name": "service",
    "project_domain_id": "default",
}
APPLICATION_CREDENTIAL = {
    "auth_type": "v3applicationcredential",
    "auth_url": "http://other.example",
    "application_credential_id": "abc",
    "application_credential_secret": SECRET,
}


def conf_of(tmp_path: Path, text: str) -> cfg.ConfigOpts:
    path = tmp_path / "service.conf"
    path.write_text(text)
    conf = cfg.ConfigOpts()
    conf([], project="service", default_config_files=[str(path)])
    return conf


def section(name: str, options: dict[str, str]) -> str:
    return f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in options.items())


def messages(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        # Filters of other tests may still be at work in the background.
        if record.levelno == level and record.threadName == "MainThread"
    ]


def test_a_plugin_is_made_from_the_file(tmp_path: Path) -> None:
    conf = conf_of(tmp_path, section("keystone_authtoken", PASSWORD))
    settings = load_settings({"oslo_config_config": conf})
    plugin = load_auth_plugin(settings.auth)
    assert isinstance(plugin, generic.Password)
    assert (plugin.auth_url, plugin._username) == ("http://id.example", "nova")


def test_a_plugin_is_made_from_paste_alone_and_no_name_is_unknown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings = load_settings({"oslo_config_config": cfg.ConfigOpts(), **PASSWORD})
    plugin = load_auth_plugin(settings.auth)
    assert isinstance(plugin, generic.Password)
    assert plugin.auth_url == "http://id.example"
    assert messages(caplog, logging.WARNING) == []


def test_a_slip_in_a_plugin_option_is_told_the_name_it_should_have(
    caplog: pytest.LogCaptureFixture,
) -> None:
    load_settings({"oslo_config_config": cfg.ConfigOpts(), **PASSWORD, "auth_ulr": "x"})
    assert messages(caplog, logging.WARNING) == [
        "[keystone_authtoken] auth_ulr is not known to authmw, ignored: did you mean auth_url?"
    ]


def test_paste_wins_over_the_file_option_by_option(tmp_path: Path) -> None:
    conf = conf_of(tmp_path, section("keystone_authtoken", PASSWORD))
    settings = load_settings({"oslo_config_config": conf, "username": "glance"})
    plugin = load_auth_plugin(settings.auth)
    assert isinstance(plugin, generic.Password)
    assert (plugin._username, plugin.auth_url) == ("glance", "http://id.example")


@pytest.mark.parametrize("source", ["file", "paste"])
def test_the_plugins_options_may_be_in_a_section_of_their_own(source: str, tmp_path: Path) -> None:
    text = section("credentials", PASSWORD)
    paste: dict[str, object] = {}
    if source == "file":
        text += section("keystone_authtoken", {"auth_section": "credentials"})
    else:
        paste["auth_section"] = "credentials"
    conf = conf_of(tmp_path, text)
    settings = load_settings({"oslo_config_config": conf, **paste})
    assert settings.auth is not None
    assert settings.auth.section == "credentials"
    assert isinstance(load_auth_plugin(settings.auth), generic.Password)
    assert conf.credentials.username == "nova"


def test_deprecated_names_are_accepted_in_paste_and_file(tmp_path: Path) -> None:
    old = dict(PASSWORD)
    old["auth_plugin"] = old.pop("auth_type")
    old["user-name"] = old.pop("username")
    settings = load_settings({"oslo_config_config": cfg.ConfigOpts(), **old})
    in_paste = load_auth_plugin(settings.auth)
    conf = conf_of(tmp_path, section("keystone_authtoken", old))
    in_file = load_auth_plugin(load_settings({"oslo_config_config": conf}).auth)
    assert isinstance(in_paste, generic.Password)
    assert isinstance(in_file, generic.Password)
    assert in_paste._username == in_file._username == "nova"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_filters_with_different_plugins_share_one_conf(
    order: tuple[int, int], tmp_path: Path
) -> None:
    conf = conf_of(tmp_path, "")
    wanted: list[tuple[dict[str, str], type[BaseIdentityPlugin]]] = [
        (PASSWORD, generic.Password),
        (APPLICATION_CREDENTIAL, v3.ApplicationCredential),
    ]
    for paste, kind in (wanted[index] for index in order):
        settings = load_settings({"oslo_config_config": conf, **paste})
        plugin = load_auth_plugin(settings.auth)
        assert isinstance(plugin, kind)
        assert plugin.auth_url == paste["auth_url"]


def test_a_service_may_load_the_same_plugin_from_the_conf_itself(tmp_path: Path) -> None:
    conf = conf_of(tmp_path, section("keystone_authtoken", PASSWORD))
    load_settings({"oslo_config_config": conf})
    loading.register_auth_conf_options(conf, "keystone_authtoken")
    theirs = loading.load_auth_from_conf_options(conf, "keystone_authtoken")
    assert isinstance(theirs, generic.Password)
    load_settings({"oslo_config_config": conf})


@pytest.mark.parametrize("source", ["paste", "file"])
def test_a_service_that_loads_the_plugin_itself_may_register_its_options_first(
    source: str, tmp_path: Path
) -> None:
    conf = conf_of(tmp_path, section("keystone_authtoken", PASSWORD if source == "file" else {}))
    conf.register_opts(loading.get_auth_plugin_conf_options("password"), "keystone_authtoken")
    paste = PASSWORD if source == "paste" else {}
    settings = load_settings({"oslo_config_config": conf, **paste})
    assert isinstance(load_auth_plugin(settings.auth), generic.Password)


@pytest.mark.parametrize("auth_section", [None, "credentials"])
def test_credentials_in_paste_alone_let_the_service_read_its_files_again(
    auth_section: str | None, tmp_path: Path
) -> None:
    # auth_url is a required option of the plugin, and no file says it.
    conf = conf_of(tmp_path, "")
    paste = PASSWORD | ({} if auth_section is None else {"auth_section": auth_section})
    load_settings({"oslo_config_config": conf, **paste})
    conf.mutate_config_files()
    assert conf.reload_config_files()
    # Whoever then loads the plugin from the files is told by the plugin what is missing.
    loading.register_auth_conf_options(conf, "keystone_authtoken")
    conf.register_opts(
        loading.get_auth_plugin_conf_options("password"), auth_section or "keystone_authtoken"
    )
    load_settings({"oslo_config_config": conf, **paste})


def test_a_plugin_can_be_made_again_and_is_another_object() -> None:
    settings = load_settings({"oslo_config_config": cfg.ConfigOpts(), **PASSWORD})
    assert load_auth_plugin(settings.auth) is not load_auth_plugin(settings.auth)


def test_an_unset_option_has_the_plugins_own_default() -> None:
    settings = load_settings(
        {"oslo_config_config": cfg.ConfigOpts(), "auth_type": "v3oidcpassword"}
    )
    assert settings.auth is not None
    assert settings.auth.values["scope"] == "openid profile"


def test_without_auth_type_the_start_goes_on_and_the_log_says_what_will_fail(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = section("keystone_authtoken", {"auth_section": "credentails"})
    settings = load_settings({"oslo_config_config": conf_of(tmp_path, text)})
    assert settings.auth is None
    assert load_auth_plugin(settings.auth) is None
    (line,) = messages(caplog, logging.ERROR)
    assert line.startswith("[credentails] no auth_type (the files have no section [crede")
    assert "gets 503" in line


def test_an_unknown_auth_type_is_refused_with_the_nearest_installed_ones() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings({"oslo_config_config": cfg.ConfigOpts(), "auth_type": "v3pasword"})
    message = str(caught.value)
    assert message.startswith("[keystone_authtoken] auth_type = 'v3pasword': write v3password or")


def test_an_auth_type_like_no_other_is_refused_with_all_installed_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"write one of .*password, .*v3totp"):
        load_settings({"oslo_config_config": cfg.ConfigOpts(), "auth_type": "zzzzzz"})


def test_a_plugin_that_breaks_while_it_is_loaded_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So does v3samlpassword where lxml is not installed.
    metadata = tmp_path / "broken_plugin-1.dist-info"
    metadata.mkdir()
    (metadata / "entry_points.txt").write_text(
        "[keystoneauth1.plugin]\nbroken = broken_plugin:Loader\n"
    )
    (tmp_path / "broken_plugin.py").write_text("None._Element")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigurationError) as caught:
        load_settings({"oslo_config_config": cfg.ConfigOpts(), "auth_type": "broken"})
    assert str(caught.value) == (
        "[keystone_authtoken] auth_type = 'broken': install the libraries this plugin needs, or "
        "choose another (AttributeError: 'NoneType' object has no attribute '_Element')"
    )


def test_options_a_plugin_needs_are_named(tmp_path: Path) -> None:
    missing = {"auth_type": "v3applicationcredential", "application_credential_id": "abc"}
    conf = conf_of(tmp_path, section("creds", missing))
    settings = load_settings({"oslo_config_config": conf, "auth_section": "creds"})
    with pytest.raises(ConfigurationError) as caught:
        load_auth_plugin(settings.auth)
    assert str(caught.value) == (
        "[keystone_authtoken] auth_url is not set: "
        "auth_type = v3applicationcredential needs auth_url and application_credential_secret in "
        "[creds]"
    )


def test_options_that_a_plugin_cannot_use_together_are_explained_without_secrets() -> None:
    paste = {
        "auth_type": "v3oidcclientcredentials",
        "auth_url": "http://id",
        "identity_provider": "idp",
        "protocol": "openid",
        "client_secret": SECRET,
    }
    settings = load_settings({"oslo_config_config": cfg.ConfigOpts(), **paste})
    with pytest.raises(
        ConfigurationError, match=r"correct its options in \[keystone_auth"
    ) as caught:
        load_auth_plugin(settings.auth)
    assert "endpoint" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_plugin_option_of_a_wrong_type_stops_the_start() -> None:
    paste = {"auth_type": "v3websso", "redirect_port": "high"}
    with pytest.raises(ConfigurationError, match="redirect_port = 'high': write a whole number"):
        load_settings({"oslo_config_config": cfg.ConfigOpts(), **paste})


def test_no_secret_is_in_what_settings_show() -> None:
    settings = load_settings({"oslo_config_config": cfg.ConfigOpts(), **PASSWORD})
    assert settings.auth is not None
    assert settings.auth.values["password"] == SECRET
    assert SECRET not in repr(settings) + repr(settings.auth)
