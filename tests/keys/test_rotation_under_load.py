"""Keys are rotated while threads verify: no valid token is refused, no removed key works."""

from __future__ import annotations

import os
import pathlib
import threading
import time

import pytest

from authmw.errors import InvalidToken
from authmw.keys.directory import KeyDirectory
from authmw.keys.refreshed import RefreshedKeys
from tests.support.signing import public_pem, sign, verifier

ROTATIONS = 6
THREADS = 4
NOW = 1_800_000_000.5


def test_rotation_refuses_no_valid_token_and_ends_the_removed_key(tmp_path: pathlib.Path) -> None:
    """As an operator rotates: the new public key first, then its use, then the old one away.

    Threads hold the token of the newest distributed key; reloads happen in each of them.
    """
    directory = tmp_path / "keys"
    directory.mkdir(mode=0o755)

    def distribute(number: int) -> None:
        part = tmp_path / "part"
        part.write_bytes(public_pem("ES256", number))
        part.chmod(0o644)
        os.rename(part, directory / f"{number}.pem")

    tokens = [sign(number=number) for number in range(ROTATIONS + 1)]
    distribute(0)
    source = RefreshedKeys(KeyDirectory(str(directory)), max_age_seconds=60)
    source.reload(NOW)
    by = verifier(source=source)
    current = [0]
    verified = [0] * THREADS
    failures: list[Exception] = []
    stop = threading.Event()

    def work(thread: int) -> None:
        while not stop.is_set():
            try:
                if verified[thread] % 5 == 0:
                    source.reload(NOW)
                by.verify(tokens[current[0]], NOW)
                verified[thread] += 1
            except Exception as error:  # noqa: BLE001  # whatever it is, the test fails with it
                failures.append(error)
                return

    def wait_for_everyone() -> None:
        """Until every thread has reloaded and verified again."""
        goals = [count + 10 for count in verified]
        deadline = time.monotonic() + 30
        while not failures and any(
            count < goal for count, goal in zip(verified, goals, strict=True)
        ):
            assert time.monotonic() < deadline
            time.sleep(0.001)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    try:
        for number in range(1, ROTATIONS + 1):
            distribute(number)
            wait_for_everyone()
            current[0] = number
            wait_for_everyone()
            (directory / f"{number - 1}.pem").unlink()
            wait_for_everyone()
            with pytest.raises(InvalidToken, match="no public key verifies"):
                by.verify(tokens[number - 1], NOW)
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    assert failures == []
    assert min(verified) > 0
