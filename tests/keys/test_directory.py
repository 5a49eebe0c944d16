"""A key directory on a real file system: rotation, removal, mounts, permissions, damage."""

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
from authmw.keys.refreshed import RefreshedKeys
from tests.support.signing import private_pem, public_key, public_pem, sign, verifier

NOW = 1_800_000_000.0
MAX_AGE = 86400.0


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    directory = tmp_path / "keys"
    directory.mkdir(mode=0o755)
    return directory


def watch(path: pathlib.Path) -> RefreshedKeys:
    source = RefreshedKeys(KeyDirectory(str(path)), max_age_seconds=MAX_AGE)
    source.reload(NOW)
    return source


def write(path: pathlib.Path, octets: bytes, mode: int = 0o644) -> None:
    """Write a file and set its mode, whatever the umask."""
    path.write_bytes(octets)
    path.chmod(mode)


def names(source: RefreshedKeys, now: float = NOW) -> list[str]:
    return sorted(key.source for key in source.current(now).keys)


def trouble(source: RefreshedKeys, now: float = NOW) -> str:
    with pytest.raises(IdentityUnavailable) as unavailable:
        source.current(now)
    return unavailable.value.detail


# Content


def test_every_kind_of_key_file_is_read(path: pathlib.Path) -> None:
    write(path / "public.pem", public_pem("ES256"))
    write(path / "no-suffix", public_pem("EdDSA"))
    write(path / "empty.jwks", b'{"keys": []}')
    assert names(watch(path)) == ["no-suffix", "public.pem"]


def test_dot_files_and_subdirectories_are_skipped_in_silence(
    path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(path / "key.pem", public_pem("ES256"))
    write(path / ".key.pem.swp", public_pem("ES256", 1))
    write(path / ".bad", b"nonsense")
    (path / "directory").mkdir()
    write(path / "directory" / "key.pem", public_pem("ES256", 2))
    assert names(watch(path)) == ["key.pem"]
    assert caplog.messages == []


def test_bad_file_is_skipped_and_named_in_the_log_once(
    path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(path / "good.pem", public_pem("ES256"))
    write(path / "bad.pem", b"nonsense")
    source = RefreshedKeys(KeyDirectory(str(path)), max_age_seconds=MAX_AGE)
    now = time.time()  # the files are so new that they are read every time
    source.reload(now)
    source.reload(now)
    assert names(source, now) == ["good.pem"]
    assert caplog.messages == [
        f"{path}: bad.pem is not used: neither PEM nor a JWK nor a JWK set: not one JSON object"
    ]


def test_a_file_name_can_not_forge_a_line_of_the_log(
    path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    write(path / "a\nforged", public_pem("ES256"))
    write(path / "b\x1b[2J", b"nonsense")
    write(path / os.fsdecode(b"c\xff"), b"nonsense")
    assert names(watch(path)) == [r"a\nforged"]
    assert [message.isprintable() for message in caplog.messages] == [True] * 3
    assert sorted(message.split()[1] for message in caplog.messages) == [
        "1",
        r"b\x1b[2J",
        r"c\udcff",
    ]


def test_private_key_is_refused_loudly_and_never_shown(
    path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(path / "public.pem", public_pem("ES256"))
    write(path / "private.pem", private_pem("ES256"))
    assert names(watch(path)) == ["public.pem"]
    assert caplog.record_tuples == [
        (
            "authmw.keys.refreshed",
            logging.CRITICAL,
            f"{path}: private.pem is not used: a private key; only public keys belong here",
        )
    ]
    assert private_pem("ES256").decode().splitlines()[1] not in caplog.text


def test_odd_files_are_skipped_without_waiting(
    path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(path / "key.pem", public_pem("ES256"))
    os.mkfifo(path / "fifo")
    (path / "dangling").symlink_to("nowhere")
    (path / "loop").symlink_to("loop")
    write(path / "huge", b" " * (1 << 20) + b"x")
    assert names(watch(path)) == ["key.pem"]
    assert sorted(message.removeprefix(f"{path}: ") for message in caplog.messages) == [
        "dangling is not used: can't be read (No such file or directory)",
        "fifo is not used: not a regular file",
        "huge is not used: larger than 1048576 octets",
        "loop is not used: can't be read (Too many levels of symbolic links)",
    ]


def test_newest_file_is_tried_first(path: pathlib.Path) -> None:
    for number, age in enumerate((30, 10, 20)):
        write(path / f"{number}.pem", public_pem("ES256", number))
        os.utime(path / f"{number}.pem", (NOW - age, NOW - age))
    order = [key.source for key in watch(path).current(NOW).keys]
    assert order == ["1.pem", "2.pem", "0.pem"]


# Changes


def test_added_changed_and_removed_files_are_noticed_at_the_next_reload(
    path: pathlib.Path,
) -> None:
    write(path / "a.pem", public_pem("ES256", 0))
    source = watch(path)
    assert names(source) == ["a.pem"]
    write(path / "b.pem", public_pem("ES256", 1))
    source.reload(NOW + 3)
    assert names(source) == ["a.pem", "b.pem"]
    (path / "a.pem").unlink()
    source.reload(NOW + 6)
    assert names(source) == ["b.pem"]
    write(path / "b.pem", public_pem("ES256", 2))
    source.reload(NOW + 9)
    (key,) = source.current(NOW + 9).keys
    assert key.thumbprint == public_key("ES256", 2).thumbprint


def test_key_swapped_under_the_same_name_size_and_time_is_noticed(path: pathlib.Path) -> None:
    for number in range(2):
        write(path / f".{number}", public_pem("ES256", number))
        os.utime(path / f".{number}", (NOW - 100, NOW - 100))
    os.rename(path / ".0", path / "key.pem")
    later = time.time() + 60  # all that was written so far is old
    source = RefreshedKeys(KeyDirectory(str(path)), max_age_seconds=MAX_AGE)
    source.reload(later)
    os.rename(path / ".1", path / "key.pem")
    source.reload(later + 3)
    (key,) = source.current(later + 3).keys
    assert key.thumbprint == public_key("ES256", 1).thumbprint


def test_unchanged_directory_keeps_its_key_set_and_what_that_has_learned(
    path: pathlib.Path,
) -> None:
    write(path / "key.pem", public_pem("ES256"))
    later = time.time() + 60
    source = RefreshedKeys(KeyDirectory(str(path)), max_age_seconds=MAX_AGE)
    source.reload(later)
    before = source.current(later)
    source.reload(later + 3)
    assert source.current(later + 3) is before
    # It was confirmed, so it does not age.
    assert source.current(later + 3 + MAX_AGE) is before


def test_file_from_the_future_is_not_read_again_and_again(path: pathlib.Path) -> None:
    """Whoever copied it here kept the time that another host's clock gave it."""
    write(path / "key.pem", public_pem("ES256"))
    later = time.time() + 60
    os.utime(path / "key.pem", (later + 86400, later + 86400))
    source = RefreshedKeys(KeyDirectory(str(path)), max_age_seconds=MAX_AGE)
    source.reload(later)
    before = source.current(later)
    source.reload(later + 3)
    assert source.current(later + 3) is before


def test_file_that_has_just_changed_is_read_again(path: pathlib.Path) -> None:
    """Its next change may come within the granularity of the file system's clock."""
    write(path / "key.pem", public_pem("ES256"))
    reader = KeyDirectory(str(path))
    now = time.time()
    assert reader.read(now) is not reader.read(now)
    assert reader.read(now + 60) is reader.read(now + 60)


def test_removed_key_stops_working_at_the_next_reload(path: pathlib.Path) -> None:
    write(path / "old.pem", public_pem("ES256", 0))
    write(path / "new.pem", public_pem("ES256", 1))
    source = watch(path)
    by = verifier(source=source)
    token = sign(number=0)
    assert by.verify(token, NOW).key.source == "old.pem"
    (path / "old.pem").unlink()
    source.reload(NOW + 3)
    with pytest.raises(Exception, match="bad_signature: no public key verifies"):
        by.verify(token, NOW + 3)


def test_last_removed_file_leaves_no_usable_key(path: pathlib.Path) -> None:
    write(path / "key.pem", public_pem("ES256"))
    source = watch(path)
    (path / "key.pem").unlink()
    source.reload(NOW + 3)
    assert trouble(source, NOW + 3) == (
        f"jws_public_key_repository = {path}: there is no usable public key in it"
    )


def test_key_signed_with_before_its_file_is_noticed_causes_an_early_reload(
    path: pathlib.Path,
) -> None:
    write(path / "0.pem", public_pem("ES256", 0))
    source = watch(path)
    by = verifier(source=source)
    write(path / "1.pem", public_pem("ES256", 1))
    assert by.verify(sign(number=1), NOW).key.source == "1.pem"


def test_early_reloads_are_refused_when_they_come_too_often(path: pathlib.Path) -> None:
    write(path / "0.pem", public_pem("ES256", 0))
    source = watch(path)
    assert source.reload_early(NOW) is not None
    write(path / "1.pem", public_pem("ES256", 1))
    assert source.reload_early(NOW + 0.9) is None
    assert names(source) == ["0.pem"]
    assert source.reload_early(NOW + 1.0) is not None
    assert names(source) == ["0.pem", "1.pem"]


def test_clock_that_was_set_back_does_not_hold_up_early_reloads(path: pathlib.Path) -> None:
    write(path / "0.pem", public_pem("ES256", 0))
    source = watch(path)
    assert source.reload_early(NOW) is not None
    assert source.reload_early(NOW - 3600) is not None


def test_reloads_are_planned_every_few_seconds(path: pathlib.Path) -> None:
    source = RefreshedKeys(KeyDirectory(str(path)), max_age_seconds=MAX_AGE)
    assert source.reload_at < 0
    source.reload(NOW)
    assert source.reload_at == NOW + 3


# Kubernetes


def test_kubernetes_mount_is_read_and_its_atomic_swap_noticed(path: pathlib.Path) -> None:
    def publish(version: str, *numbers: int) -> None:
        """As kubelet's atomic writer does: a new directory, then one rename of a link."""
        (path / f"..{version}").mkdir(mode=0o755)
        for number in numbers:
            write(path / f"..{version}" / f"{number}.pem", public_pem("ES256", number))
        (path / "..data_tmp").symlink_to(f"..{version}")
        os.rename(path / "..data_tmp", path / "..data")
        for number in numbers:
            if not (path / f"{number}.pem").is_symlink():
                (path / f"{number}.pem").symlink_to(f"..data/{number}.pem")

    publish("2026_01", 0, 1)
    source = watch(path)
    assert names(source) == ["0.pem", "1.pem"]
    publish("2026_02", 1, 2)
    (path / "0.pem").unlink()
    shutil.rmtree(path / "..2026_01")
    source.reload(NOW + 3)
    assert names(source) == ["1.pem", "2.pem"]


def test_directory_that_is_itself_a_swapped_link_is_followed(tmp_path: pathlib.Path) -> None:
    for number in range(2):
        (tmp_path / str(number)).mkdir(mode=0o755)
        write(tmp_path / str(number) / "key.pem", public_pem("ES256", number))
    link = tmp_path / "current"
    link.symlink_to("0")
    source = watch(link)
    (tmp_path / "next").symlink_to("1")
    os.rename(tmp_path / "next", link)
    source.reload(NOW + 3)
    (key,) = source.current(NOW + 3).keys
    assert key.thumbprint == public_key("ES256", 1).thumbprint


# Permissions


def test_world_writable_directory_is_refused_and_named(
    path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(path / "key.pem", public_pem("ES256"))
    path.chmod(0o1777)
    source = watch(path)
    assert trouble(source) == (
        f"jws_public_key_repository = {path}: can't be used "
        "(it is writable by everyone: anyone could add a key; chmod o-w)"
    )
    assert "chmod o-w" in caplog.text
    path.chmod(0o755)
    source.reload(NOW + 3)
    assert names(source) == ["key.pem"]


def test_world_writable_file_is_skipped_and_named(
    path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(path / "good.pem", public_pem("ES256", 0))
    write(path / "open.pem", public_pem("ES256", 1), 0o666)
    source = watch(path)
    assert names(source) == ["good.pem"]
    assert caplog.messages == [f"{path}: open.pem is not used: writable by everyone"]
    (path / "open.pem").chmod(0o644)
    source.reload(NOW + 3)
    assert names(source) == ["good.pem", "open.pem"]


def test_target_of_a_link_is_judged(path: pathlib.Path, tmp_path: pathlib.Path) -> None:
    for name, mode in (("protected", 0o600), ("open", 0o606)):
        write(tmp_path / name, public_pem("ES256"), mode)
        (path / name).symlink_to(tmp_path / name)
    assert names(watch(path)) == ["protected"]


def test_group_writable_directory_and_file_are_used_with_a_warning(
    path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(path / "key.pem", public_pem("ES256"), 0o664)
    path.chmod(0o775)
    source = watch(path)
    source.reload(NOW + 3)
    assert names(source) == ["key.pem"]
    assert caplog.messages == [
        f"{path}: the directory is writable by its group",
        f"{path}: key.pem is writable by its group",
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_directory_and_file_of_another_user_are_used_with_a_warning(
    path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(path / "key.pem", public_pem("ES256"))
    write(path / "ours.pem", public_pem("ES256", 1))
    later = time.time() + 60
    source = RefreshedKeys(KeyDirectory(str(path)), max_age_seconds=MAX_AGE)
    source.reload(later)
    os.chown(path / "key.pem", 12345, -1)
    source.reload(later + 3)
    os.chown(path, 12345, -1)
    source.reload(later + 6)
    source.reload(later + 9)
    assert names(source, later + 9) == ["key.pem", "ours.pem"]
    of_file = f"{path}: key.pem is owned by neither root nor the user that reads it"
    of_directory = f"{path}: the directory is owned by neither root nor the user that reads it"
    assert caplog.messages == [of_file, of_directory, of_file]


# A directory that can't be read


def make_missing(path: pathlib.Path) -> None:
    shutil.rmtree(path)


def make_file(path: pathlib.Path) -> None:
    shutil.rmtree(path)
    path.write_text("not a directory")


def make_loop(path: pathlib.Path) -> None:
    shutil.rmtree(path)
    path.symlink_to(path)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (make_missing, "No such file or directory"),
        (make_file, "Not a directory"),
        (make_loop, "Too many levels of symbolic links"),
    ],
)
def test_last_good_keys_are_used_for_a_while_when_the_directory_is_gone(
    path: pathlib.Path, spoil: object, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert callable(spoil)
    write(path / "key.pem", public_pem("ES256"))
    source = watch(path)
    spoil(path)
    for now in (NOW + 3, NOW + MAX_AGE):
        source.reload(now)
        assert names(source, now) == ["key.pem"]
    assert trouble(source, NOW + MAX_AGE + 1) == (
        f"jws_public_key_repository = {path}: last read at 2027-01-15T08:00:00+00:00, longer ago "
        f"than jws_keys_max_age: can't be used ({reason})"
    )
    # Said once, not at every reload.
    (message,) = caplog.messages
    assert message == (
        f"jws_public_key_repository = {path}: can't be used ({reason}); "
        "the keys read before stay in use for 86400 s"
    )


def test_directory_that_comes_back_is_the_truth_again(
    path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    write(path / "0.pem", public_pem("ES256", 0))
    source = watch(path)
    make_missing(path)
    source.reload(NOW + MAX_AGE + 1)
    assert trouble(source, NOW + MAX_AGE + 1)
    path.mkdir(mode=0o755)
    write(path / "1.pem", public_pem("ES256", 1))
    source.reload(NOW + MAX_AGE + 4)
    assert names(source, NOW + MAX_AGE + 4) == ["1.pem"]
    assert caplog.messages[-1] == f"jws_public_key_repository = {path} can be read again"


def test_keys_that_nothing_reloads_grow_too_old(path: pathlib.Path) -> None:
    write(path / "key.pem", public_pem("ES256"))
    source = watch(path)
    assert names(source, NOW + MAX_AGE) == ["key.pem"]
    assert trouble(source, NOW + MAX_AGE + 1).endswith("jws_keys_max_age: nothing reloads it")


def test_directory_that_was_never_read_says_why(path: pathlib.Path) -> None:
    source = RefreshedKeys(KeyDirectory(str(path / "missing")), max_age_seconds=MAX_AGE)
    assert trouble(source).endswith("/missing: not read yet")
    source.reload(NOW)
    assert trouble(source).endswith("/missing: can't be used (No such file or directory)")


def test_running_out_of_file_descriptors_takes_no_key_away(path: pathlib.Path) -> None:
    import resource

    write(path / "key.pem", public_pem("ES256"))
    source = watch(path)
    write(path / "other.pem", public_pem("ES256", 1))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
        source.reload(NOW + 3)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert names(source, NOW + 3) == ["key.pem"]
    source.reload(NOW + 6)
    assert names(source, NOW + 6) == ["key.pem", "other.pem"]


def test_failing_disk_takes_no_key_away(path: pathlib.Path) -> None:
    memory = pathlib.Path("/proc/self/mem")  # its first page is not mapped: EIO
    if not memory.exists():
        pytest.skip("needs /proc")
    write(path / "key.pem", public_pem("ES256"))
    source = watch(path)
    (path / "key.pem").unlink()
    (path / "key.pem").symlink_to(memory)
    source.reload(NOW + 3)
    assert names(source, NOW + 3) == ["key.pem"]
    assert trouble(source, NOW + MAX_AGE + 1).endswith("can't be used (Input/output error)")


READ_ONLY_MOUNT = """
mount -t tmpfs -o mode=1777 none "$1" && cp "$2" "$1/key.pem" && chmod 666 "$1/key.pem" || exit 77
"$3" -c "$4" "$1"
mount -o remount,ro "$1" || exit 77
"$3" -c "$4" "$1"
"""
PRINT_KEYS = """
import sys
from authmw.errors import IdentityUnavailable
from authmw.keys.directory import KeyDirectory
from authmw.keys.refreshed import RefreshedKeys
source = RefreshedKeys(KeyDirectory(sys.argv[1]), max_age_seconds=60)
source.reload(0)
try:
    print([key.source for key in source.current(0).keys])
except IdentityUnavailable as error:
    print("refused" if "writable by everyone" in error.detail else error.detail)
"""


@pytest.mark.heavy
def test_world_writable_directory_is_accepted_where_the_mount_is_read_only(
    path: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """As Kubernetes mounts secrets. The mount is seen by nobody but the child process."""
    write(tmp_path / "public.pem", public_pem("ES256"))
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("needs unshare(1)")
    namespace = [unshare, "--user", "--map-root-user", "--mount"]
    arguments = [str(path), str(tmp_path / "public.pem"), sys.executable, PRINT_KEYS]
    result = subprocess.run(
        [*namespace, "sh", "-c", READ_ONLY_MOUNT, "sh", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(["", *sys.path])},
    )
    if result.returncode in (1, 77) and not result.stdout:
        pytest.skip(f"may not mount here: {result.stderr.strip()}")
    assert result.stdout.splitlines() == ["refused", "['key.pem']"], result.stderr
