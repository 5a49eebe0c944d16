"""URL options: what is no URL stops the start, and says what to write."""

from __future__ import annotations

import pytest
from oslo_config import cfg

from authmw.build import build_filter_parts
from authmw.config.auth_plugin import load_auth_plugin
from authmw.config.findings import Finding
from authmw.config.loading import load_settings
from authmw.config.urls import find_url_fault
from authmw.errors import ConfigurationError
from tests.config.test_auth_plugin import PASSWORD, SECRET
from tests.config.test_auth_types import SERVING

NO_URLS = [
    ("id.example:5000/v3", "write the scheme before it, as https://id.example:5000/v3"),
    ("id.example", "write the scheme before it, as https://id.example"),
    ("//id.example", "write the scheme before it, as https://id.example"),
    ("10.0.0.1:5000", "write the scheme before it, as https://10.0.0.1:5000"),
    ("localhost:5000", "write the scheme before it, as https://localhost:5000"),
    ("http:/id.example", "write a URL with a host"),
    ("http:id.example", "write a URL with a host"),
    ("https://", "write a URL with a host"),
    ("https://:5000/v3", "write a URL with a host"),
    ("http://id.example:0", "write a URL with a host"),
    ("htps://id.example", "begin it with https:// or http://"),
    ("ldap://id.example", "begin it with https:// or http://"),
    ('"https://id.example"', "write it without quotes"),
    ("'https://id.example'", "write it without quotes"),
    ('"https://id.example', "write it without quotes"),
    ("https://id.example/v3 # public", "a comment needs a line of its own"),
    ("https://id.example https://b.example", "write the URL alone"),
    ("https://id.example,https://b.example", "write one URL"),
    ("https://<controller>:5000", "write one URL"),
    ("https://{{ keystone }}:5000", "write the URL alone"),
    ("https://%KEYSTONE%:5000", "write one URL with the name or address of a host"),
    ("https://id.example:5OOO", "write a URL such as"),
    ("https://id.example:500000", "write a URL such as"),
    ("https://[::1:5000", "write a URL such as"),
]


@pytest.mark.parametrize(("text", "fix"), NO_URLS)
def test_what_is_no_url_is_told_what_to_write(text: str, fix: str) -> None:
    assert fix in (find_url_fault(text) or "")


@pytest.mark.parametrize(
    "text",
    [
        "http://id.example",
        "HTTPS://id.example:5000/v3/",
        "https://id_1.example/identity",
        "https://127.0.0.1:5000",
        "https://[2001:db8::1]:5000/v3",
        "https://proxy-user:secret@id.example/v3",
        "https://id.example/v3?x=%20{y}",
        "https://bücher.example",
    ],
)
def test_urls_are_urls(text: str) -> None:
    assert find_url_fault(text) is None


@pytest.mark.parametrize("text", [text for text, _ in NO_URLS])
@pytest.mark.parametrize(
    "option", ["auth_url", "www_authenticate_uri", "jws_jwks_uri", "endpoint", "oauth2_endpoint"]
)
def test_every_url_option_that_is_no_url_stops_the_start(option: str, text: str) -> None:
    conf: dict[str, object] = {**PASSWORD}
    if option == "endpoint":
        conf = {"auth_type": "none"}
    elif option == "oauth2_endpoint":
        conf = {**SERVING["v3oauth2clientcredential"], "auth_type": "v3oauth2clientcredential"}
        conf["auth_url"] = "http://id.example"
    conf[option] = text
    with pytest.raises(ConfigurationError) as caught:
        load_auth_plugin(load_settings({"oslo_config_config": cfg.ConfigOpts(), **conf}).auth)
    assert (caught.value.option, caught.value.value) == (option, text)


@pytest.mark.parametrize("url", [f"id.example/{SECRET}@x", f"http://u:{SECRET}@id.example:5OOO"])
def test_password_in_a_url_is_not_shown(url: str) -> None:
    conf = {**PASSWORD, "password": "x", "auth_url": url}
    with pytest.raises(ConfigurationError, match=r"auth_url = '\*\*\*': write a URL") as caught:
        load_auth_plugin(load_settings({"oslo_config_config": cfg.ConfigOpts(), **conf}).auth)
    assert SECRET not in str(caught.value)


# One for each way in which an option's value is read.
ADDRESSES = {
    "auth_url": f"ftp://u:{SECRET}@id.example",
    "www_authenticate_uri": f"https://id.example/ä@{SECRET}@x",
    "jws_jwks_uri": f"https://u:{SECRET}@id.example/keys",
    "memcached_servers": f"127.0.0.1:11211,u:{SECRET}@cache.example:x",
    "cors_allowed_origins": f"https://app.example,https://u:{SECRET}@app.example",
    "oauth_resource": f"https://api/{SECRET}@host/ä",
    "public_endpoint": f"https://u:{SECRET}@api.example",
    "http_connect_timeout": f"http://u:{SECRET}@id.example",
    "cafile": f"http://u:{SECRET}@id.example/ca.pem",
    "issuer.acme.issuer": f"https://u:{SECRET}@idp.example",
    "issuer.acme.jwks_uri": f"ftp://{SECRET}@idp.example/keys",
    "issuer.acme.introspection_endpoint": f"http://u:{SECRET}@127.0.0.1:9/x",
    "issuer.acme.bearer_token_file": f"//u:{SECRET}@idp.example/token",
}


@pytest.mark.parametrize("option", ADDRESSES)
def test_password_in_any_address_is_not_shown(option: str) -> None:
    conf = {
        "oslo_config_config": cfg.ConfigOpts(),
        **PASSWORD,
        "password": "x",
        "issuer.acme.issuer": "https://idp.example",
        "issuer.acme.audience": "https://api.example",
        option: ADDRESSES[option],
    }
    with pytest.raises(ConfigurationError, match=r" = '\*\*\*': ") as caught:
        build_filter_parts(conf)
    assert caught.value.option == option.rpartition(".")[2]
    shown = (str(caught.value), str(Finding.of_error(caught.value)), caught.value.fix)
    assert SECRET not in "".join(shown)


def test_path_is_shown_though_there_is_an_at_sign_in_it() -> None:
    conf = {"oslo_config_config": cfg.ConfigOpts(), **PASSWORD, "cafile": "/nowhere/ca@2.pem"}
    with pytest.raises(ConfigurationError, match=r"cafile = '/nowhere/ca@2.pem': .*'/nowhere/ca@"):
        build_filter_parts(conf)
