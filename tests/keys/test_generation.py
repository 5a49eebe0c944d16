"""The generation of a key source changes when its usable keys do."""

from __future__ import annotations

import logging
import pathlib
import time
from collections.abc import Iterator
from typing import Any

import pytest

from authmw.keys.combined import CombinedKeys
from authmw.keys.directory import KeyDirectory
from authmw.keys.jwks_uri import JwksUri
from authmw.keys.refreshed import RefreshedKeys
from authmw.keys.source import KeySource
from authmw.testing import IdentityServer
from tests.keys.jwks_server import JwksServer, fetch, jwk_set, serve_jwks
from tests.support.clock import Clock
from tests.support.embedded_identity import make_filter
from tests.support.filters import Filter
from tests.support.signing import public_pem

NOW = 1_800_000_000.0
MAX_AGE = 60.0
# Of a directory, where a background thread looks, and where a request has to.
POLL_SECONDS, PATIENCE_SECONDS = 3.0, 2.0
# For a machine that is busy with something else.
TOLERANCE_SECONDS = 4.0


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    directory = tmp_path / "keys"
    directory.mkdir(mode=0o755)
    return directory


@pytest.fixture
def jwks() -> Iterator[JwksServer]:
    with serve_jwks() as server:
        yield server


def put(path: pathlib.Path, name: str, number: int) -> None:
    (path / name).write_bytes(public_pem("ES256", number))
    (path / name).chmod(0o644)


class Watched:
    """A source that is reloaded at its planned time, and what it told of its changes."""

    def __init__(self, source: KeySource) -> None:
        self.source = source
        self.told = 0
        source.add_listener(self._tell)

    def _tell(self) -> None:
        self.told += 1

    def changes(self, now: float) -> bool:
        """Reload; tell whether the number has grown, and that it never shrinks."""
        before = self.source.generation
        self.source.reload(now)
        after = self.source.generation
        assert after >= before
        return after > before


def test_it_changes_whenever_a_key_comes_goes_or_is_replaced(path: pathlib.Path) -> None:
    put(path, "a.pem", 0)
    watched = Watched(RefreshedKeys(KeyDirectory(str(path)), max_age_seconds=MAX_AGE))
    assert watched.changes(NOW)
    assert not watched.changes(NOW + 3)
    put(path, "b.pem", 1)
    assert watched.changes(NOW + 6)
    put(path, "b.pem", 2)
    assert watched.changes(NOW + 9)
    (path / "a.pem").unlink()
    assert watched.changes(NOW + 12)
    (path / "b.pem").chmod(0o666)
    assert watched.changes(NOW + 15)
    assert not watched.changes(NOW + 18)
    assert watched.told == watched.source.generation


def test_it_stays_while_files_change_that_are_no_other_keys(path: pathlib.Path) -> None:
    put(path, "a.pem", 0)
    watched = Watched(RefreshedKeys(KeyDirectory(str(path)), max_age_seconds=MAX_AGE))
    watched.source.reload(NOW)
    put(path, "same.pem", 0)
    (path / "note.txt").write_text("nothing")
    (path / "a.pem").unlink()
    assert not watched.changes(NOW + 3)


def test_it_changes_when_keys_of_a_lost_directory_grow_too_old(path: pathlib.Path) -> None:
    put(path, "a.pem", 0)
    watched = Watched(RefreshedKeys(KeyDirectory(str(path)), max_age_seconds=MAX_AGE))
    watched.source.reload(NOW)
    path.rename(path.with_name("elsewhere"))
    assert not watched.changes(NOW + 3)
    assert not watched.changes(NOW + MAX_AGE)
    # What is planned is not later than that moment.
    assert NOW + MAX_AGE < watched.source.reload_at <= NOW + MAX_AGE + 1
    assert watched.changes(watched.source.reload_at)
    assert not watched.changes(NOW + MAX_AGE + 9)
    path.with_name("elsewhere").rename(path)
    assert watched.changes(NOW + MAX_AGE + 12)


def test_it_changes_with_the_set_behind_a_uri_and_with_its_age(jwks: JwksServer) -> None:
    jwks.etag = '"one"'
    watched = Watched(RefreshedKeys(JwksUri(jwks.uri, fetch), max_age_seconds=MAX_AGE))
    assert watched.changes(NOW)
    assert not watched.changes(NOW + 10)  # 304
    jwks.etag = None
    assert not watched.changes(NOW + 20)  # the same again
    jwks.body = jwk_set(1)
    assert watched.changes(NOW + 30)
    jwks.status = 500
    assert not watched.changes(NOW + 65)
    assert NOW + 90 < watched.source.reload_at <= NOW + 91
    assert watched.changes(watched.source.reload_at)


def test_keys_are_confirmed_before_they_grow_too_old(jwks: JwksServer, path: pathlib.Path) -> None:
    put(path, "a.pem", 0)
    for source in (
        RefreshedKeys(JwksUri(jwks.uri, fetch), max_age_seconds=1),
        RefreshedKeys(KeyDirectory(str(path)), max_age_seconds=1),
    ):
        watched = Watched(source)
        now = NOW
        assert watched.changes(now)
        for _ in range(5):
            now = source.reload_at
            assert not watched.changes(now)
            assert source.current(now)


def test_that_of_several_sources_changes_with_any_of_them(
    path: pathlib.Path, jwks: JwksServer
) -> None:
    put(path, "a.pem", 1)
    watched = Watched(
        CombinedKeys(
            [
                RefreshedKeys(KeyDirectory(str(path)), max_age_seconds=86400),
                RefreshedKeys(JwksUri(jwks.uri, fetch), max_age_seconds=86400),
            ]
        )
    )
    assert watched.changes(NOW)
    assert not watched.changes(NOW + 3)
    put(path, "b.pem", 2)
    assert watched.changes(NOW + 6)
    jwks.body = jwk_set(3)
    assert watched.changes(NOW + 300)
    assert watched.told == watched.source.generation


# Through the middleware


@pytest.fixture
def server() -> Iterator[IdentityServer]:
    with IdentityServer() as running:
        yield running


@pytest.fixture
def filtered(server: IdentityServer, path: pathlib.Path) -> Iterator[Filter]:
    protected = make_filter(server, path, Clock(), authority_cache_time="3600")
    yield protected
    protected.close()


def source_of(protected: Filter) -> KeySource:
    refreshed: tuple[Any, ...] = protected._parts.refresher._refreshables
    (source,) = (each for each in refreshed if isinstance(each, RefreshedKeys))
    return source


def test_a_removed_file_is_noticed_in_seconds_though_all_requests_are_for_one_known_token(
    filtered: Filter, server: IdentityServer, path: pathlib.Path
) -> None:
    put(path, "other.pem", 0)
    token = server.issue_jws("member", project="inventory")
    assert filtered.ask(token).status == 200
    source = source_of(filtered)
    before = source.generation
    (path / "public.pem").unlink()
    give_up_at = time.monotonic() + POLL_SECONDS + TOLERANCE_SECONDS
    while source.generation == before:
        filtered.ask(token)
        assert time.monotonic() < give_up_at
        time.sleep(0.05)


def test_where_no_thread_runs_a_request_for_a_known_token_notices_it(
    filtered: Filter, server: IdentityServer, path: pathlib.Path
) -> None:
    put(path, "other.pem", 0)
    token = server.issue_jws("member", project="inventory")
    assert filtered.ask(token).status == 200
    source = source_of(filtered)
    before = source.generation
    (path / "public.pem").unlink()
    # Threads sleep by the real time, so that to this clock they are as good as stopped.
    filtered.clock.advance(POLL_SECONDS + PATIENCE_SECONDS + 0.1)
    filtered.ask(token)
    assert source.generation > before


# Keys of no use


def test_keys_of_which_none_is_accepted_are_warned_of_once_for_each_change(
    path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(path, "a.pem", 0)
    source = RefreshedKeys(
        KeyDirectory(str(path)),
        max_age_seconds=86400,
        accepted_algorithms=frozenset({"ES384", "EdDSA"}),
    )
    with caplog.at_level(logging.WARNING):
        source.reload(NOW)
        source.reload(NOW + 3)
        put(path, "b.pem", 1)
        source.reload(NOW + 6)
        source.reload(NOW + 9)
        (path / "c.pem").write_bytes(public_pem("EdDSA"))
        source.reload(NOW + 12)
        (path / "c.pem").unlink()
        source.reload(NOW + 15)
    assert caplog.messages == [
        f"jws_public_key_repository = {path}: none of its public keys ({count}: ES256) fits "
        "jws_accepted_algorithms = ES384,EdDSA, so every token that they sign is refused; add the "
        "algorithm there, or replace the keys"
        for count in (1, 2, 2)
    ]


def test_a_filter_warns_of_a_jwk_set_of_which_no_key_is_accepted(
    server: IdentityServer, caplog: pytest.LogCaptureFixture
) -> None:
    protected = Filter(
        {
            **server.service_credentials,
            "jws_jwks_uri": server.jwks_url,
            "jws_accepted_algorithms": "RS256",
            "token_validation": "offline",
            "revocation_poll_interval": "0",
        }
    )
    for _ in range(2):
        assert protected.ask(server.issue_jws("member", project="inventory")).status == 401
    protected.close()
    warnings = [message for message in caplog.messages if "none of its public keys" in message]
    assert len(warnings) == 1
    assert "(1: ES256) fits jws_accepted_algorithms = RS256" in warnings[0]
