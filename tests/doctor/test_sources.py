"""A paste section is read as paste.deploy reads it."""

from __future__ import annotations

from pathlib import Path

import paste.deploy
import pytest

from authmw.doctor.sources import read_source
from authmw.errors import ConfigurationError

PASTE = """\
[DEFAULT]
auth_url = http://id.example:5000
log_name = inventory

[pipeline:main]
pipeline = auth app

[filter:auth]
use = egg:authmw#auth_token
set cafile = /etc/ssl/ca.pem
delay_auth_decision = true
username = %(log_name)s
www_authenticate_uri = http://public.example

[filter:other]
use = auth
delay_auth_decision = false

[filter:plain]
paste.filter_factory = authmw:filter_factory
get region_name = log_name

[app:app]
paste.app_factory = authmw.testing.demo.inventory:app_factory
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "paste.ini"
    path.write_text(PASTE)
    return path


@pytest.mark.parametrize("section", ["auth", "other", "plain"])
def test_the_options_are_those_that_paste_hands_to_the_filter(file: Path, section: str) -> None:
    context = paste.deploy.loadwsgi.loadcontext(
        paste.deploy.loadwsgi.FILTER, f"config:{file}", name=section
    )
    expected = {**context.global_conf, **context.local_conf}
    expected = {k: v for k, v in expected.items() if k not in ("here", "__file__")}
    source = read_source([], f"{file}#{section}")
    read = {k: v for k, v in source.conf.items() if k != "oslo_config_config"}
    assert read == expected


@pytest.mark.parametrize(
    ("section", "factory"),
    [
        ("auth", "egg:authmw#auth_token"),
        ("filter:auth", "egg:authmw#auth_token"),
        ("other", "egg:authmw#auth_token"),
        ("plain", "authmw:filter_factory"),
    ],
)
def test_the_factory_is_what_the_section_leads_to(file: Path, section: str, factory: str) -> None:
    assert read_source([], f"{file}#{section}").factory == factory


def test_a_section_that_is_not_there_is_answered_with_those_that_are(file: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"there are: filter:auth, filter:other"):
        read_source([], f"{file}#authtoken")
    with pytest.raises(ConfigurationError, match=r"name the filter's section \(auth, plain\)"):
        read_source([], str(file))


def test_a_line_that_can_not_be_read_is_not_quoted(tmp_path: Path) -> None:
    path = tmp_path / "paste.ini"
    path.write_text("[filter:auth]\npassword\n hunter2 : \nsecret hunter2\n")
    with pytest.raises(ConfigurationError) as refused:
        read_source([], f"{path}#auth")
    assert "hunter2" not in str(refused.value)


def test_options_of_a_paste_section_override_the_file(file: Path, tmp_path: Path) -> None:
    conf = tmp_path / "service.conf"
    conf.write_text("[keystone_authtoken]\nregion_name = RegionOne\n")
    source = read_source([str(conf)], f"{file}#auth")
    assert source.conf["delay_auth_decision"] == "true"
    assert source.conf["oslo_config_config"].list_all_sections() == ["keystone_authtoken"]
