"""Keys in a PKCS#11 module: SoftHSM's."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("pkcs11")

from tests.bundle.centre.centres import Centre, Site, serve
from tests.support.bundle_facts import facts

pytestmark = pytest.mark.heavy

_MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so")
_PIN = "123456"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A token `root` with the P-256 key 1, and the module that has it."""
    found = next((Path(each) for each in _MODULES if Path(each).exists()), None)
    if found is None or shutil.which("softhsm2-util") is None:
        pytest.skip("softhsm2 is not installed: .ci/need tests")
    (tmp_path / "tokens").mkdir()
    configuration = tmp_path / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {tmp_path}/tokens\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(configuration))
    monkeypatch.delenv("PYKCS11LIB", raising=False)
    pem = tmp_path / "key.pem"
    make = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
    run([*make, "-out", str(pem)])
    token = ["--token", "root", "--pin", _PIN]
    run(
        ["softhsm2-util", "--init-token", "--free", "--label", "root", "--so-pin", _PIN, *token[2:]]
    )
    run(["softhsm2-util", "--import", str(pem), "--label", "root", "--id", "01", *token])
    return found


def run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=60, env=os.environ)


def test_root_is_signed_by_a_key_in_a_module(
    module: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pin").touch(0o600)
    (tmp_path / "pin").write_text(f"{_PIN}\n")
    centre = Centre(tmp_path)
    role = '[roles.root]\nkeys = ["hsm:1?label=root"]\n'
    pkcs11 = f'[pkcs11]\nmodule = "{module}"\npin_file = "pin"\n'
    centre.configure(f"[sites.edge-1]\n{role}{pkcs11}")
    centre.run("init")
    centre.publish(facts(60))
    with serve(centre.www) as url:
        edge = Site(tmp_path / "site", "edge-1", url, centre.root)
        assert edge.sync() == ["1.bundle"]
        # From here on a file has the key; both sign the change.
        centre.configure(f"[sites.edge-1]\n[roles.root]\nkeys = ['root.pem']\n{pkcs11}")
        centre.run("rotate")
        assert edge.head_of_centre().revision == 1
    centre.configure(f"[sites.edge-1]\n{role}[pkcs11]\nmodule = '{module}'\n")
    capsys.readouterr()
    centre.run("rotate", status=1)
    assert "[pkcs11] pin_file" in capsys.readouterr().err
    centre.configure(f"[sites.edge-1]\n{role}{pkcs11}")
    centre.run("rotate", "root", status=2)
    assert "can't be replaced from here" in capsys.readouterr().err
