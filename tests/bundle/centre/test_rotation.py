"""Keys and sites come and go, and sites follow by TUF's own client."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Targets

from authmw.bundle.centre.keys import KeyRing, load_key
from authmw.bundle.centre.opening import open_store
from authmw.bundle.centre.publishing import Publisher
from authmw.bundle.centre.rotation import Rotated, Rotation
from authmw.bundle.centre.settings import load_centre_settings
from authmw.cli import main
from tests.bundle.centre.centres import Centre, Site
from tests.support.bundle_facts import changed, facts

MakeSite = Callable[..., Site]
_DAY = 86_400


def rotate_at(centre: Centre, now: float) -> Rotated:
    settings = load_centre_settings(centre.file)
    return Rotation(settings, KeyRing(settings), open_store(settings), lambda: now).run()


def keyids(centre: Centre, role: str) -> set[str]:
    root = Metadata[Root].from_file(str(centre.state / "metadata" / "root.json")).signed
    if role in root.roles:
        return set(root.roles[role].keyids)
    targets = Metadata[Targets].from_file(str(centre.state / "metadata" / "targets.json")).signed
    assert targets.delegations is not None
    return set((targets.delegations.roles or {})[role].keyids)


@pytest.mark.parametrize("role", ["root", "targets", "snapshot", "timestamp", "centre", "site"])
def test_a_role_gets_new_keys_and_sites_follow(role: str, centre: Centre, site: MakeSite) -> None:
    centre.run("init")
    centre.publish(facts(60))
    edge = site()
    edge.sync()
    name = "site.edge-1" if role == "site" else role
    before = keyids(centre, name)
    centre.run("rotate", *(("site", "edge-1") if role == "site" else (role,)))
    assert not before & keyids(centre, name)
    assert edge.head().warm.revision == 1
    centre.publish(changed(facts(60)))
    assert edge.sync() == ["1-2.delta"]
    assert site(directory="late").sync() == ["1.bundle", "1-2.delta"]
    assert not list(centre.keys.glob("*.next"))


def test_site_that_was_away_for_ten_root_rotations_follows(centre: Centre, site: MakeSite) -> None:
    centre.run("init")
    centre.publish(facts(60))
    edge = site()
    edge.sync()
    for _ in range(10):
        centre.run("rotate", "root")
    centre.run("rotate", "timestamp")
    assert edge.head_of_centre().revision == 1
    assert Metadata[Root].from_file(str(edge.metadata / "root.json")).signed.version == 12


def test_nothing_to_do_signs_nothing(centre: Centre, capsys: pytest.CaptureFixture[str]) -> None:
    centre.run("init")
    before = sorted(centre.www.rglob("*.json"))
    assert centre.run_json(capsys, "rotate")["signed"] == []
    assert sorted(centre.www.rglob("*.json")) == before


def test_publishing_needs_no_offline_keys(
    centre: Centre, site: MakeSite, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    centre.run("init")
    (tmp_path / "safe").mkdir()
    for path in (*centre.keys.glob("root-*.pem"), centre.keys / "targets.pem"):
        path.rename(tmp_path / "safe" / path.name)
    centre.publish(facts(60))
    edge = site()
    edge.sync()
    centre.publish(changed(facts(60)))
    assert edge.sync() == ["1-2.delta"]
    # Whoever has the host alone can't change who is trusted.
    centre.configure("[sites.edge-1]\n[sites.edge-2]")
    centre.run("rotate", status=1)
    assert "targets lacks 1" in capsys.readouterr().err
    # With the threshold of the root's keys, and that of the targets.
    for name in ("root-2.pem", "root-3.pem", "targets.pem"):
        shutil.copy(tmp_path / "safe" / name, centre.keys)
    centre.configure("[sites.edge-1]\n[sites.edge-2]\n[roles.snapshot]\nkeys = ['other.pem']")
    centre.run("rotate")
    centre.publish(facts(60))
    assert site("edge-2").sync() == ["1.bundle", "1-2.delta", "2-3.delta"]


def test_root_needs_its_threshold(centre: Centre, capsys: pytest.CaptureFixture[str]) -> None:
    centre.run("init")
    (centre.keys / "root-1.pem").unlink()
    (centre.keys / "root-2.pem").unlink()
    centre.configure("[sites.edge-1]\n[roles.snapshot]\nkeys = ['other.pem']")
    centre.run("rotate", status=1)
    assert "root lacks 1" in capsys.readouterr().err
    assert not (centre.state / "metadata" / "2.root.json").exists()


def test_sites_come_and_go(centre: Centre, site: MakeSite) -> None:
    centre.run("init")
    centre.publish(facts(60))
    edge = site()
    edge.sync()
    centre.configure("[sites.edge-2]")
    centre.publish(facts(60))
    # It was taken out of CENTRE.toml: nothing says that its part is current.
    with pytest.raises(AssertionError, match=r"sites/edge-1/head\.json"):
        edge.head()
    centre.run("rotate")
    with pytest.raises(AssertionError, match=r"sites/edge-1/head\.json"):
        edge.head()
    centre.publish(facts(60))
    # It has the part that the other one had.
    assert site("edge-2").sync() == ["1.bundle"]
    # One that comes back goes on where it was: versions never go back.
    centre.configure("[sites.edge-1]\n[sites.edge-2]")
    centre.run("rotate")
    centre.publish(changed(facts(60)))
    edge.sync()
    assert edge.head().warm.revision == 4


def test_stolen_site_key_signs_nothing_once_it_was_rotated(centre: Centre, site: MakeSite) -> None:
    centre.run("init")
    centre.publish(facts(60))
    stolen = load_key(str(centre.keys / "site.edge-1.pem"), lambda _: "")
    assert stolen is not None
    assert stolen.signer is not None
    centre.run("rotate", "site", "edge-1")
    path = max(
        centre.www.glob("metadata/*.site.edge-1.json"),
        key=lambda each: int(each.name.split(".")[0]),
    )
    forged = Metadata[Targets].from_file(str(path))
    forged.sign(stolen.signer)
    forged.to_file(str(path))
    with pytest.raises(RepositoryError):
        site().head()


def test_signatures_are_renewed_before_they_end(centre: Centre, site: MakeSite) -> None:
    centre.run("init")
    centre.publish(facts(60))
    now = time.time()
    assert rotate_at(centre, now + 100 * _DAY).roles == []
    assert rotate_at(centre, now + 200 * _DAY).roles[:2] == ["root", "targets"]
    # Online roles are renewed by each publish.
    settings = load_centre_settings(centre.file)
    publisher = Publisher(settings, open_store(settings), lambda: now + 20 * _DAY)
    from authmw.bundle.centre.facts import facts_of_bundle

    published = publisher.publish(facts_of_bundle(centre.write(facts(60))))
    assert published.changed == ["edge-1"]
    signed = Metadata[Targets].from_file(str(centre.state / "metadata" / "site.edge-1.json"))
    assert signed.signed.expires.timestamp() > now + 49 * _DAY
    assert site().head().warm.revision == 1


# --- keys that are elsewhere


@pytest.fixture
def offline(centre: Centre, tmp_path: Path) -> Path:
    """Another host with the private keys of root and targets; the centre has the public ones."""
    host = tmp_path / "other-host"
    host.mkdir()
    centre.keys.mkdir()
    for name in ("root-1", "root-2", "root-3", "targets"):
        private = host / f"{name}.pem"
        openssl = ["openssl", "genpkey", "-algorithm", "ed25519", "-aes256", "-pass", "pass:secret"]
        private.touch(0o600)
        subprocess.run([*openssl, "-out", str(private)], check=True, timeout=60)
        public = ["openssl", "pkey", "-passin", "pass:secret", "-pubout", "-in", str(private)]
        subprocess.run([*public, "-out", str(centre.keys / f"{name}.pem")], check=True, timeout=60)
    passphrase = host / "passphrase"
    passphrase.touch(0o600)
    passphrase.write_text("secret\n")
    return host


def sign(directory: Path, host: Path, *names: str, status: int = 0) -> None:
    keys = [str(host / f"{name}.pem") for name in names]
    arguments = ["--passphrase-file", str(host / "passphrase")]
    assert main(["bundle", "sign", str(directory), *keys, *arguments]) == status


def test_root_and_targets_are_signed_on_another_host(
    centre: Centre,
    site: MakeSite,
    offline: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    drafts = tmp_path / "stick"
    centre.run("init", status=1)
    assert "root lacks 2; targets lacks 1" in capsys.readouterr().err
    centre.run("init", "--prepare", str(drafts))
    assert not list(centre.www.iterdir())
    sign(drafts, offline, "root-1", "targets")
    centre.run("init", "--finish", str(drafts), status=1)
    assert "root lacks 1" in capsys.readouterr().err
    sign(drafts, offline, "root-3")
    centre.run("init", "--finish", str(drafts))
    centre.publish(facts(60))
    edge = site()
    edge.sync()
    # A stolen site key is answered by targets alone.
    centre.run("rotate", "site", "edge-1", "--prepare", str(drafts))
    assert not (drafts / "root.json").exists()
    sign(drafts, offline, "targets")
    before = keyids(centre, "site.edge-1")
    centre.run("rotate", "--finish", str(drafts))
    assert not before & keyids(centre, "site.edge-1")
    centre.publish(changed(facts(60)))
    assert edge.sync() == ["1-2.delta"]


def test_drafts_of_other_settings_are_refused(
    centre: Centre, offline: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drafts = tmp_path / "stick"
    centre.run("init", "--prepare", str(drafts))
    sign(drafts, offline, "root-1", "root-2", "targets")
    centre.configure("[sites.edge-1]\n[sites.edge-2]")
    centre.run("init", "--finish", str(drafts), status=1)
    assert "the draft of targets is not what the settings want now" in capsys.readouterr().err
    assert not centre.www.exists()


def test_a_key_that_signs_nothing_is_named(
    centre: Centre, offline: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drafts = tmp_path / "stick"
    centre.run("init", "--prepare", str(drafts))
    assert main(["bundle", "sign", str(drafts), str(centre.keys / "centre.pem")]) == 1
    assert "centre.pem is no key that signs any of this" in capsys.readouterr().err
    assert main(["bundle", "sign", str(drafts), str(offline / "root-1.pem")]) == 1
    assert "passphrase" in capsys.readouterr().err


def test_without_the_key_of_one_site_nothing_is_published(
    centre: Centre, site: MakeSite, capsys: pytest.CaptureFixture[str]
) -> None:
    centre.configure("[sites.edge-1]\n[sites.edge-2]")
    centre.run("init")
    centre.publish(facts(60))
    edge = site()
    edge.sync()
    (centre.keys / "site.edge-2.pem").unlink()
    centre.publish(changed(facts(60)), status=1)
    assert "site.edge-2 needs 1 signatures, and 0 of its keys are here" in capsys.readouterr().err
    # The centre's head would call the old part of edge-2 current.
    assert edge.head_of_centre().revision == 1
    centre.run("rotate", "site", "edge-2")
    centre.publish(changed(facts(60)))
    assert edge.sync() == ["1-2.delta"]


def test_passphrase_that_others_can_read_is_refused(
    centre: Centre, offline: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drafts = tmp_path / "stick"
    centre.run("init", "--prepare", str(drafts))
    (offline / "passphrase").chmod(0o604)
    sign(drafts, offline, "root-1", status=1)
    assert "passphrase can be read by others than its owner: chmod 600" in capsys.readouterr().err


def test_key_that_others_can_read_is_refused(
    centre: Centre, capsys: pytest.CaptureFixture[str]
) -> None:
    centre.run("init")
    assert {path.stat().st_mode & 0o777 for path in centre.keys.iterdir()} == {0o600}
    (centre.keys / "timestamp.pem").chmod(0o640)
    centre.publish(facts(60), status=1)
    assert "timestamp.pem can be read by others than its owner" in capsys.readouterr().err


def test_init_is_for_the_first_time(centre: Centre, capsys: pytest.CaptureFixture[str]) -> None:
    centre.run("rotate", status=1)
    assert "no repository yet: authmw bundle init" in capsys.readouterr().err
    centre.publish(facts(60), status=1)
    assert "no repository yet: authmw bundle init" in capsys.readouterr().err
    centre.run("init")
    centre.run("init", status=1)
    assert "has a repository already" in capsys.readouterr().err
    centre.run("rotate", "nobody", status=2)
    assert "has no nobody" in capsys.readouterr().err
    centre.run("rotate", "site", "nobody", status=2)
    assert "has no site nobody" in capsys.readouterr().err
