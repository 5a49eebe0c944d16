"""Names in the files that are nearly those of `[ext_oauth2_auth]`."""

from __future__ import annotations

from pathlib import Path

import pytest
from oslo_config import cfg

from authmw.config.external_oauth2 import GROUP, translate_external_oauth2
from authmw.errors import ConfigurationError
from tests.config.test_auth_plugin import SECRET, section

OPTIONS = {
    "introspect_endpoint": "https://login.example/introspect",
    "audience": "https://login.example/token",
    "client_id": "inventory",
    "client_secret": SECRET,
    "mapping_roles": "roles",
}


def translate(tmp_path: Path, text: str) -> None:
    path = tmp_path / "service.conf"
    path.write_text(text)
    conf = cfg.ConfigOpts()
    conf([], project="service", default_config_files=[str(path)])
    translate_external_oauth2({"oslo_config_config": conf})


def test_good_section_is_told_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    translate(tmp_path, section(GROUP, OPTIONS) + section("keystone_authtoken", {"x": "y"}))
    assert caplog.messages == []


def test_misspelt_option_is_told_the_name_it_should_have(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    translate(tmp_path, section(GROUP, {**OPTIONS, "mapping_porject_id": SECRET}))
    (line,) = caplog.messages
    assert line == (
        "[ext_oauth2_auth] mapping_porject_id is not known to authmw, ignored: "
        "did you mean mapping_project_id?"
    )


def test_misspelt_section_is_told_before_the_start_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ConfigurationError):
        translate(tmp_path, section("ext_oauth_auth", OPTIONS))
    (line,) = caplog.messages
    assert line.endswith("did you mean [ext_oauth2_auth]?")
