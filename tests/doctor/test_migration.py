"""`authmw doctor --before-migration`: what it says of keystonemiddleware's options, and how."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import keystonemiddleware.auth_token
import pytest
from oslo_config import cfg
from oslo_upgradecheck import upgradecheck

from authmw.cli import main
from authmw.doctor.changes import CHANGES
from authmw.doctor.result import failed, passed, warned
from authmw.doctor.upgrade_report import make_upgrade_document, upgrade_status
from tests.support.migration_guide import read_option_rows

PEER = """\
[keystone_authtoken]
www_authenticate_uri = https://id.example
auth_type = password
auth_url = https://id.example
username = nova
password = hunter2hunter2
user_domain_id = default
project_name = service
project_domain_id = default
memcached_servers = cache:11211
memcache_security_strategy = ENCRYPT
memcache_secret_key = thirty-two characters and more of a secret
service_token_roles_required = true
"""

Prepare = Callable[..., tuple[int, dict[str, dict[str, Any]]]]


@pytest.fixture
def prepare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Prepare:
    """Run the command; returns its exit status, and its checks by name."""

    def run(text: str, paste: str | None = None) -> tuple[int, dict[str, dict[str, Any]]]:
        conf = tmp_path / "nova.conf"
        conf.write_text(text)
        arguments = ["doctor", "--before-migration", "--json", "--config-file", str(conf)]
        if paste is not None:
            (tmp_path / "paste.ini").write_text(paste)
            arguments += ["--paste", f"{tmp_path / 'paste.ini'}#auth"]
        status = main(arguments)
        printed = capsys.readouterr()
        assert "hunter2" not in printed.out + printed.err
        assert "of a secret" not in printed.out + printed.err
        return status, {one["check"]: one for one in json.loads(printed.out)["checks"]}

    return run


def test_the_table_is_that_of_the_guide() -> None:
    written = {
        name: " ".join(text.split()).replace("``", "`")
        for name, kind, text in read_option_rows()
        if kind != "ours"
    }
    assert {
        name: text or "As with keystonemiddleware." for name, text in CHANGES.items()
    } == written


def test_the_table_has_every_option_of_the_peer() -> None:
    peers = {opt.name for _, opts in keystonemiddleware.auth_token.list_opts() for opt in opts}
    assert set(CHANGES) <= peers | {"auth_type", "auth_section"}


def test_a_good_configuration_is_a_success_and_each_option_has_a_line(prepare: Prepare) -> None:
    status, checks = prepare(PEER)
    assert {one["result"] for one in checks.values()} == {0}
    assert status == 0
    assert checks["memcache_security_strategy"]["details"].startswith("MAC is HMAC-SHA256")
    assert checks["http_connect_timeout"]["details"].startswith("It is not set. Unset means")
    assert "region_name" not in checks


def test_what_the_log_would_say_at_start_is_a_warning(prepare: Prepare) -> None:
    status, checks = prepare(PEER + "insecure = true\ndelay_auth_decison = true\n")
    assert status == 1
    assert checks["insecure"]["result"] == 1
    assert "not verified" in checks["insecure"]["details"]
    (misspelt,) = [one for one in checks.values() if "delay_auth_decison" in one["details"]]
    assert misspelt["result"] == 1


def test_what_would_stop_the_start_is_a_failure_and_all_are_found_at_once(prepare: Prepare) -> None:
    status, checks = prepare(PEER + "auth_version = v2.0\ninterface = inside\n")
    assert status == 2
    assert {name for name, one in checks.items() if one["result"] == 2} == {
        "auth_version",
        "interface",
    }
    assert "write v3" in checks["auth_version"]["details"]


def test_an_option_that_is_refused_is_not_said_to_be_missing(prepare: Prepare) -> None:
    _, checks = prepare(PEER.replace("https://id.example", "id.example:5000/v3", 1))
    details = checks["www_authenticate_uri"]["details"]
    assert details.startswith("www_authenticate_uri = 'id.example:5000/v3': write the scheme")
    assert "not set" not in details


def test_an_option_that_is_missing_is_said_to_be_so_once(prepare: Prepare) -> None:
    _, checks = prepare(PEER.partition("\n")[0] + "\n" + PEER.split("\n", 2)[2])
    assert checks["www_authenticate_uri"]["result"] == 1
    assert checks["www_authenticate_uri"]["details"].count("not set") == 1


def test_an_empty_file_is_not_taken_for_a_good_one(prepare: Prepare) -> None:
    status, checks = prepare("[DEFAULT]\n")
    assert status != 0
    assert "no option is set" in checks["[keystone_authtoken]"]["details"]


@pytest.mark.parametrize(
    ("line", "result", "words"),
    [
        (
            "paste.filter_factory = keystonemiddleware.auth_token:filter_factory",
            0,
            "write paste.filter_factory = authmw:filter_factory in place",
        ),
        ("use = egg:keystonemiddleware#auth_token", 0, "write use = egg:authmw#auth_token"),
        ("use = egg:keystonemiddleware#s3_token", 2, "no counterpart"),
        ("paste.filter_factory = swift.special:filter_factory", 1, "subclass"),
        ("paste.filter_factory = authmw:filter_factory", 0, "already"),
    ],
)
def test_the_line_of_the_paste_file(prepare: Prepare, line: str, result: int, words: str) -> None:
    status, checks = prepare(PEER, f"[filter:auth]\n{line}\n")
    assert (status, checks["paste"]["result"]) == (result, result)
    assert words in checks["paste"]["details"]


def test_the_document_is_that_of_oslo_upgradecheck() -> None:
    """The same results through the library itself."""

    class Commands(upgradecheck.UpgradeCommands):
        _upgrade_checks = (
            ("one", lambda _: upgradecheck.Result(upgradecheck.Code.SUCCESS, "fine")),
            ("two", lambda _: upgradecheck.Result(upgradecheck.Code.WARNING, "odd: look")),
            ("three", lambda _: upgradecheck.Result(upgradecheck.Code.FAILURE, "bad: mend")),
        )

    conf = cfg.ConfigOpts()
    upgradecheck.register_cli_options(conf, Commands())
    conf(["upgrade", "check", "--json"], default_config_files=[])
    before, upgradecheck.CONF = upgradecheck.CONF, conf
    printed = io.StringIO()
    try:
        with redirect_stdout(printed):
            code = Commands().check()
    finally:
        upgradecheck.CONF = before
    results = [passed("one", "fine"), warned("two", "odd", "look"), failed("three", "bad", "mend")]
    assert make_upgrade_document(results) == json.loads(printed.getvalue())
    assert [upgrade_status(results[: n + 1]) for n in range(3)] == [0, 1, 2]
    assert upgrade_status(results) == int(code)


def test_the_table_is_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conf = tmp_path / "nova.conf"
    conf.write_text(PEER)
    assert main(["doctor", "--before-migration", "--config-file", str(conf)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("| Upgrade Check Results")
    assert "| Check: auth_type" in "\n".join(lines)
    assert len({len(line) for line in lines}) == 1
