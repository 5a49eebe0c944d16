"""`authmw doctor` and `authmw token validate` as commands: what they print, and exit statuses."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from authmw.cli import main
from authmw.runtime.fingerprint import fingerprint
from authmw.testing import Fault, IdentityServer
from tests.support.programs import run_python

pytestmark = pytest.mark.heavy

Write = Callable[..., Path]


@pytest.fixture
def conf(server: IdentityServer, tmp_path: Path) -> Write:
    """Write a good configuration file, with options changed."""

    def write(**changes: str) -> Path:
        keys = tmp_path / "keys"
        server.issuer.write_public_key(keys)
        options = {
            **server.service_credentials,
            "service_token_roles_required": "true",
            "jws_public_key_repository": str(keys),
            "identity_deadline": "3",
            "http_request_max_retries": "0",
            **changes,
        }
        path = tmp_path / "service.conf"
        lines = [f"{name} = {value}\n" for name, value in options.items()]
        path.write_text("[keystone_authtoken]\n" + "".join(lines))
        return path

    return write


def give(patch: pytest.MonkeyPatch, text: str) -> None:
    # The process's own input, which is not ours to replace in any other way.
    patch.setattr(sys, "stdin", io.StringIO(text))


def test_each_check_is_a_line_and_a_fault_has_one_more(
    conf: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--config-file", str(conf())]) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines} == {"pass", "skip"}
    assert last.endswith("checks, all passed")
    assert main(["doctor", "--config-file", str(conf(password="wrong"))]) == 1
    *lines, last = capsys.readouterr().out.splitlines()
    (place,) = [place for place, line in enumerate(lines) if line.startswith("fail")]
    assert lines[place].startswith("fail  identity login: ")
    assert lines[place + 1].startswith("      fix: ")
    assert last.endswith("checks, 1 failed")


def test_a_warning_is_no_failure(conf: Write, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--config-file", str(conf(delay_auth_decison="true"))]) == 0
    assert "\nwarn" in "\n" + capsys.readouterr().out


def test_a_deployment_that_can_not_be_read_could_not_be_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor"]) == 2
    assert main(["doctor", "--config-file", str(tmp_path / "missing.conf")]) == 2
    assert main(["doctor", "--paste", str(tmp_path / "missing.ini") + "#auth"]) == 2
    assert main(["doctor", "--before-migration"]) == 255
    assert main(["doctor", "--before-migration", "--config-file", str(tmp_path / "no.conf")]) == 255
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 5
    assert all(line.startswith("doctor: ") for line in printed.err.splitlines())


def test_a_refused_token_is_a_failure_and_never_printed(
    conf: Write,
    server: IdentityServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    token = server.issue("member", project="inventory")
    server.revoke(token)
    give(monkeypatch, f"Bearer {token}")
    assert main(["doctor", "--config-file", str(conf()), "--token", "-"]) == 1
    printed = capsys.readouterr().out
    assert f"fail  token: token {fingerprint(token)} is refused: not_found" in printed
    assert token not in printed


def test_a_token_that_is_not_given_is_asked_for_again(
    conf: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    give(monkeypatch, "\n")
    assert main(["doctor", "--config-file", str(conf()), "--token", "-"]) == 2
    assert "doctor: there is none on standard input" in capsys.readouterr().err


def test_it_runs_as_a_process_without_a_log_in_its_output(conf: Write) -> None:
    done = run_python("-m", "authmw", "doctor", "--json", "--config-file", conf())
    document = json.loads(done.stdout)
    assert (document["status"], done.stderr) == (0, "")
    assert {check["status"] for check in document["checks"]} == {"pass", "skip"}


@pytest.mark.parametrize("kind", ["opaque", "signed"])
def test_a_validation_is_shown_step_by_step(
    kind: str,
    conf: Write,
    server: IdentityServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    issue = server.issue if kind == "opaque" else server.issue_jws
    token = issue("member", project="inventory")
    give(monkeypatch, f"X-Auth-Token: {token}\n")
    assert main(["token", "validate", "--config-file", str(conf())]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"token {fingerprint(token)}"
    steps = [line for line in lines if line.startswith("  passed")]
    assert all(" ms  " in line for line in steps)
    chosen = "remote validation" if kind == "opaque" else "signature and claims"
    assert any(chosen in line for line in steps)
    assert any("the identity service" in line for line in steps)
    assert "  X-User-Name            member" in lines
    assert lines[-1].startswith("accepted in ")
    # The request went through the filter, and once.
    assert server.calls["validate"] == 1


def test_a_validation_says_where_a_token_was_refused_or_what_failed(
    conf: Write,
    server: IdentityServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    token = server.issue_jws("member", project="inventory", extra_claims={"exp": 1})
    give(monkeypatch, token)
    assert main(["token", "validate", "--config-file", str(conf()), "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["status"], document["identity"]) == (401, None)
    refused = [step for step in document["steps"] if not step["accepted"]]
    assert refused[-1]["step"] == "signature and claims"
    assert refused[-1]["decision"].startswith("expired")
    give(monkeypatch, server.issue("member", project="inventory"))
    with server.failing(Fault.ERROR_500, "validate"):
        assert main(["token", "validate", "--config-file", str(conf())]) == 2
    printed = capsys.readouterr().out
    assert "FAILED" in printed
    assert printed.splitlines()[-1].endswith("a client gets 503")
