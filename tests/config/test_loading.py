"""From paste and oslo.config to Settings: precedence, strictness, rules and warnings."""

from __future__ import annotations

import base64
import dataclasses
import inspect
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import get_type_hints

import keystonemiddleware.auth_token
import oslo_config.cfg
import pytest
from oslo_config import cfg

from authmw.config.issuer_settings import IssuerSettings
from authmw.config.loading import Settings, load_settings, read_settings
from authmw.config.options import GROUP, OPTIONS
from authmw.config.rules import verify_settings
from authmw.config.settings import Validation
from authmw.errors import ConfigurationError

CREDENTIALS = {
    "auth_type": "none",
    "endpoint": "http://127.0.0.1:5000",
    "www_authenticate_uri": "http://127.0.0.1:5000",
}
SECRET = "a-secret-of-no-less-than-32-characters"


def conf_of(tmp_path: Path, text: str = "") -> cfg.ConfigOpts:
    """Return a parsed oslo.config object; `text` goes under [keystone_authtoken]."""
    path = tmp_path / "service.conf"
    path.write_text(f"[keystone_authtoken]\n{text}\n")
    conf = cfg.ConfigOpts()
    conf([], project="service", default_config_files=[str(path)])
    return conf


def load(**paste: object) -> Settings:
    """Load with these paste overrides over an empty configuration."""
    return load_settings({"oslo_config_config": cfg.ConfigOpts(), **paste})


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        # Filters of other tests may still be at work in the background.
        if record.levelno == logging.WARNING and record.threadName == "MainThread"
    ]


# Completeness


def test_settings_have_one_field_for_each_option_and_three_that_follow() -> None:
    fields = {field.name for field in dataclasses.fields(Settings)}
    assert fields == {opt.dest for opt in OPTIONS} | {"auth", "user_agent", "issuers"}


def test_settings_are_frozen_and_hide_every_secret(tmp_path: Path) -> None:
    secrets = [opt.dest for opt in OPTIONS if opt.secret]
    settings = load(**dict.fromkeys(secrets, SECRET))
    assert [getattr(settings, name) for name in secrets] == [SECRET] * 4
    assert SECRET not in repr(settings)
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.insecure = True  # type: ignore[misc]


def test_every_field_has_the_type_it_promises() -> None:
    settings = load()
    named = {"IssuerSettings": IssuerSettings}
    for name, hint in get_type_hints(Settings, localns=named).items():
        value = getattr(settings, name)
        if hint in (bool, int, str):
            assert type(value) is hint, name
        if isinstance(value, list):
            pytest.fail(f"{name} is mutable")


def test_without_any_configuration_every_setting_is_its_default() -> None:
    settings = load()
    changed = {"interface", "token_validation", "memcache_security_strategy", "accept_bearer"}
    for opt in OPTIONS:
        if opt.dest not in changed:
            expected = tuple(opt.default or ()) if isinstance(opt, cfg.ListOpt) else opt.default
            assert getattr(settings, opt.dest) == expected, opt.dest
    assert settings.interface == "internal"
    assert settings.token_validation is Validation.AUTO
    assert settings.memcache_security_strategy is None
    assert settings.accept_bearer is False
    assert settings.auth is None
    assert settings.issuers == ()


@pytest.mark.parametrize(("written", "timeouts"), [(None, (5.0, 30.0)), ("7", (7.0, 7.0))])
def test_an_unset_time_out_is_5_seconds_to_connect_and_30_to_read(
    written: str | None, timeouts: tuple[float, float]
) -> None:
    settings = load(http_connect_timeout=written)
    assert (settings.connect_timeout, settings.read_timeout) == timeouts


# Precedence


def test_paste_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    conf = conf_of(tmp_path, "region_name = file\ncafile = file\ninterface = admin")
    settings = load_settings({"oslo_config_config": conf, "region_name": "paste"})
    assert (settings.region_name, settings.cafile, settings.interface) == (
        "paste",
        "file",
        "admin",
    )
    assert settings.certfile is None


@pytest.mark.parametrize("written", ["false", "False", "no", "0", "off"])
def test_insecure_written_as_false_in_paste_is_false(written: str) -> None:
    """CVE-2014-7144 and CVE-2015-1852: any text was taken for true."""
    assert load(insecure=written).insecure is False


def test_values_a_service_hands_over_may_be_typed() -> None:
    settings = load(
        insecure=True, token_cache_time=60, memcached_servers=["a:1", "b:2"], certfile=None
    )
    assert (settings.insecure, settings.token_cache_time) == (True, 60)
    assert settings.memcached_servers == ("a:1", "b:2")
    assert settings.certfile is None


def test_none_unsets_an_option_unless_it_has_a_default(tmp_path: Path) -> None:
    conf = conf_of(tmp_path, "region_name = file\ntoken_cache_time = 7")
    settings = load_settings(
        {"oslo_config_config": conf, "region_name": None, "token_cache_time": None}
    )
    assert (settings.region_name, settings.token_cache_time) == (None, 7)


def test_the_callers_mapping_is_not_changed(tmp_path: Path) -> None:
    conf: Mapping[str, object] = {"oslo_config_config": conf_of(tmp_path), "cafile": "x", "here": 1}
    before = dict(conf)
    load_settings(conf)
    assert conf == before


@pytest.mark.parametrize("where", ["paste", "file"])
def test_the_deprecated_name_memcache_servers_is_accepted(
    where: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if where == "paste":
        settings = load(memcache_servers="a:1, b:2")
        deprecated = "[keystone_authtoken] memcache_servers is deprecated: write memcached_servers"
        assert deprecated in warnings_of(caplog)
    else:
        conf = conf_of(tmp_path, "memcache_servers = a:1,b:2")
        settings = load_settings({"oslo_config_config": conf})
    assert settings.memcached_servers == ("a:1", "b:2")


def test_the_current_name_wins_over_the_deprecated_one() -> None:
    assert load(memcache_servers="old:1", memcached_servers="new:1").memcached_servers == ("new:1",)


def test_empty_texts_are_unset_and_empty_list_items_dropped() -> None:
    settings = load(cafile="", http_connect_timeout="", memcached_servers="a:1,,b:2,")
    assert (settings.cafile, settings.http_connect_timeout) == (None, None)
    assert settings.memcached_servers == ("a:1", "b:2")


@pytest.mark.parametrize("written", ["-1", "0"])
def test_a_token_cache_time_of_minus_one_or_zero_turns_the_cache_off(written: str) -> None:
    assert load(token_cache_time=written).token_cache_time == 0


@pytest.mark.parametrize(
    ("written", "interface"),
    [("public", "public"), ("adminURL", "admin"), ("Internal", "internal")],
)
def test_an_interface_may_have_its_old_name(written: str, interface: str) -> None:
    assert load(interface=written).interface == interface


@pytest.mark.parametrize(
    ("written", "strategy"), [("mac", "MAC"), ("Encrypt", "ENCRYPT"), ("none", None)]
)
def test_a_security_strategy_may_be_in_any_case(written: str, strategy: str | None) -> None:
    settings = load(memcache_security_strategy=written, memcache_secret_key=SECRET)
    assert settings.memcache_security_strategy == strategy


# Which oslo.config object


def test_cfg_conf_is_looked_up_when_the_filter_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oslo_config.cfg, "CONF", conf_of(tmp_path, "region_name = rebound"))
    assert load_settings({}).region_name == "rebound"


def test_options_are_registered_on_the_conf_for_services_that_read_them(tmp_path: Path) -> None:
    conf = conf_of(tmp_path, "auth_type = password\nauth_url = http://id\nusername = nova")
    load_settings({"oslo_config_config": conf})
    assert conf.keystone_authtoken.auth_url == "http://id"
    assert conf.keystone_authtoken.username == "nova"
    assert conf.keystone_authtoken.delay_auth_decision is False


def test_no_override_or_default_is_set_on_a_conf(tmp_path: Path) -> None:
    conf = conf_of(tmp_path, "region_name = file")
    load_settings({"oslo_config_config": conf, "region_name": "paste", "token_cache_time": "9"})
    assert conf.keystone_authtoken.region_name == "file"
    assert conf.keystone_authtoken.token_cache_time == 300


def test_a_conf_that_was_never_called_gives_defaults() -> None:
    assert load_settings({"oslo_config_config": cfg.ConfigOpts()}).token_cache_time == 300


def test_a_conf_with_the_peers_options_is_read_as_it_is(tmp_path: Path) -> None:
    conf = conf_of(tmp_path, "token_cache_time = 42")
    for group, options in keystonemiddleware.auth_token.list_opts():
        conf.register_opts(options, group=group)
    assert load_settings({"oslo_config_config": conf}).token_cache_time == 42


def test_an_option_the_service_registered_differently_is_read_as_it_is(tmp_path: Path) -> None:
    conf = conf_of(tmp_path)
    conf.register_opt(cfg.StrOpt("region_name", default="theirs", help="Theirs."), group=GROUP)
    conf.register_opt(cfg.IntOpt("revocation_poll_interval", default=33), group=GROUP)
    settings = load_settings({"oslo_config_config": conf})
    assert (settings.region_name, settings.revocation_poll_interval) == ("theirs", 33)


def test_the_peers_filter_and_ours_share_one_conf(tmp_path: Path) -> None:
    conf = conf_of(tmp_path, "region_name = shared")
    assert load_settings({"oslo_config_config": conf}).region_name == "shared"
    keystonemiddleware.auth_token.AuthProtocol(None, {"oslo_config_config": conf})
    assert load_settings({"oslo_config_config": conf}).region_name == "shared"


def test_a_project_with_a_file_has_a_conf_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "own.conf"
    path.write_text("[keystone_authtoken]\nregion_name = own\n")
    settings = load_settings({"oslo_config_project": "own", "oslo_config_file": str(path)})
    assert settings.region_name == "own"
    assert settings.user_agent.startswith("own/unknown authmw/")


def test_a_projects_files_are_found_where_oslo_config_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".own").mkdir()
    (tmp_path / ".own/own.conf").write_text("[keystone_authtoken]\nregion_name = home\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_settings({"oslo_config_project": "own"}).region_name == "home"


def test_a_conf_object_goes_before_a_project(tmp_path: Path) -> None:
    conf = conf_of(tmp_path, "region_name = object")
    settings = load_settings({"oslo_config_config": conf, "oslo_config_project": "no-such"})
    assert settings.region_name == "object"


def test_two_filters_with_different_confs_do_not_meet(tmp_path: Path) -> None:
    first = load_settings({"oslo_config_config": conf_of(tmp_path, "region_name = one")})
    second = load_settings({"oslo_config_config": conf_of(tmp_path, "region_name = two")})
    assert (first.region_name, second.region_name) == ("one", "two")


# User-Agent


def test_the_user_agent_names_the_service_and_its_version_before_ours(tmp_path: Path) -> None:
    assert load(project="keystoneauth1").user_agent.startswith("keystoneauth1/5.")
    conf = conf_of(tmp_path)
    agent = load_settings({"oslo_config_config": conf}).user_agent
    assert agent.startswith("service/unknown authmw/")


def test_without_a_project_the_user_agent_is_ours_alone() -> None:
    assert load().user_agent.startswith("authmw/")


def test_a_project_name_cannot_add_to_the_header() -> None:
    assert load(project="a b\r\nX: y").user_agent.startswith("a_b__X__y/unknown authmw/")


# Wrong values

WRONG_TYPE = [
    ("insecure", "flase", "= 'flase': write true or false"),
    ("delay_auth_decision", "2", "= '2': write true or false"),
    ("shadow_validation", "", "= '': write true or false"),
    ("http_connect_timeout", "0", "= '0': write a whole number of seconds, at least 1"),
    ("http_request_max_retries", "-1", "= '-1': write a whole number of retries, at least 0"),
    ("token_cache_time", "-2", "= '-2': write a whole number of seconds, at least -1"),
    ("token_cache_time", "5m", "= '5m': write a whole number of seconds, at least -1"),
    ("memcache_pool_maxsize", "0", "= '0': write a whole number of connections, at least 1"),
    ("negative_cache_time", "6", "= '6': write a whole number of seconds from 0 to 5"),
    ("clock_skew_tolerance", "301", "= '301': write a whole number of seconds from 0 to 300"),
    ("max_token_size", "8k", "= '8k': write a whole number of bytes, at least 256"),
    ("memcache_security_strategy", "HMAC", "= 'HMAC': write one of None, MAC, ENCRYPT"),
    ("token_validation", "local", "= 'local': write one of auto, offline, remote"),
    (
        "jws_accepted_algorithms",
        "HS256",
        (
            "= 'HS256': write a comma separated list out of ES256, ES384, ES512, EdDSA, Ed25519, "
            "RS256, RS384, RS512, PS256, PS384, PS512"
        ),
    ),
    (
        "jws_authority",
        "keystone",
        "= 'keystone': write a comma separated list out of claims, bundle, identity",
    ),
    ("jws_claim_names", "roles", "= 'roles': write comma separated name:text pairs"),
]


@pytest.mark.parametrize("source", ["paste", "file", "file with the peer's options"])
@pytest.mark.parametrize(("option", "value", "message"), WRONG_TYPE)
def test_a_value_of_a_wrong_type_stops_the_start(
    option: str, value: str, message: str, source: str, tmp_path: Path
) -> None:
    paste: dict[str, object] = {"oslo_config_config": conf_of(tmp_path)}
    if source == "paste":
        paste[option] = value
    else:
        conf = paste["oslo_config_config"] = conf_of(tmp_path, f"{option} = {value}")
        if "peer" in source:
            for group, options in keystonemiddleware.auth_token.list_opts():
                conf.register_opts(options, group=group)
    with pytest.raises(ConfigurationError) as caught:
        load_settings(paste)
    assert caught.value.option == option
    expected = f"[keystone_authtoken] {option} {message}"
    # The peer's number is one already when we see it.
    assert str(caught.value) in (expected, expected.replace(f"'{value}'", value, 1))


WRONG_TOGETHER: list[tuple[dict[str, object], str]] = [
    ({"interface": "intrenal"}, "interface = 'intrenal': write internal, public or admin"),
    ({"interface": ""}, "interface = '': remove the line, or write a text"),
    ({"token_cache_time": ""}, "token_cache_time = '': remove the line, or write a whole number"),
    ({"auth_version": "v2.0"}, "auth_version = 'v2.0': remove it, or write v3"),
    (
        {"www_authenticate_uri": 'http://id"\r\nX: y'},
        "www_authenticate_uri = 'http://id\"\\r\\nX: y': write the URL alone, without blanks",
    ),
    (
        {"www_authenticate_uri": 'http://id/"x'},
        "www_authenticate_uri = 'http://id/\"x': write a plain URI",
    ),
    ({"keyfile": "k.pem"}, "keyfile = 'k.pem': set certfile to the certificate of this key, too"),
    ({"public_paths": "health"}, "public_paths = 'health': path pattern 'health' does not start"),
    ({"public_paths": "/a,/**"}, "public_paths = '/**': "),
    (
        {"admin_project_name": "admin"},
        "admin_project_domain_name is not set: set admin_project_name and admin_project_domain",
    ),
    (
        {"admin_project_domain_name": "Default"},
        "admin_project_name is not set: set admin_project_name and admin_project_domain_name",
    ),
    (
        {"memcache_security_strategy": "MAC"},
        "memcache_secret_key is not set: memcache_security_strategy = MAC needs a secret",
    ),
    (
        {"memcache_secret_key_previous": SECRET},
        "memcache_secret_key is not set: memcache_secret_key_previous goes with the new secret",
    ),
    (
        {"memcache_sasl_enabled": "true", "memcache_username": "x"},
        "memcache_password is not set: memcache_sasl_enabled = true needs it",
    ),
    (
        {"memcache_sasl_enabled": "true", "memcache_password": SECRET},
        "memcache_username is not set: memcache_sasl_enabled = true needs it",
    ),
    (
        {"memcache_tls_keyfile": "k.pem"},
        "memcache_tls_keyfile = 'k.pem': set memcache_tls_certfile",
    ),
    ({"jws_accepted_algorithms": ""}, "jws_accepted_algorithms = '': name at least one"),
    ({"jws_authority": ""}, "jws_authority = '': name at least one"),
    (
        {"jws_authority": "claims,claims"},
        "jws_authority = 'claims,claims': name each only once",
    ),
    (
        {"jws_authority": "bundle"},
        "bundle_path is not set: jws_authority = bundle needs it",
    ),
    (
        {"jws_authority": "identity,bundle", "bundle_path": "/b"},
        "jws_authority = 'identity,bundle': put bundle before identity",
    ),
    (
        {"jws_authority": "bundle,claims", "bundle_path": "/b"},
        "jws_authority = 'bundle,claims': put claims first",
    ),
    (
        {"jws_authority": "bundle", "bundle_path": "/b", "bundle_warn_age": "600"},
        "bundle_warn_age = 600: write less than bundle_max_age, which is 600 seconds",
    ),
    (
        {"jws_authority": "bundle", "bundle_path": "/b", "bundle_service_max_age": "600"},
        "bundle_service_max_age = 600: write less than bundle_max_age, which is 600 seconds",
    ),
    (
        {"jws_claim_names": "rolls:groups"},
        "jws_claim_names = 'rolls:groups': before the colon write one of user_name, ",
    ),
    (
        {"jws_claim_names": "user_name:jti"},
        "jws_claim_names = 'user_name:jti': name another claim: jti differs between tokens",
    ),
    ({"jws_jwks_uri": "file:///keys"}, "jws_jwks_uri = 'file:///keys': begin it with https://"),
    ({"jws_jwks_uri": "https://[x"}, "jws_jwks_uri = 'https://[x': write a URL such"),
    (
        {"jws_jwks_uri": "https://id:5OOO/k"},
        "jws_jwks_uri = 'https://id:5OOO/k': write a URL such as",
    ),
    (
        {"jws_jwks_uri": "https://id:99999/"},
        "jws_jwks_uri = 'https://id:99999/': write a URL such as",
    ),
    (
        {"jws_jwks_uri": f"https://nova:{SECRET}@id:5OOO/k"},
        "jws_jwks_uri = '***': write a URL such as",
    ),
    (
        {"jws_jwks_uri": f"https://nova:{SECRET}@id/k"},
        "jws_jwks_uri = '***': write it without user and password, which are never sent",
    ),
    (
        {"token_validation": "offline"},
        "token_validation = 'offline': set jws_public_key_repository or jws_jwks_uri",
    ),
    (
        {"shadow_validation": "true"},
        "shadow_validation = 'true': set jws_public_key_repository or jws_jwks_uri",
    ),
    (
        {
            "shadow_validation": "true",
            "token_validation": "offline",
            "jws_public_key_repository": "/keys",
        },
        "shadow_validation = 'true': with it the identity service decides",
    ),
    (
        {"revocation_poll_interval": "0", "jws_public_key_repository": "/keys"},
        "revocation_poll_interval = 0: write a number of seconds, or token_validation = offline",
    ),
    (
        {"revocation_poll_interval": "700", "jws_public_key_repository": "/keys"},
        "revocation_max_staleness = 600: write more than revocation_poll_interval, which is 700",
    ),
    (
        {"revocation_poll_interval": "600", "jws_public_key_repository": "/keys"},
        "revocation_max_staleness = 600: write more than revocation_poll_interval, which is 600",
    ),
    ({"oslo_config_config": "nova"}, "oslo_config_config = 'nova': pass a ConfigOpts object"),
    ({"oslo_config_config": 3}, "oslo_config_config = 'int': pass a ConfigOpts object"),
    (
        {"oslo_config_config": None, "oslo_config_file": "/x"},
        "oslo_config_file = '/x': it is read for a project only: add oslo_config_project",
    ),
    (
        {
            "oslo_config_config": None,
            "oslo_config_project": "own",
            "oslo_config_file": "/no/such",
        },
        "oslo_config_file = '/no/such': name a configuration file that can be read (Failed",
    ),
]


@pytest.mark.parametrize(("paste", "message"), WRONG_TOGETHER)
def test_what_cannot_be_meant_stops_the_start(paste: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(**paste)
    assert str(caught.value).startswith(f"[keystone_authtoken] {message}")
    assert SECRET not in str(caught.value)


def test_a_reference_to_no_option_is_explained_without_its_text(tmp_path: Path) -> None:
    conf = conf_of(tmp_path, f"memcache_secret_key = {SECRET}$nowhere")
    with pytest.raises(ConfigurationError, match=r"write \$\$ for a dollar sign") as caught:
        load_settings({"oslo_config_config": conf})
    assert "memcache_secret_key = '***'" in str(caught.value)
    assert SECRET not in str(caught.value)


ALLOWED: list[dict[str, object]] = [
    {"certfile": "both.pem"},
    {"auth_version": "3"},
    {"auth_version": "v3.0"},
    {"memcache_security_strategy": "ENCRYPT", "memcache_secret_key": SECRET},
    {"token_validation": "offline", "jws_public_key_repository": "/keys", **CREDENTIALS},
    {"shadow_validation": "true", "token_validation": "remote", "jws_jwks_uri": "https://id/k"},
    {"revocation_poll_interval": "0"},
    {"revocation_poll_interval": "299", "token_validation": "remote"},
    {"revocation_poll_interval": "700", "token_cache_time": "0"},
    {"public_paths": "/healthcheck,POST /v1/hooks/*"},
    {"enforce_token_bind": "kerberos"},
    {"enforce_token_bind": "x5t#S256"},
    {"memcache_sasl_enabled": "true", "memcache_username": "x", "memcache_password": SECRET},
    {"jws_jwks_uri": "http://127.0.0.1:5000/keys", **CREDENTIALS},
    {"revocation_retention": "3600"},
    {"jws_authority": "claims,identity", "jws_claim_names": "roles:groups"},
    {"jws_authority": "bundle,identity", "bundle_path": "/b", "jws_jwks_uri": "https://id/k"},
    {
        "auth_type": "",
        "token_validation": "offline",
        "jws_authority": "claims,bundle",
        "bundle_path": "/b",
        "jws_jwks_uri": "https://id/k",
    },
]


@pytest.mark.parametrize("paste", ALLOWED)
def test_what_may_be_meant_is_accepted_without_a_word(paste: dict[str, object]) -> None:
    with_credentials = {**CREDENTIALS, **paste}
    _, findings = read_settings({"oslo_config_config": cfg.ConfigOpts(), **with_credentials})
    assert findings == []


DOUBTFUL: list[tuple[dict[str, object], str]] = [
    (
        {**CREDENTIALS, "revocation_poll_interval": "300"},
        "revocation_poll_interval = 300 is no less than token_cache_time = 300: a revoked",
    ),
    ({**CREDENTIALS, "www_authenticate_uri": ""}, "www_authenticate_uri is not set: a 401 sends"),
    ({"enforce_token_bind": "requierd"}, "did you mean required?"),
    ({"enforce_token_bind": "Strict"}, "did you mean strict?"),
    ({"enforce_token_bind": "x5t#s256"}, "did you mean x5t#S256?"),
    ({"memcache_username": "nova"}, "memcache_username has no effect without memcache_sasl_enabl"),
    ({"memcache_tls_cafile": "ca"}, "memcache_tls_cafile has no effect without memcache_tls_enab"),
    ({"memcache_tls_certfile": "c"}, "memcache_tls_certfile has no effect without memcache_tls_"),
    ({"oauth_resource": "https://us.example"}, "oauth_resource has no effect without an issuer"),
    ({"oauth_scopes": "read"}, "oauth_scopes has no effect without an issuer"),
    ({"dpop_nonce_secret": SECRET}, "dpop_nonce_secret has no effect without an issuer"),
    ({"enforce_token_bind": "retina"}, "can't be checked here: every token will be refused"),
    ({"insecure": "true"}, "insecure = true: the identity service's certificate is not verified"),
    ({"insecure": "true", "cafile": "ca"}, "cafile has no effect with insecure = true"),
    ({"service_token_roles_required": "false"}, "service_token_roles_required = false: any"),
    ({"service_token_roles": ""}, "service_token_roles is empty: no service token"),
    ({"memcache_secret_key": SECRET}, "memcache_secret_key has no effect without"),
    ({"memcached_servers": "a:1"}, "memcached entries are not protected"),
    ({"jws_jwks_uri": "http://id.example/keys"}, "jws_jwks_uri is not https"),
    ({"jws_claim_names": "roles:groups"}, "jws_claim_names has no effect without claims in"),
    (
        {"token_validation": "remote", "jws_public_key_repository": "/keys"},
        "public keys have no effect with token_validation = remote",
    ),
    (
        {"token_validation": "remote", "jws_audience": "x"},
        "jws_audience has no effect with token_validation = remote",
    ),
    ({"jws_issuer": "x"}, "jws_issuer has no effect without jws_public_key_repository"),
    (
        {
            "token_validation": "offline",
            "jws_public_key_repository": "/keys",
            "revocation_poll_interval": "0",
        },
        "revocation_poll_interval = 0: revoked tokens validated offline stay valid until",
    ),
    (
        {"jws_public_key_repository": "/keys", "jws_authority": "claims"},
        "without auth_type revocation events can't be read, and every signed token gets 503",
    ),
    ({"bundle_path": "/b"}, "bundle_path has no effect without bundle in jws_authority"),
    ({"bundle_path": "/b", "jws_authority": "bundle"}, "bundle_path has no effect without"),
    (
        {
            "bundle_path": "/b",
            "jws_authority": "bundle",
            "jws_public_key_repository": "/keys",
            "bundle_max_age": "601",
        },
        "revocation_max_staleness = 600 is less than bundle_max_age = 601: without auth_type",
    ),
    ({"revocation_retention": "3599"}, "revocation_retention is less than an hour: a signed"),
]


@pytest.mark.parametrize(("paste", "warning"), DOUBTFUL)
def test_what_is_hardly_meant_is_warned_about(
    paste: dict[str, object], warning: str, caplog: pytest.LogCaptureFixture
) -> None:
    load(**paste)
    assert any(warning in line for line in warnings_of(caplog))
    assert SECRET not in caplog.text


def test_what_to_write_against_unprotected_entries_is_said_at_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    load(memcached_servers="a:1")
    (line,) = [line for line in warnings_of(caplog) if "protected" in line]
    assert line.endswith(
        "set memcache_security_strategy = ENCRYPT, and memcache_secret_key to 32 or more random "
        "characters (openssl rand -base64 32)"
    )
    caplog.clear()
    load(
        memcached_servers="a:1",
        memcache_security_strategy="ENCRYPT",
        memcache_secret_key=base64.b64encode(bytes(32)).decode(),
    )
    assert warnings_of(caplog) == []


# Unknown names

SLIP = "[keystone_authtoken] {} is not known to authmw, ignored: did you mean {}?"
OTHERS = "Options not known to authmw, ignored: "


def told_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the lines for information."""
    return [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]


def test_an_unknown_name_is_logged_once_with_the_nearest_known_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    load(token_cache_tiem="5", colour="green")
    assert warnings_of(caplog) == [SLIP.format("token_cache_tiem", "token_cache_time")]
    assert told_of(caplog) == [OTHERS + "colour"]


def test_what_paste_and_services_always_add_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    load(
        here="/etc",
        __file__="/etc/p.ini",
        configkey="x",
        log_name="y",
        project="z",
        **{"paste.filter_factory": "authmw:filter_factory"},
    )
    assert warnings_of(caplog) == []


def test_a_whole_default_section_is_one_line_beside_the_slips_in_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    load(**{f"xyzzy_{number:03}": "1" for number in range(200)}, memcached_server="a:1")
    assert warnings_of(caplog) == [SLIP.format("memcached_server", "memcached_servers")]
    (line,) = told_of(caplog)
    assert line.startswith(OTHERS + "xyzzy_000, ")
    assert line.endswith("xyzzy_019, and 180 more")


def test_a_value_under_an_unknown_name_is_never_logged(caplog: pytest.LogCaptureFixture) -> None:
    load(memcache_secret_kye=SECRET)
    assert "memcache_secret_kye" in caplog.text
    assert SECRET not in caplog.text


def test_the_rules_read_settings_and_nothing_else() -> None:
    assert list(inspect.signature(verify_settings).parameters) == ["settings"]
