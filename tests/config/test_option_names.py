"""Names of options that are keywords in Python code."""

from __future__ import annotations

import pytest

from authmw.config.auth_plugin import list_keystoneauth_options
from authmw.config.option_names import USUAL_OF_PLUGINS, verify_option_names


def test_usual_options_are_options_of_plugins() -> None:
    assert list_keystoneauth_options() >= USUAL_OF_PLUGINS


def test_options_of_authmw_of_issuers_and_of_plugins_are_known() -> None:
    verify_option_names(["accept_bearer", "memcache_servers", "oslo_config_project"])
    verify_option_names(["issuer.acme.audience", "application_credential_secret", "timeout"])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("token_validaton", "did you mean 'token_validation'"),
        ("issuer.acme.audiance", "no option 'audiance' of issuers: did you mean 'audience'"),
        ("zzz", "etc/authmw.conf.sample has them all"),
    ],
)
def test_an_unknown_name_is_an_error_that_says_what_was_meant(name: str, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        verify_option_names(["auth_url", name])
