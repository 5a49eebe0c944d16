"""What the log says of a filter when it is built."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from oslo_config import cfg

import authmw
from authmw.build import build_filter_parts
from authmw.build.findings import find_at_start
from authmw.middleware import AuthMiddleware, filter_factory
from authmw.testing import IdentityServer

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
ACME, US = "https://login.acme.example", "https://inventory.example"
LOGGER = "authmw.build.parts"
ISSUER = {"issuer.acme.issuer": ACME, "issuer.acme.audience": US}
SEALED = {
    "memcached_servers": "a:1,b:2",
    "memcache_security_strategy": "encrypt",
    "memcache_secret_key": SECRET * 2,
}


def build(**options: Any) -> None:
    build_filter_parts({"oslo_config_config": cfg.ConfigOpts(), **PASSWORD, **options}).close()


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == LOGGER]


def test_one_line_says_what_a_filter_will_do(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    build(project="inventory")
    assert [(record.levelname, record.name) for record in caplog.records] == [("INFO", LOGGER)]
    (line,) = lines(caplog)
    assert line == (
        f"inventory authmw/{authmw.__version__}: validates tokens remotely: asks the "
        "identity service found by http://id.example (internal), as nova (password), scope project "
        "service; remembers tokens for 300 s in memory (up to 10000); reads revocation events "
        "every 10 s; refuses requests without a valid token"
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"token_cache_time": "0"}, "; remembers no token; reads no revocation events; "),
        ({"revocation_poll_interval": "0"}, "; reads no revocation events; "),
        (
            {"memcached_servers": "a:1"},
            "in memory (up to 10000) and in memcached at a:1, not sealed; ",
        ),
        (SEALED, " and in memcached at a:1, b:2, sealed by ENCRYPT; "),
        (
            {**SEALED, "memcache_tls_enabled": "true", "cache": "swift.cache"},
            " in the service's cache swift.cache and in memcached at a:1, b:2, sealed by ENCRYPT",
        ),
        ({"delay_auth_decision": "true"}, "; leaves requests without a valid token to the service"),
        ({"public_paths": "/healthcheck"}, "without a valid token but to /healthcheck"),
        ({"region_name": "north", "interface": "public"}, " (public, region north), as "),
        ({"project_name": "", "system_scope": "all"}, "as nova (password), scope system all; "),
        ({"project_name": ""}, "as nova (password), scope the user's default project; "),
        ({"auth_url": f"http://u:{SECRET}@id.example/v3"}, "found by http://id.example/v3 ("),
        (
            {"jws_jwks_uri": "https://id.example/keys", "jws_authority": "claims,identity"},
            "and others remotely, with the keys at https://id.example/keys, roles from claims",
        ),
        (
            {"jws_jwks_uri": "https://id.example/keys", "shadow_validation": "true"},
            ": validates tokens remotely, and signed ones offline as well, to compare, with ",
        ),
        (ISSUER, f"; accepts tokens of acme (rfc9068), {ACME}; "),
        (
            {**ISSUER, "auth_type": ""},
            ": asks no identity service (no auth_type); accepts ",
        ),
        (
            {
                **ISSUER,
                "issuer.acme.profile": "introspection",
                "issuer.acme.client_id": "us",
                "issuer.acme.client_secret": SECRET,
            },
            f"accepts tokens of acme (introspection), {ACME}, by asking it; ",
        ),
    ],
)
def test_the_line_says_what_differs(
    options: dict[str, str], told: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    build(**options)
    (line,) = lines(caplog)
    assert told in line
    assert SECRET not in caplog.text


def test_the_line_says_how_many_keys_were_found(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    IdentityServer().issuer.write_public_key(tmp_path / "keys")
    build(jws_public_key_repository=str(tmp_path / "keys"), token_validation="offline")
    (line,) = lines(caplog)
    assert f"refuses others, with 1 public key of {tmp_path / 'keys'}, roles from" in line
    assert [record.levelname for record in caplog.records] == ["INFO"]


@pytest.mark.parametrize(
    "option", ["jws_public_key_repository", "issuer.acme.public_key_repository"]
)
@pytest.mark.parametrize("kind", ["missing", "empty"])
def test_key_directory_without_keys_is_warned_about(
    option: str, kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = tmp_path / "keys"
    if kind == "empty":
        directory.mkdir()
    caplog.set_level(logging.INFO)
    build(**(ISSUER if option.startswith("issuer") else {}), **{option: str(directory)})
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    section = "authmw_issuer:acme" if option.startswith("issuer") else "keystone_authtoken"
    assert warning.startswith(f"[{section}] {option.rpartition('.')[2]} = {str(directory)!r} ")
    assert ("No such file" if kind == "missing" else "holds no public key") in warning
    assert f"no public keys of {directory}" in lines(caplog)[0]


def test_each_filter_has_a_line_and_its_apps_share_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    conf = {"oslo_config_config": cfg.ConfigOpts(), **PASSWORD}
    protect = filter_factory(conf)
    for _ in range(3):
        protect(lambda _environ, _start_response: [])
    assert len(lines(caplog)) == 1
    AuthMiddleware(lambda _environ, _start_response: [], conf)
    assert len(lines(caplog)) == 2


def test_warnings_are_logged_before_the_start_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(authmw.ConfigurationError, match="password is not set"):
        build(password="", pasword=SECRET)
    assert [record.getMessage() for record in caplog.records] == [
        "[keystone_authtoken] pasword is not known to authmw, ignored: did you mean password?"
    ]


def test_refused_start_names_the_misspelt_option(tmp_path: Path) -> None:
    with pytest.raises(
        authmw.ConfigurationError, match=r"\(memcache_secret_kye stands there: is it misspelt\?\)"
    ) as refused:
        build(memcache_security_strategy="MAC", memcache_secret_kye=SECRET)
    assert refused.value.option == "memcache_secret_key"


def test_all_that_is_found_at_start_can_be_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    conf = {"oslo_config_config": cfg.ConfigOpts(), **PASSWORD}
    settings, findings = find_at_start(conf)
    assert settings is not None
    assert findings == []
    _, findings = find_at_start({**conf, "pasword": "x", "password": "", "insecure": "true"})
    assert [(one.level, one.option) for one in findings] == [
        ("warn", "pasword"),
        ("warn", "insecure"),
        ("fail", "password"),
    ]
    assert find_at_start({**conf, "insecure": "yess"})[0] is None
    assert caplog.records == []


def test_a_good_start_loads_nothing_that_only_mistakes_need() -> None:
    script = f"""
import sys
from oslo_config import cfg
from authmw.build import build_filter_parts
build_filter_parts({{"oslo_config_config": cfg.ConfigOpts(), **{PASSWORD!r}}})
unneeded = {{
    *("difflib", "authmw.issuers", "authmw.jose", "authmw.keys.directory"),
    *("authmw.build.description", "authmw.build.findings", "authmw.build.health"),
    *("authmw.build.issuers", "authmw.build.oauth", "authmw.build.offline"),
    *("authmw.cache.canary", "authmw.cache.canary_watch", "authmw.cache.memcached"),
    *("authmw.config.issuer_options", "authmw.config.old_options", "authmw.config.tls_files"),
    "authmw.metrics.registry",
    *("authmw.wsgi.cors", "authmw.wsgi.protected_resource"),
}}
print(sorted(unneeded & sys.modules.keys()))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[]\n"
