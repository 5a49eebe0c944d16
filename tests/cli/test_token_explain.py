"""`authmw token explain`: whether a service would accept a token; it prints nothing usable."""

from __future__ import annotations

import io
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from authmw.cli import main
from authmw.doctor.times import describe_time
from authmw.runtime.fingerprint import fingerprint
from tests.support.programs import run_python
from tests.support.signing import CLAIMS, public_key, public_pem, sign

HOUR = 3600
NOW = 1_800_000_000

Explain = Callable[..., tuple[int, str]]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o755)
    (keys / "2026.pem").write_bytes(public_pem("ES256"))
    return keys


@pytest.fixture
def explain(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Explain:
    """Explain a token given on standard input; returns the exit status and what was printed."""

    def run(token: str, *arguments: str) -> tuple[int, str]:
        # The process's own input, which is not ours to replace in any other way.
        monkeypatch.setattr(sys, "stdin", io.StringIO(token + "\n"))
        chosen = arguments or ("--key-repository", str(repository))
        status = main(["token", "explain", *chosen])
        printed = capsys.readouterr()
        for text in (printed.out, printed.err):
            for secret in (token, token.rpartition(".")[2]):
                assert len(secret) < 20 or secret not in text
        return status, printed.out + printed.err

    return run


def claims(**changes: Any) -> dict[str, object]:
    now = int(time.time())
    made = {**CLAIMS, "iat": now - 60, "exp": now + HOUR, **changes}
    return {name: value for name, value in made.items() if value is not None}


def test_a_good_token_is_explained_with_its_key_claims_times_and_rules(explain: Explain) -> None:
    token = sign(claims())
    status, printed = explain(token)
    assert status == 0
    assert printed.startswith(f"token {fingerprint(token)}\n")
    assert re.search(r'^  alg +"ES256"$', printed, re.MULTILINE)
    assert re.search(r"^  iat +\d{10}  20\d\d-.* UTC, 1 minute .*ago$", printed, re.MULTILINE)
    assert re.search(r"^  exp +\d{10}  20\d\d-.* UTC, in (1 hour|59 min).*$", printed, re.MULTILINE)
    thumbprint = public_key("ES256").thumbprint
    assert f"passed  signature: verified by 2026.pem, thumbprint {thumbprint}" in printed
    assert "FAILED" not in printed
    assert "NOT VERIFIED" not in printed
    assert "accepted; its user, project and roles are asked of jws_authority = identity" in printed


YEAR_2001 = 1_000_000_000


@pytest.mark.parametrize(
    ("changes", "rule", "reason"),
    [
        ({"exp": YEAR_2001}, "expiry", "expired: at 1000000000"),
        ({"exp": "soon"}, "expiry", "malformed: 'exp' is missing or no time in whole seconds"),
        ({"iat": 4102444800}, "issue time", "not_yet_valid: issued at 4102444800, in the future"),
        ({"iat": None}, "issue time", "malformed: 'iat' is missing or no time in whole seconds"),
        ({"nbf": 4102444800}, "not before", "not_yet_valid: 'nbf' is in the future"),
        ({"aud": "them"}, "audience", "wrong_audience: has an 'aud', and jws_audience is not set"),
        ({"sub": None}, "keystone", "malformed: claim 'sub' is missing"),
        (
            {"openstack_system": "all"},
            "keystone",
            "malformed: the claims name more than one scope",
        ),
    ],
)
def test_a_claim_that_refuses_the_token_fails_its_own_rule_and_no_other(
    explain: Explain, changes: dict[str, Any], rule: str, reason: str
) -> None:
    status, printed = explain(sign(claims(**changes)))
    assert status == 1
    # A time is explained with a date, see tests/doctor/test_times.py.
    printed = re.sub(r" \(\d{4}-\d\d-\d\d .*?\)", "", printed)
    assert re.findall(r"^  FAILED  (.*)$", printed, re.MULTILINE) == [f"{rule}: {reason}"]
    assert printed.endswith(f"refused: {reason}\n")
    assert "passed  signature: verified by 2026.pem" in printed


def test_issuer_and_audience_are_those_of_the_service_s_configuration_file(
    explain: Explain, repository: Path, tmp_path: Path
) -> None:
    conf = tmp_path / "service.conf"
    conf.write_text(
        f"[keystone_authtoken]\njws_public_key_repository = {repository}\n"
        "jws_issuer = https://id\njws_audience = us\njws_authority = claims,identity\n"
    )
    named = ("--config-file", str(conf))
    status, printed = explain(sign(claims(iss="https://id", aud=["us", "them"])), *named)
    assert status == 0, printed
    assert "asked of jws_authority = claims,identity" in printed
    status, printed = explain(sign(claims(iss="https://evil")), *named)
    assert status == 1
    assert re.findall(r"^  FAILED  (.*)$", printed, re.MULTILINE) == [
        "issuer: wrong_issuer: 'iss' is not jws_issuer",
        "audience: wrong_audience: 'aud' does not name jws_audience",
    ]


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (sign(claims(), number=1), "bad_signature: no public key verifies the signature"),
        ("gAAAAAB" + "x" * 180, "malformed: it is not signed (no dot in it)"),
        ("a.b.c", "malformed: protected header"),
        (sign(claims(), {"alg": "none"}), "bad_signature: signed with an unknown algorithm"),
        (sign(claims(), {"alg": "ES256", "crit": ["x"]}), "malformed: header parameter 'crit'"),
        (sign(claims(), algorithm="ES384"), "bad_signature: ES384 is not in jws_accepted"),
        (sign(b"[]"), "malformed: payload: not one JSON object"),
        (sign(claims(pad="x" * 9000)), "malformed: "),
    ],
)
def test_a_token_that_is_no_good_is_refused_for(explain: Explain, token: str, reason: str) -> None:
    status, printed = explain(token)
    assert status == 1
    assert f"refused: {reason}" in printed


def test_claims_that_no_key_of_ours_signed_are_marked_so(explain: Explain) -> None:
    _, printed = explain(sign(claims(), number=1))
    assert "claims  (NOT VERIFIED: anyone can have written this)" in printed


def test_a_token_inside_a_token_is_not_shown_whole(explain: Explain) -> None:
    inner = sign(claims())
    status, printed = explain(sign(claims(act={"tokens": [inner]})))
    assert status == 0
    assert inner not in printed
    assert f"({len(inner)} characters)" in printed


def test_control_characters_in_a_claim_do_not_reach_the_terminal(explain: Explain) -> None:
    _, printed = explain(sign(claims(**{"x\x1b[2J": "\x1b]0;owned\x07\u202e"})))
    assert printed.replace("\n", "").isprintable()
    assert "\\u001b]0;owned" in printed


def test_without_a_usable_key_it_says_what_a_service_answers(
    explain: Explain, repository: Path
) -> None:
    (repository / "2026.pem").unlink()
    status, printed = explain(sign(claims()))
    assert status == 1
    assert "refused: there is no usable public key: a service answers 503" in printed


def test_a_token_as_an_argument_works_and_is_advised_against(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    token = sign(claims())
    assert main(["token", "explain", "--key-repository", str(repository), token]) == 0
    printed = capsys.readouterr()
    assert printed.err == "token: given as an argument; standard input would be safer\n"
    assert token.rpartition(".")[2] not in printed.out


def test_no_token_or_no_directory_is_a_wrong_question(explain: Explain, tmp_path: Path) -> None:
    assert explain("") == (2, "token: there is none on standard input\n")
    status, printed = explain("a.b.c", "--key-repository", str(tmp_path / "missing"))
    assert (status, "No such file or directory" in printed) == (2, True)


@pytest.mark.parametrize("arguments", [[], ["explain"], ["explain", "--config-file"]])
def test_half_a_command_is_a_wrong_question(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["token", *arguments])
    assert ended.value.code == 2


@pytest.mark.heavy
def test_the_command_works_as_a_process_of_its_own(repository: Path) -> None:
    command = ["authmw.cli", "token", "explain", "--key-repository", repository]
    done = run_python("-m", *command, stdin=sign(claims()))
    assert (done.returncode, done.stderr) == (0, "")
    assert "passed  signature" in done.stdout


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (NOW, "2027-01-15 08:00:00 UTC, 0 seconds ago"),
        (NOW + 1, "2027-01-15 08:00:01 UTC, in 1 second"),
        (NOW - 3600, "2027-01-15 07:00:00 UTC, 1 hour ago"),
        (NOW + 86_400 + 7201, "2027-01-16 10:00:01 UTC, in 1 day 2 hours"),
        (10**15, "1000000000000000"),
    ],
)
def test_a_time_is_said_as_a_date_and_as_a_distance(seconds: int, said: str) -> None:
    assert describe_time(seconds, NOW + 0.5) == said
