"""What is part of a value by mistake is warned about, and may be meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from oslo_config import cfg

from authmw.config.loading import read_settings
from tests.config.test_auth_plugin import PASSWORD, section
from tests.config.test_issuers import ACME, US
from tests.config.test_slips import conf_of, found_in, found_with

SECRET = "s3cr3t-that-nobody-may-see"
QUOTES = "has quotes in it, which are part of the value: write it without them"
COMMENT = "has a comment in it, which is part of the value: write the comment on a line of its own"


def found_in_paste(**options: object) -> list[str]:
    conf = {"oslo_config_config": cfg.ConfigOpts(), **PASSWORD, **options}
    return [str(one) for one in read_settings(conf)[1]]


@pytest.mark.parametrize("where", ["file", "paste"])
@pytest.mark.parametrize(
    ("name", "written", "told"),
    [
        ("region_name", "RegionOne # in Berlin", COMMENT),
        ("region_name", "RegionOne ; in Berlin", COMMENT),
        ("region_name", '"RegionOne', QUOTES),
        ("username", "nova'", QUOTES),
        ("service_type", "%SERVICE_TYPE%", "is a placeholder: write the value that it stands for"),
        ("username", "{{ user }}", "is a placeholder: write the value that it stands for"),
        ("service_type", "<service type>", "is a placeholder: write the value that it stands for"),
    ],
)
def test_what_is_part_of_a_value_by_mistake_is_told(
    where: str, name: str, written: str, told: str, tmp_path: Path
) -> None:
    found = (
        found_in_paste(**{name: written})
        if where == "paste"
        else found_in(conf_of(tmp_path, section("keystone_authtoken", {**PASSWORD, name: written})))
    )
    assert found == [f"[keystone_authtoken] {name} = {written!r} {told}"]


def test_quotes_around_a_value_are_part_of_it_in_a_paste_file_alone(tmp_path: Path) -> None:
    assert QUOTES in found_in_paste(region_name='"RegionOne"')[0]
    assert found_with(tmp_path, {"region_name": '"RegionOne"'}) == []


def test_a_list_as_python_writes_it_is_told(tmp_path: Path) -> None:
    (line,) = found_with(tmp_path, {"service_token_roles": "['service', 'admin']"})
    assert line.endswith(QUOTES)


def test_a_next_line_that_is_indented_is_told(tmp_path: Path) -> None:
    text = section("keystone_authtoken", PASSWORD) + "region_name = one\n  cafile = /x\n"
    (line,) = found_in(conf_of(tmp_path, text))
    assert line.startswith("[keystone_authtoken] region_name = 'one\\ncafile = /x' goes over")


def test_an_issuers_values_are_looked_at_as_well() -> None:
    found = found_in_paste(**{"issuer.a.issuer": ACME, "issuer.a.audience": f'"{US}"'})
    assert found == [f"""[authmw_issuer:a] audience = '"{US}"' {QUOTES}"""]


@pytest.mark.parametrize("secret", ['"x', "a # b", "'quoted'", "<>", "%", "%%", "{{", "<b", "[x]"])
def test_a_password_may_hold_anything(secret: str) -> None:
    assert found_in_paste(password=secret) == []


def test_a_password_in_a_url_is_not_shown() -> None:
    (line,) = found_in_paste(region_name=f"'http://u:{SECRET}@id.example'")
    assert line.startswith("[keystone_authtoken] region_name has quotes in it")
    assert SECRET not in line


@pytest.mark.parametrize("secret", ["%SERVICE_PASSWORD%", "{{ secret }}", f"{SECRET}\nx = y"])
def test_a_password_that_is_none_is_told_without_it(secret: str) -> None:
    (line,) = found_in_paste(password=secret)
    assert line.startswith("[keystone_authtoken] password ")
    assert secret not in line
    assert SECRET not in line


@pytest.mark.parametrize(
    "options",
    [
        {"memcached_servers": "[::1]:11211,\n inet6:[::1]:11212", "token_cache_time": "0"},
        {"user_domain_name": "D'Artagnan & Co #1", "user_domain_id": ""},
        {"service_token_roles": "service,load balancer #2"},
        {"public_paths": "/v1/{id},GET /a/*"},
        {"region_name": "a;b", "project_name": "<>"},
    ],
)
def test_what_may_be_meant_is_not_told(options: dict[str, str]) -> None:
    allowed = ("memcached entries are not protected", "no less than token_cache_time")
    found = [line for line in found_in_paste(**options) if not any(one in line for one in allowed)]
    assert found == []
