"""The real Keystone's signing key is rotated while services are under load."""

from __future__ import annotations

import collections
import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from authmw.cli import main
from tests.support.filters import Filter
from tests.support.identity_api import IdentityApi
from tests.support.identity_types import project_scope
from tests.support.keystone import Keystone
from tests.system.keystone.bearers import Bearers
from tests.system.keystone.conftest import MakeFilter

# A removed key is noticed within seconds; a busy machine may be slower than 3 s.
SECONDS = 15


@pytest.fixture
def private_key(keystone: Keystone) -> Iterator[Path]:
    """Keystone's private key file; the key pair is as before after the test."""
    keystone.jws  # noqa: B018 - makes the site
    public, private = keystone.jws_public_key_repository, keystone.directory / "jws-private"
    before = {path: path.read_bytes() for folder in (public, private) for path in folder.iterdir()}
    yield private / "private.pem"
    for path in public.iterdir():
        path.unlink()
    for path, content in before.items():
        path.write_bytes(content)


@pytest.fixture
def distributed(keystone: Keystone, tmp_path: Path) -> Path:
    """The public keys on a service's host."""
    keys = tmp_path / "distributed"
    shutil.copytree(keystone.jws_public_key_repository, keys)
    return keys


class Load:
    """Threads that log in and use the new token at once, and old ones again and again."""

    def __init__(self, protected: Filter, bearers: Bearers) -> None:
        self.statuses: collections.Counter[int] = collections.Counter()
        self.failures: list[BaseException] = []
        self._protected = protected
        self._bearers = bearers
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(3)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def wait_for_more(self, requests: int) -> None:
        wanted = self.statuses.total() + requests
        give_up_at = time.monotonic() + 60
        while self.statuses.total() < wanted:
            assert not self.failures, self.failures
            assert time.monotonic() < give_up_at
            time.sleep(0.02)

    def _run(self) -> None:
        bearers = self._bearers
        # One session of HTTP for each thread.
        api = IdentityApi(bearers.api.url, admin_password="not used")
        scope = project_scope(bearers.project)
        tokens: collections.deque[str] = collections.deque(maxlen=20)
        try:
            while not self._stop.is_set():
                tokens.append(api.issue(bearers.caller, scope).id)
                for token in tokens:
                    self.statuses[self._protected.ask(token).status] += 1
        except BaseException as error:  # noqa: BLE001 - the test's thread looks at it
            self.failures.append(error)


def put(source: Path, target: Path) -> None:
    """Put a file in its place as a whole."""
    unfinished = target.with_name(f".{target.name}")
    shutil.copy(source, unfinished)
    os.replace(unfinished, target)


def test_a_rotation_under_load_refuses_no_valid_token_and_a_removed_key_ends_its_tokens(
    make_filter: MakeFilter,
    keystone: Keystone,
    bearers: Bearers,
    private_key: Path,
    distributed: Path,
    tmp_path: Path,
) -> None:
    protected = make_filter(
        jws_public_key_repository=str(distributed),
        token_validation="offline",
        revocation_poll_interval="0",
        # Remembered tokens ask no key.
        token_cache_time="0",
    )
    old = bearers.on_project()()
    pair = tmp_path / "pair"
    assert main(["keys", "generate", str(pair)]) == 0
    with Load(protected, bearers) as load:
        load.wait_for_more(20)
        for repository in (keystone.jws_public_key_repository, distributed):
            put(pair / "public.pem", repository / "2027.pem")
        load.wait_for_more(20)
        put(pair / "private.pem", private_key)
        load.wait_for_more(60)
    assert (set(load.statuses), load.failures) == ({200}, [])

    new = bearers.on_project()()
    assert [protected.ask(token).status for token in (old, new)] == [200, 200]
    (distributed / "public.pem").unlink()
    removed_at = time.monotonic()
    while protected.ask(old).status == 200:
        assert time.monotonic() < removed_at + SECONDS
        time.sleep(0.1)
    assert [protected.ask(token).status for token in (old, new)] == [401, 200]
