"""Names of options that are keywords in Python code."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from authmw.config.auth_plugin import list_keystoneauth_options
from authmw.config.option_names import USUAL_OF_PLUGINS, verify_option_names


def test_usual_options_are_options_of_plugins() -> None:
    assert list_keystoneauth_options() >= USUAL_OF_PLUGINS


def test_options_of_authmw_of_issuers_and_of_plugins_are_known() -> None:
    verify_option_names(["accept_bearer", "memcache_servers", "oslo_config_project"])
    verify_option_names(["issuer.acme.audience", "application_credential_secret", "timeout"])
    verify_option_names(["user_name", "user-name", "auth-url", "memcached-servers"])


_PLUGINS = """
from keystoneauth1 import loading


class Broken(loading.BaseLoader):
    plugin_class = None

    def get_options(self):
        raise RuntimeError("broken")


class Other(loading.BaseLoader):
    plugin_class = None

    def get_options(self):
        return [loading.Opt("new-knob", deprecated=[loading.Opt("old-knob")])]
"""


def test_plugins_of_other_packages_count_and_a_broken_one_breaks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "knobs.py").write_text(_PLUGINS)
    metadata = tmp_path / "knobs-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: knobs\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text(
        "[keystoneauth1.plugin]\nbroken = knobs:Broken\nother = knobs:Other\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    list_keystoneauth_options.cache_clear()
    try:
        verify_option_names(["new_knob", "old_knob", "timeout"])
        with pytest.raises(TypeError, match="did you mean 'timeout'"):
            verify_option_names(["timeoutt"])
    finally:
        sys.modules.pop("knobs", None)
        list_keystoneauth_options.cache_clear()


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
