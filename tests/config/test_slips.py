"""Names in the files that are nearly those of ours: told at start, with the right one."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import pytest
from keystoneauth1 import loading
from oslo_config import cfg

from authmw.config.loading import load_settings, read_settings
from authmw.config.old_options import OLD_OPTIONS
from authmw.config.options import OPTIONS
from authmw.config.slips import find_nearest
from authmw.errors import ConfigurationError
from tests.config.test_auth_plugin import APPLICATION_CREDENTIAL, PASSWORD, section

SECRET = "s3cr3t-that-nobody-may-see"


def conf_of(tmp_path: Path, text: str) -> cfg.ConfigOpts:
    path = tmp_path / "service.conf"
    path.write_text(text)
    conf = cfg.ConfigOpts()
    conf([], project="service", default_config_files=[str(path)])
    return conf


def found_in(conf: cfg.ConfigOpts, **paste: object) -> list[str]:
    """Return what is told about a configuration."""
    return [str(one) for one in read_settings({"oslo_config_config": conf, **paste})[1]]


def found_with(tmp_path: Path, options: Mapping[str, str], more: str = "") -> list[str]:
    """Return what is told about a good section with these options beside it."""
    return found_in(
        conf_of(tmp_path, section("keystone_authtoken", {**PASSWORD, **options}) + more)
    )


def slip(name: str, near: str, where: str = "keystone_authtoken") -> str:
    return f"[{where}] {name} is not known to authmw, ignored: did you mean {near}?"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("delay_auth_decison", "delay_auth_decision"),
        ("memcache_security_stategy", "memcache_security_strategy"),
        ("Region_Name", "region_name"),
        ("www_authenticate_url", "www_authenticate_uri"),
        ("service_token_role_required", "service_token_roles_required"),
        ("include-service-catalog", "include_service_catalog"),
        # Of a family that nobody else has, if not nearly of the name.
        ("jws_key_directory", "jws_public_key_repository"),
        ("revocation_interval", "revocation_poll_interval"),
        # Of the auth plugin.
        ("user_domian_id", "user_domain_id"),
        ("passwd", "password"),
        # oslo.config does not read it so.
        ("user-domain-id", "user_domain_id"),
        # Of the common options of auth plugins.
        ("auth_sections", "auth_section"),
    ],
)
def test_option_misspelt_in_the_file_is_told_the_name_it_should_have(
    written: str, meant: str, tmp_path: Path
) -> None:
    assert found_with(tmp_path, {written: SECRET}) == [slip(written, meant)]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("user_domain", "user_domain_id or user_domain_name"),
        ("project_domain", "project_domain_id or project_domain_name"),
        ("project_domian", "project_domain_id or project_domain_name"),
        ("user_domain_nam", "user_domain_name"),
        ("user_domainid", "user_domain_id"),
    ],
)
def test_option_without_id_or_name_is_told_both(written: str, meant: str, tmp_path: Path) -> None:
    assert found_with(tmp_path, {written: "Default"}) == [slip(written, meant)]


def test_option_that_is_missing_is_told_what_stands_in_its_place(tmp_path: Path) -> None:
    text = "[keystone_authtoken]\nmemcache_secret_key_previous = x\nmemcache_secrets_key = y\n"
    with pytest.raises(ConfigurationError, match="memcache_secrets_key stands there"):
        found_in(conf_of(tmp_path, text))


def test_misspelt_option_is_found_in_whatever_case_its_section_is_written(tmp_path: Path) -> None:
    text = section("Keystone_Authtoken", {**PASSWORD, "delay_auth_decison": "true"})
    assert found_in(conf_of(tmp_path, text)) == [slip("delay_auth_decison", "delay_auth_decision")]


def test_misspelt_option_of_the_plugin_is_found_in_its_own_section(tmp_path: Path) -> None:
    text = section(
        "keystone_authtoken", {"auth_section": "creds", "www_authenticate_uri": "http://i"}
    )
    text += section("creds", {**PASSWORD, "pasword": SECRET, "delay_auth_decison": "true"})
    del_uri = text.replace("www_authenticate_uri = http://public.example\n", "")
    # What the filter does not read there is not its own.
    assert found_in(conf_of(tmp_path, del_uri)) == [slip("pasword", "password", "creds")]


def test_every_misspelt_option_is_a_warning_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = {**PASSWORD, "delay_auth_decison": "true", "cafle": "x"}
    load_settings({"oslo_config_config": conf_of(tmp_path, section("keystone_authtoken", options))})
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", slip("cafle", "cafile")),
        ("WARNING", slip("delay_auth_decison", "delay_auth_decision")),
    ]


@pytest.mark.parametrize("name", sorted(OLD_OPTIONS))
@pytest.mark.parametrize("where", ["file", "paste"])
def test_option_of_old_releases_is_told_what_to_write(
    name: str, where: str, tmp_path: Path
) -> None:
    if where == "file":
        found = found_with(tmp_path, {name: SECRET})
    else:
        found = found_in(conf_of(tmp_path, section("keystone_authtoken", PASSWORD)), **{name: "x"})
    (line,) = found
    assert line == (
        f"[keystone_authtoken] {name} is an option of old releases, ignored: {OLD_OPTIONS[name]}"
    )


def test_no_option_of_old_releases_is_one_of_ours() -> None:
    assert OLD_OPTIONS.keys().isdisjoint(opt.dest for opt in OPTIONS)


@pytest.mark.parametrize("name", ["issuer", "audience", "jwks_uri"])
def test_option_of_issuers_in_our_section_is_told_where_to_write_it(
    name: str, tmp_path: Path
) -> None:
    (line,) = found_with(tmp_path, {name: "https://a.example"})
    assert line == (
        f"[keystone_authtoken] {name} is an option of issuers, ignored here: "
        "write it in a section [authmw_issuer:NAME]"
    )


def test_option_in_the_default_section_is_told_where_to_write_it(tmp_path: Path) -> None:
    more = "[DEFAULT]\ndelay_auth_decision = true\nmemcached_servers = a:1\n"
    conf = conf_of(tmp_path, section("keystone_authtoken", PASSWORD) + more)
    (line,) = found_in(conf)
    assert line == (
        "[DEFAULT] delay_auth_decision stands in [DEFAULT], where authmw does not read it: "
        "write it in [keystone_authtoken]"
    )
    conf.register_opt(cfg.BoolOpt("delay_auth_decision"))
    assert found_in(conf) == []


def test_option_that_stands_twice_with_different_values_is_told(tmp_path: Path) -> None:
    text = section("keystone_authtoken", PASSWORD) + "password = other\nusername = nova\n"
    (line,) = found_in(conf_of(tmp_path, text))
    assert line.startswith("[keystone_authtoken] password stands in one file twice")
    assert SECRET not in line


def test_option_in_two_files_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "b.conf").write_text("[keystone_authtoken]\npassword = other\n")
    (tmp_path / "a.conf").write_text(section("keystone_authtoken", PASSWORD))
    conf = cfg.ConfigOpts()
    files = [str(tmp_path / name) for name in ("a.conf", "b.conf")]
    conf([], project="service", default_config_files=files)
    assert found_in(conf) == []


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("keystone_auth_token", "keystone_authtoken"),
        ("keystone-authtoken", "keystone_authtoken"),
        ("keystone_authtokens", "keystone_authtoken"),
        ("keysone_authtoken", "keystone_authtoken"),
        ("authmw_issuers:acme", "authmw_issuer:acme"),
        ("autmw_issuer:acme", "authmw_issuer:acme"),
        ("authmw-issuer", "authmw_issuer:NAME"),
    ],
)
def test_misspelt_section_is_told_the_name_it_should_have(
    written: str, meant: str, tmp_path: Path
) -> None:
    assert found_with(tmp_path, {}, f"[{written}]\nx = {SECRET}\n") == [
        f"[{meant}] section [{written}] is not known to authmw, ignored: did you mean [{meant}]?"
    ]


def test_misspelt_section_of_credentials_is_told(tmp_path: Path) -> None:
    text = section("keystone_authtoken", {"auth_section": "credentails"})
    found = found_in(conf_of(tmp_path, text + section("credentials", PASSWORD)))
    assert found[-1].endswith("did you mean [credentails]?")


def test_section_that_is_missing_is_told(tmp_path: Path) -> None:
    for text, missing in (
        ("[DEFAULT]\n[nova]\n", "keystone_authtoken"),
        (section("keystone_authtoken", {"auth_section": "creds"}), "creds"),
    ):
        found = found_in(conf_of(tmp_path, text))
        assert f"[{missing}] no auth_type (the files have no section [{missing}])" in found[0]


# Sections that services have, and what they and other libraries write into ours.
_SECTIONS_OF_SERVICES = (
    *(
        "DEFAULT",
        "keystone",
        "keystone_auth",
        "keystone_client",
        "keystonemiddleware",
        "service_auth",
    ),
    *("service_user", "service_credentials", "audit_middleware_notifications", "authmw"),
    *("oslo_policy", "oslo_middleware", "oslo_limit", "cache", "healthcheck", "ext_oauth2_auth"),
    *("barbican_service_user", "trustee", "clients_keystone", "nova", "authentication"),
)


@pytest.mark.parametrize("name", _SECTIONS_OF_SERVICES)
def test_sections_of_others_are_not_taken_for_misspelt_ones(name: str, tmp_path: Path) -> None:
    assert found_with(tmp_path, {}, f"[{name}]\nauth_url = http://id.example\n") == []


def test_options_of_sessions_adapters_and_other_plugins_are_not_taken_for_misspelt_ones(
    tmp_path: Path,
) -> None:
    names = {
        opt.dest
        for opts in (loading.get_session_conf_options(), loading.get_adapter_conf_options())
        for opt in opts
    }
    for plugin in ("password", "v3oidcpassword", "v3applicationcredential", "token", "v3oauth1"):
        names |= {opt.dest for opt in loading.get_auth_plugin_conf_options(plugin)}
    ours = APPLICATION_CREDENTIAL.keys() | {opt.dest for opt in OPTIONS}
    others = dict.fromkeys(sorted(names - ours), "x")
    text = section(
        "keystone_authtoken",
        {**APPLICATION_CREDENTIAL, "www_authenticate_uri": "http://id.example"},
    )
    # Left to a service that reads them for a client of its own.
    for scope in ("project_name", "project_id", "system_scope", "domain_id", "domain_name"):
        others.pop(scope)
    written = "".join(f"{name} = {value}\n" for name, value in others.items())
    assert found_in(conf_of(tmp_path, text + written)) == []


def test_what_a_service_hands_over_of_its_own_is_not_taken_for_misspelt(tmp_path: Path) -> None:
    conf = conf_of(tmp_path, section("keystone_authtoken", PASSWORD))
    own = {"cert_file": "x", "key_file": "x", "ca_file": "x", "bind_host": "::", "workers": "4"}
    assert found_in(conf, **own, public_endpoint="https://us.example") == []


@pytest.mark.parametrize("where", ["file", "paste"])
def test_option_of_another_plugin_is_not_taken_for_ours(where: str, tmp_path: Path) -> None:
    options = {"auth_type": "none", "endpoint": "http://id.example"}
    options |= {"www_authenticate_uri": "http://id.example"}
    other = {"project_name": "service", "project_domain_name": "Default"}
    text = section("keystone_authtoken", options | (other if where == "file" else {}))
    assert found_in(conf_of(tmp_path, text), **(other if where == "paste" else {})) == []


def test_misspelt_option_is_found_in_a_section_with_capital_letters(tmp_path: Path) -> None:
    more = "[authmw_issuer:Acme]\nissuer = https://a.example\naudience = x\nprofil = entra\n"
    text = section("keystone_authtoken", PASSWORD)
    assert found_in(conf_of(tmp_path, text + more)) == [
        slip("profil", "profile", "authmw_issuer:Acme")
    ]


def test_option_that_a_service_registered_is_not_taken_for_a_misspelt_one(tmp_path: Path) -> None:
    text = section("keystone_authtoken", {**PASSWORD, "token_cache_times": "7"})
    text += "[keystone_authtokens]\nx = 1\n"
    conf = conf_of(tmp_path, text)
    conf.register_opt(cfg.IntOpt("token_cache_times"), group="keystone_authtoken")
    conf.register_opt(cfg.IntOpt("x"), group="keystone_authtokens")
    assert found_in(conf) == []


def test_name_like_none_of_ours_is_left_to_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # A service may register it later.
    caplog.set_level(logging.INFO)
    assert found_with(tmp_path, {"audit_map_file": "x"}) == []
    assert caplog.messages == [
        "Options not known to authmw, ignored: audit_map_file in [keystone_authtoken]"
    ]


def test_every_option_of_ours_in_the_file_is_known(tmp_path: Path) -> None:
    written = {opt.dest: str(opt.default) for opt in OPTIONS if isinstance(opt.default, int)}
    written |= {opt.dest: "" for opt in OPTIONS if opt.default in (None, [])}
    del written["accept_bearer"]
    assert found_with(tmp_path, {**written, "www_authenticate_uri": "http://id.example"}) == []


@pytest.mark.parametrize(
    ("name", "alike", "near"),
    [("abcdef", 0.8, "abcdeg"), ("fedcba", 0.8, None), ("x", 0.8, None), ("", 0.5, None)],
)
def test_nearest_name(name: str, alike: float, near: str | None) -> None:
    assert find_nearest(name, ["abcdeg", "zzz"], alike) == near
