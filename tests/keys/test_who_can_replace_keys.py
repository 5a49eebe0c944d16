"""Key directories that another user could replace or write to are refused."""

from __future__ import annotations

import logging
import os
import pathlib
import shutil
import subprocess
import sys
import time

import pytest

from authmw.errors import IdentityUnavailable
from authmw.keys.directory import KeyDirectory
from authmw.keys.mounts import Mounts
from authmw.keys.refreshed import RefreshedKeys
from authmw.testing import IdentityServer, Issuer
from tests.support.clock import Clock
from tests.support.filters import Filter
from tests.support.signing import public_key, public_pem

NOW = 1_800_000_000.0
MAX_AGE = 86400.0
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
NOBODY = 65534


@pytest.fixture
def base(tmp_path: pathlib.Path) -> pathlib.Path:
    made = tmp_path / "base"
    made.mkdir(mode=0o755)
    return made


def make_directory(path: pathlib.Path, mode: int = 0o755) -> pathlib.Path:
    path.mkdir()
    path.chmod(mode)
    return path


def put(path: pathlib.Path, number: int = 0) -> pathlib.Path:
    path.write_bytes(public_pem("ES256", number))
    path.chmod(0o644)
    return path


def watch(path: pathlib.Path | str) -> RefreshedKeys:
    source = RefreshedKeys(KeyDirectory(str(path)), max_age_seconds=MAX_AGE)
    source.reload(NOW)
    return source


def names(source: RefreshedKeys, now: float = NOW) -> list[str]:
    return sorted(key.source for key in source.current(now).keys)


def trouble(source: RefreshedKeys, now: float = NOW) -> str:
    with pytest.raises(IdentityUnavailable) as unavailable:
        source.current(now)
    return unavailable.value.detail


# Directories above


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_directory_is_refused_where_everyone_can_write_to_one_above_it(
    base: pathlib.Path, depth: int, caplog: pytest.LogCaptureFixture
) -> None:
    """They can move it away and put their own in its place."""
    above = [base / "a", base / "a" / "b", base / "a" / "b" / "c"]
    for path in above:
        make_directory(path)
    keys = make_directory(above[-1] / "keys")
    put(keys / "key.pem")
    open_one = above[-depth]
    open_one.chmod(0o777)
    source = watch(keys)
    reason = (
        f"{open_one}, on the way to it, is writable by everyone: anyone could put other keys "
        f"in its place; chmod o-w {open_one}"
    )
    assert trouble(source) == f"jws_public_key_repository = {keys}: can't be used ({reason})"
    assert reason in caplog.text
    open_one.chmod(0o755)
    source.reload(NOW + 3)
    assert names(source) == ["key.pem"]


def test_directory_that_opens_up_above_is_noticed_at_the_next_reload(base: pathlib.Path) -> None:
    parent = make_directory(base / "parent")
    keys = make_directory(parent / "keys")
    put(keys / "key.pem")
    later = time.time() + 60
    source = RefreshedKeys(KeyDirectory(str(keys)), max_age_seconds=MAX_AGE)
    source.reload(later)
    source.reload(later + 3)
    parent.chmod(0o777)
    source.reload(later + 6)
    put(keys / "another.pem", 1)
    source.reload(later + 9)
    assert names(source, later + 9) == ["key.pem"], "the last good keys stay, and no other comes"
    assert "on the way to it" in trouble(source, later + 4 + MAX_AGE)


def test_sticky_directory_above_lets_others_replace_nothing_of_ours(base: pathlib.Path) -> None:
    shared = make_directory(base / "tmp", 0o1777)
    keys = make_directory(shared / "keys")
    put(keys / "key.pem")
    assert names(watch(keys)) == ["key.pem"]


@only_root
def test_directory_of_another_in_a_sticky_one_is_refused(base: pathlib.Path) -> None:
    """Whoever came first could make it there."""
    shared = make_directory(base / "tmp", 0o1777)
    keys = make_directory(shared / "keys")
    put(keys / "key.pem")
    os.chown(keys, NOBODY, -1)
    assert (
        f"{keys}, on the way to it, is owned by neither root nor the user that reads it, in a "
        "directory that everyone can write to"
    ) in trouble(watch(keys))


@only_root
def test_link_of_another_in_a_sticky_directory_is_refused(base: pathlib.Path) -> None:
    keys = make_directory(base / "keys")
    put(keys / "key.pem")
    shared = make_directory(base / "tmp", 0o1777)
    (shared / "link").symlink_to(keys)
    assert names(watch(shared / "link")) == ["key.pem"]
    os.chown(shared / "link", NOBODY, -1, follow_symlinks=False)
    assert "in a directory that everyone can write to" in trouble(watch(shared / "link"))


def test_every_directory_that_links_lead_through_is_judged(base: pathlib.Path) -> None:
    keys = make_directory(make_directory(base / "real") / "keys")
    put(keys / "key.pem")
    middle = make_directory(base / "middle")
    (middle / "hop").symlink_to("../real")
    entry = make_directory(base / "entry")
    (entry / "keys").symlink_to(middle / "hop" / "keys")
    assert names(watch(entry / "keys")) == ["key.pem"]
    for path in (base / "real", middle, entry):
        path.chmod(0o777)
        assert f"{path}, on the way to it, is writable by everyone" in trouble(
            watch(entry / "keys")
        )
        path.chmod(0o755)
    assert names(watch(entry / "keys")) == ["key.pem"]


def test_relative_directory_is_judged_up_to_the_root(
    base: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = make_directory(make_directory(base / "site") / "keys")
    put(keys / "key.pem")
    monkeypatch.chdir(base / "site")
    assert names(watch("keys")) == ["key.pem"]
    assert names(watch("./../site//keys/.")) == ["key.pem"]
    (base / "site").chmod(0o777)
    assert "on the way to it, is writable by everyone" in trouble(watch("keys"))


def test_group_that_can_write_above_is_warned_of(
    base: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    parent = make_directory(base / "parent", 0o775)
    keys = make_directory(parent / "keys")
    put(keys / "key.pem")
    source = watch(keys)
    source.reload(NOW + 3)
    assert names(source) == ["key.pem"]
    assert caplog.messages == [f"{keys}: {parent}, on the way to it, is writable by its group"]


@only_root
def test_owner_above_who_is_another_user_is_warned_of(
    base: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    parent = make_directory(base / "parent")
    keys = make_directory(parent / "keys")
    put(keys / "key.pem")
    os.chown(parent, NOBODY, -1)
    assert names(watch(keys)) == ["key.pem"]
    assert caplog.messages == [
        f"{keys}: {parent}, on the way to it, is owned by neither root nor the user that reads it"
    ]


# Files behind links


def test_file_is_not_used_where_everyone_can_write_to_what_its_link_leads_through(
    base: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    drop = make_directory(base / "drop", 0o777)
    put(drop / "issuer.pem")
    hop = make_directory(base / "hop")
    (hop / "issuer.pem").symlink_to(drop / "issuer.pem")
    keys = make_directory(base / "keys")
    put(keys / "good.pem", 1)
    (keys / "linked.pem").symlink_to(drop / "issuer.pem")
    (keys / "twice.pem").symlink_to("../hop/issuer.pem")
    source = watch(keys)
    assert names(source) == ["good.pem"]
    assert sorted(caplog.messages) == [
        f"{keys}: {name} is not used: {drop}, on the way to it, is writable by everyone"
        for name in ("linked.pem", "twice.pem")
    ]
    drop.chmod(0o755)
    source.reload(NOW + 3)
    assert names(source) == ["good.pem", "linked.pem"] or names(source) == ["good.pem", "twice.pem"]
    hop.chmod(0o777)
    source.reload(NOW + 6)
    assert names(source) == ["good.pem", "linked.pem"]


def test_file_in_a_sticky_directory_is_used_if_nobody_else_owns_it(base: pathlib.Path) -> None:
    shared = make_directory(base / "tmp", 0o1777)
    put(shared / "issuer.pem")
    keys = make_directory(base / "keys")
    (keys / "linked.pem").symlink_to(shared / "issuer.pem")
    assert names(watch(keys)) == ["linked.pem"]


@only_root
def test_file_of_another_in_a_sticky_directory_is_not_used(
    base: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    shared = make_directory(base / "tmp", 0o1777)
    os.chown(put(shared / "issuer.pem"), NOBODY, -1)
    keys = make_directory(base / "keys")
    (keys / "linked.pem").symlink_to(shared / "issuer.pem")
    assert trouble(watch(keys)).endswith("there is no usable public key in it")
    assert caplog.messages[0] == (
        f"{keys}: linked.pem is not used: {shared}/issuer.pem, on the way to it, is owned by "
        "neither root nor the user that reads it, in a directory that everyone can write to"
    )


def test_doubtful_directory_behind_a_link_is_warned_of(
    base: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    drop = make_directory(base / "drop", 0o775)
    put(drop / "issuer.pem")
    keys = make_directory(base / "keys")
    (keys / "linked.pem").symlink_to(drop / "issuer.pem")
    assert names(watch(keys)) == ["linked.pem"]
    assert caplog.messages == [
        f"{keys}: {drop}, on the way to linked.pem, is writable by its group"
    ]


def test_link_that_is_pointed_elsewhere_is_noticed(base: pathlib.Path) -> None:
    for number in range(2):
        put(make_directory(base / str(number)) / "key.pem", number)
    keys = make_directory(base / "keys")
    (base / "hop").symlink_to("0")
    (keys / "key.pem").symlink_to("../hop/key.pem")
    later = time.time() + 60
    source = RefreshedKeys(KeyDirectory(str(keys)), max_age_seconds=MAX_AGE)
    source.reload(later)
    (base / "next").symlink_to("1")
    os.rename(base / "next", base / "hop")
    source.reload(later + 3)
    (key,) = source.current(later + 3).keys
    assert key.thumbprint == public_key("ES256", 1).thumbprint


# Names


def test_backups_and_disabled_keys_are_passed_over_and_named_in_the_log(
    base: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    keys = make_directory(base / "keys")
    used = ["a.pem", "b.PUB", "c.key", "2026-11", "public"]
    passed_over = ["a.pem.bak", "a.pem~", "public~", "a.pem.disabled", "#a.pem#", "a.pem.2026-11"]
    for number, name in enumerate(used + passed_over):
        put(keys / name, number)
    make_directory(keys / "older.d")
    source = watch(keys)
    source.reload(NOW + 3)
    assert names(source) == sorted(used)
    other_ending = (
        "its name has an ending other than .pem, .pub, .key, .crt, .cer, .jwk, .jwks, .json or none"
    )
    assert sorted(caplog.record_tuples) == sorted(
        (
            "authmw.keys.refreshed",
            logging.WARNING,
            f"{keys}: {name} is not used: {other_ending}",
        )
        for name in passed_over
    )
    os.rename(keys / "public~", keys / "another.pem")
    source.reload(NOW + 6)
    assert "another.pem" in names(source)


# Mounts

IN_A_NAMESPACE = """
import os, subprocess, sys
from authmw.errors import IdentityUnavailable
from authmw.keys.directory import KeyDirectory
from authmw.keys.refreshed import RefreshedKeys

def mount(*arguments):
    if subprocess.run(["mount", *arguments]).returncode:
        os._exit(77)

def look(title, path):
    source = RefreshedKeys(KeyDirectory(path), max_age_seconds=60)
    source.reload(0)
    try:
        print(title, [key.source for key in source.current(0).keys])
    except IdentityUnavailable as error:
        print(title, "refused" if "writable by everyone" in error.detail else error.detail)

base, pem = sys.argv[1:]
def fill(path, mode):
    os.makedirs(path, exist_ok=True)
    subprocess.run(["cp", pem, path + "/key.pem"], check=True)
    os.chmod(path + "/key.pem", 0o644)
    os.chmod(path, mode)
"""
BINDS = """
fill(base + "/drop", 0o777)
os.makedirs(base + "/keys")
mount("--bind", base + "/drop", base + "/keys")
look("writable bind", base + "/keys")
mount("-o", "remount,bind,ro", base + "/keys")
look("read-only bind of what is writable beside it", base + "/keys")
os.chmod(base + "/drop", 0o755)
look("the same, once its directory is protected", base + "/keys")
"""
KUBERNETES = """
# kubelet's: a file system whose root everyone may write to, mounted where only root gets to.
os.makedirs(base + "/kubelet")
os.makedirs(base + "/container/keys")
mount("-t", "tmpfs", "-o", "mode=1777", "none", base + "/kubelet")
fill(base + "/kubelet/..2026_11", 0o755)
os.symlink("..2026_11", base + "/kubelet/..data")
os.symlink("..data/key.pem", base + "/kubelet/key.pem")
mount("--bind", base + "/kubelet", base + "/container/keys")
mount("-o", "remount,bind,ro", base + "/container/keys")
look("where the writable mount is in sight", base + "/container/keys")
subprocess.run(["umount", base + "/kubelet"], check=True)
look("as a container sees it", base + "/container/keys")
os.chmod(base + "/container", 0o777)
look("mounted in a directory of everyone's", base + "/container/keys")
os.makedirs(base + "/shared/above/keys"); os.chmod(base + "/shared", 0o777)
mount("--bind", base + "/container/keys", base + "/shared/above/keys")
mount("-o", "remount,bind,ro", base + "/shared/above/keys")
look("mounted below what everyone can move", base + "/shared/above/keys")
"""


def run_in_a_namespace(base: pathlib.Path, script: str) -> list[str]:
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("needs unshare(1)")
    result = subprocess.run(
        [
            *(unshare, "--user", "--map-root-user", "--mount", sys.executable, "-c"),
            IN_A_NAMESPACE + script,
            str(base),
            str(put(base / "public.pem")),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(["", *sys.path])},
    )
    if result.returncode in (1, 77) and not result.stdout:
        pytest.skip(f"may not mount here: {result.stderr.strip()}")
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


@pytest.mark.heavy
def test_read_only_bind_mount_of_a_writable_directory_is_not_read_only(base: pathlib.Path) -> None:
    assert run_in_a_namespace(base, BINDS) == [
        "writable bind refused",
        "read-only bind of what is writable beside it refused",
        "the same, once its directory is protected ['key.pem']",
    ]


@pytest.mark.heavy
def test_volume_of_kubernetes_is_read_only_to_who_sees_no_other_mount_of_it(
    base: pathlib.Path,
) -> None:
    assert run_in_a_namespace(base, KUBERNETES) == [
        "where the writable mount is in sight refused",
        "as a container sees it ['key.pem']",
        # Nobody can move a mount point, but a directory above it they can.
        "mounted in a directory of everyone's ['key.pem']",
        "mounted below what everyone can move refused",
    ]


MOUNTINFO = r"""
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
30 21 8:1 /srv/drop /etc/keys ro,relatime shared:1 - ext4 /dev/sda1 rw
31 21 8:2 / /media/cd\040rom ro,relatime - iso9660 /dev/sr0 ro
32 21 0:40 / /run/keys ro,relatime - tmpfs tmpfs rw,size=4k
33 21 8:3 /var/lib/kubelet/pods/1/volumes/keys /etc/config ro - xfs /dev/sdb rw
34 21 8:3 /var/lib/kubelet/pods/1/etc-hosts /etc/hosts rw - xfs /dev/sdb rw
35 21 8:3 /var/lib/kubelet/pods/1/volumes/keysafe /data rw - xfs /dev/sdb rw
36 21 8:4 /volumes/keys /etc/others ro - xfs /dev/sdc rw
37 21 8:4 /volumes /volumes rw - xfs /dev/sdc rw
"""


@pytest.mark.parametrize(
    ("mount_id", "path", "read_only"),
    [
        (21, "/srv/drop", False),
        (30, "/etc/keys", False),
        (30, "/etc/keys/key.pem", False),
        (31, "/media/cd rom/keys", True),
        (32, "/run/keys", True),
        (33, "/etc/config/key.pem", True),
        (34, "/etc/hosts", False),
        (36, "/etc/others/key.pem", False),
        (30, "/elsewhere", False),
        (99, "/etc/keys", False),
    ],
)
def test_mount_is_read_only_if_no_other_in_sight_lets_anyone_write_there(
    mount_id: int,
    path: str,
    read_only: bool,  # noqa: FBT001
) -> None:
    mounts = Mounts(read=lambda: MOUNTINFO, find=lambda _: mount_id)
    assert mounts.is_read_only(path) is read_only


def test_without_proc_nothing_is_read_only() -> None:
    def fail() -> str:
        raise FileNotFoundError

    assert not Mounts(read=fail, find=lambda _: 30).is_read_only("/etc/keys")
    assert not Mounts(read=fail).is_mount_point("/etc/keys")


def test_keys_put_in_the_place_of_ours_make_nobody_an_issuer(base: pathlib.Path) -> None:
    """Through the middleware; the attacker, a local account, may write to the parent alone."""
    attacker = Issuer()
    with IdentityServer(provider="jws") as server:
        parent = make_directory(base / "shared", 0o777)
        server.issuer.write_public_key(parent / "keys")
        clock = Clock()
        protected = Filter(
            {
                **server.service_credentials,
                "jws_public_key_repository": str(parent / "keys"),
                "token_validation": "offline",
                "jws_authority": "claims",
                "revocation_poll_interval": "0",
            },
            clock,
        )
        honest = server.issue_jws("member", project="inventory", names_and_roles=True)
        server.issuer = attacker
        forged = server.issue_jws("admin", project="inventory", names_and_roles=True)
        assert [protected.ask(token).status for token in (honest, forged)] == [503, 503]
        (parent / "keys").rename(parent / "moved")
        attacker.write_public_key(parent / "keys")
        clock.advance(10)
        assert [protected.ask(token).status for token in (honest, forged)] == [503, 503]
        shutil.rmtree(parent / "keys")
        (parent / "moved").rename(parent / "keys")
        parent.chmod(0o755)
        clock.advance(10)
        assert [protected.ask(token).status for token in (honest, forged)] == [200, 401]
        protected.close()
