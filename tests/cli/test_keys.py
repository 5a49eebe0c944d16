"""`authmw keys`: makes a pair as Keystone does, and lists which keys of a source are used."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc.jwk import ECKey

from authmw.cli import main
from authmw.testing import IdentityServer
from authmw.testing.issuer import Issuer
from tests.support.programs import run_python
from tests.support.signing import private_pem, public_key, public_pem

OTHER_ENDING = (
    "its name has an ending other than .pem, .pub, .key, .crt, .cer, .jwk, .jwks, .json or none"
)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A directory with one good public key."""
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o755)
    write(keys, "2026.pem", public_pem("ES256"))
    return keys


def write(directory: Path, name: str, content: bytes, mode: int = 0o644) -> None:
    path = directory / name
    path.write_bytes(content)
    path.chmod(mode)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_generated_pair_fits_together_and_only_its_owner_reads_the_private_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = os.umask(0)
    try:
        assert main(["keys", "generate", str(tmp_path / "new" / "pair")]) == 0
    finally:
        os.umask(before)
    private, public = (tmp_path / "new" / "pair" / name for name in ("private.pem", "public.pem"))
    assert (mode_of(private), mode_of(public), mode_of(private.parent)) == (0o600, 0o644, 0o700)
    key = load_pem_private_key(private.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert isinstance(key.curve, ec.SECP256R1)
    assert Issuer(key).public_pem() == public.read_bytes()
    printed = capsys.readouterr().out
    assert f"{public}  the public key: for Keystone and every service" in printed
    assert "PRIVATE KEY" not in printed


@pytest.mark.parametrize("present", ["private.pem", "public.pem"])
def test_generating_overwrites_nothing_and_leaves_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], present: str
) -> None:
    write(tmp_path, present, b"somebody's key")
    assert main(["keys", "generate", str(tmp_path)]) == 1
    assert f"{tmp_path / present} exists, and nothing is overwritten" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [present]
    assert (tmp_path / present).read_bytes() == b"somebody's key"


def test_generating_where_nothing_can_be_written_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main(["keys", "generate", str(tmp_path / "file" / "pair")]) == 1
    assert "Not a directory" in capsys.readouterr().err


def test_a_list_shows_each_key_and_why_a_file_is_not_used(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(repository, "edwards.pem", public_pem("EdDSA"))
    write(repository, "notes.txt", b"not a key")
    write(repository, "oops.pem", private_pem("ES256", 1))
    assert main(["keys", "list", str(repository)]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["FILE", "ALGORITHM", "KID", "THUMBPRINT", "USED"]
    found = {row.split()[0]: row.split(maxsplit=4)[1:] for row in rows}
    assert found == {
        "2026.pem": ["ES256", "-", public_key("ES256").thumbprint, "yes"],
        "edwards.pem": [
            "EdDSA",
            "-",
            public_key("EdDSA").thumbprint,
            "EdDSA is not in jws_accepted_algorithms",
        ],
        "notes.txt": [
            "-",
            "-",
            "-",
            f"no: {OTHER_ENDING}",
        ],
        "oops.pem": ["-", "-", "-", "no: a private key; only public keys belong here"],
    }


def test_a_list_of_a_service_s_keys_follows_its_configuration_file(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(repository, "edwards.pem", public_pem("EdDSA"))
    conf = tmp_path / "service.conf"
    with IdentityServer() as server:
        conf.write_text(
            f"[keystone_authtoken]\njws_public_key_repository = {repository}\n"
            f"jws_jwks_uri = {server.jwks_url}\njws_accepted_algorithms = ES256,EdDSA\n"
        )
        assert main(["keys", "list", "--config-file", str(conf)]) == 0
    rows = {row.split()[0]: row.split()[-1] for row in capsys.readouterr().out.splitlines()[1:]}
    assert rows == {"2026.pem": "yes", "edwards.pem": "yes", server.jwks_url: "yes"}


def test_checking_a_good_directory_says_how_many_keys_there_are(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["keys", "check", str(repository)]) == 0
    write(repository, "2027.pem", public_pem("ES256", 1))
    assert main(["keys", "check", str(repository)]) == 0
    assert capsys.readouterr().out.splitlines() == ["ok: 1 public key", "ok: 2 public keys"]


def test_checking_finds_who_could_replace_the_directory(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.parent.chmod(0o777)
    assert main(["keys", "check", str(repository)]) == 1
    repository.parent.chmod(0o700)
    assert capsys.readouterr().err == (
        f"keys: {repository}: can't be used ({repository.parent}, on the way to it, is writable by "
        f"everyone: anyone could put other keys in its place; chmod o-w {repository.parent})\n"
    )


@pytest.mark.parametrize(
    ("name", "content", "mode", "problem"),
    [
        (
            "oops.pem",
            private_pem("ES256", 1),
            0o600,
            "oops.pem is not used: a private key; only public keys belong here",
        ),
        ("open.pem", public_pem("ES256", 1), 0o666, "open.pem is not used: writable by everyone"),
        ("group.pem", public_pem("ES256", 1), 0o664, "group.pem is writable by its group"),
        (
            "2026.pem.bak",
            public_pem("ES256", 1),
            0o644,
            f"2026.pem.bak is not used: {OTHER_ENDING}",
        ),
        (
            "notes",
            b"not a key",
            0o644,
            "notes is not used: neither PEM nor a JWK nor a JWK set: not one JSON object",
        ),
        (
            "edwards.pem",
            public_pem("EdDSA"),
            0o644,
            "edwards.pem is not used: EdDSA is not in jws_accepted_algorithms",
        ),
    ],
)
def test_checking_finds(
    repository: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    content: bytes,
    mode: int,
    problem: str,
) -> None:
    write(repository, name, content, mode)
    assert main(["keys", "check", str(repository)]) == 1
    assert capsys.readouterr().out.splitlines() == [f"problem: {problem}"]


def test_checking_finds_more_keys_than_are_tried(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(1, 9):
        write(repository, f"{number}.pem", public_pem("ES256", number))
    assert main(["keys", "check", str(repository)]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("problem: there are 9 ES256 keys without a kid, and jws_max_keys = 8")


def test_a_kid_can_not_write_to_the_terminal(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jwk = ECKey.import_key(public_pem("ES256", 1)).as_dict(private=False)
    kid = "\x1b[2J\nforged.pem  ES256  -  abc  yes" + "x" * 1000
    write(repository, "odd.jwk", json.dumps({**jwk, "kid": kid}).encode())
    assert main(["keys", "list", str(repository)]) == 0
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    rows = printed.splitlines()
    assert len(rows) == 3
    assert max(map(len, rows)) < 300


def test_checking_finds_that_there_is_no_key_at_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["keys", "check", str(tmp_path)]) == 1
    assert "problem: there is no usable public key" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["list", "check"])
def test_a_directory_that_anyone_can_write_to_or_that_is_missing_has_no_keys_to_show(
    repository: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    repository.chmod(0o777)
    assert main(["keys", command, str(repository)]) == 1
    assert "anyone could add a key" in capsys.readouterr().err
    assert main(["keys", command, str(repository / "missing")]) == 1
    assert "can't be used (No such file or directory)" in capsys.readouterr().err


def test_a_configuration_without_keys_is_a_wrong_question(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conf = tmp_path / "service.conf"
    conf.write_text("[keystone_authtoken]\n")
    assert main(["keys", "check", "--config-file", str(conf)]) == 2
    assert "jws_public_key_repository is not set" in capsys.readouterr().err
    assert main(["keys", "check", "--config-file", str(tmp_path / "missing.conf")]) == 2
    assert "name a configuration file that can be read" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["list"], ["check"], ["generate"], ["forge", "x"]])
def test_half_a_command_is_a_wrong_question(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["keys", *arguments])
    assert ended.value.code == 2


@pytest.mark.heavy
def test_the_command_works_as_a_process_of_its_own(repository: Path) -> None:
    done = run_python("-m", "authmw.cli", "keys", "check", str(repository))
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok: 1 public key\n", "")
