"""Events end remembered tokens, offline and remote alike."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from authmw.testing import Fault, IdentityServer
from tests.support.protected import Protect, Protected
from tests.support.waiting import wait_for

pytestmark = pytest.mark.both_doors

INTERVAL = "1"


@pytest.fixture(params=["remote", "offline"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def filtered(protect: Protect, server: IdentityServer, tmp_path: Path, mode: str) -> Protected:
    options = {"revocation_poll_interval": INTERVAL, "authority_cache_time": "3600"}
    if mode == "offline":
        server.issuer.write_public_key(tmp_path / "keys")
        options["jws_public_key_repository"] = str(tmp_path / "keys")
    return protect(**options)


@pytest.fixture
def issue(server: IdentityServer, mode: str) -> Callable[..., str]:
    return server.issue_jws if mode == "offline" else server.issue


def revoke_token(server: IdentityServer, token: str) -> None:
    server.revoke(token)


def disable_user(server: IdentityServer, _: str) -> None:
    server.disable_user("member")


def delete_user(server: IdentityServer, _: str) -> None:
    server.delete_user("member")


def change_password(server: IdentityServer, _: str) -> None:
    server.change_password("member", "another")


def delete_project(server: IdentityServer, _: str) -> None:
    server.delete_project("inventory")


@pytest.mark.parametrize(
    "deed", [revoke_token, disable_user, delete_user, change_password, delete_project]
)
def test_a_remembered_token_is_refused_within_an_interval_and_others_are_not(
    filtered: Protected,
    server: IdentityServer,
    issue: Callable[..., str],
    deed: Callable[[IdentityServer, str], None],
) -> None:
    token = issue("member", project="inventory")
    other = issue("reader", system=True)
    assert (filtered.get(token).status_int, filtered.get(other).status_int) == (200, 200)
    deed(server, token)
    assert wait_for(lambda: filtered.get(token).status_int == 401)
    assert filtered.get(other).status_int == 200


def test_a_revoked_service_token_is_refused_too(
    filtered: Protected, server: IdentityServer, issue: Callable[..., str]
) -> None:
    user, service = issue("member", project="inventory"), issue("service", project="service")

    def send() -> Any:
        return filtered.get(user, headers={"X-Service-Token": service}).status_int

    assert send() == 200
    server.revoke(service)
    assert wait_for(lambda: send() == 401)
    assert filtered.get(user).status_int == 200


def test_nothing_is_asked_about_a_remembered_token_when_events_come(
    filtered: Protected, server: IdentityServer, issue: Callable[..., str]
) -> None:
    kept, gone = issue("member", project="inventory"), issue("reader", project="inventory")
    filtered.get(kept), filtered.get(gone)
    before = server.calls["validate"]
    server.revoke(gone)
    assert wait_for(lambda: filtered.get(gone).status_int == 401)
    asked = server.calls["validate"]
    for _ in range(5):
        assert filtered.get(kept).status_int == 200
    assert server.calls["validate"] == asked
    assert asked - before <= 1


@pytest.mark.parametrize("mode", ["remote"], indirect=True)
def test_without_the_right_to_read_events_remote_validation_goes_on(
    protect: Protect, server: IdentityServer, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    with server.failing(Fault.FORBIDDEN, "events"):
        protected = protect(revocation_poll_interval=INTERVAL)
        token = server.issue("member", project="inventory")
        assert protected.get(token).status_int == 200
        assert wait_for(lambda: "our own user may not read them" in caplog.text)
        assert wait_for(lambda: server.calls["events"] >= 3)
        assert protected.get(token).status_int == 200
    warnings = [line for line in caplog.text.splitlines() if "our own user may not read" in line]
    assert len(warnings) == 1


def test_without_any_room_for_files_the_service_starts_and_asks_by_itself(
    request: pytest.FixtureRequest,
    server: IdentityServer,
    issue: Callable[..., str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail() -> str:
        # What it says where every disk is full or read-only.
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp', '/var/tmp']")

    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "gettempdir", fail)
        patch.setenv("TMPDIR", str(tmp_path / "gone"))
        filtered: Protected = request.getfixturevalue("filtered")
    token = issue("member", project="inventory")
    assert filtered.get(token).status_int == 200
    server.revoke(token)
    assert wait_for(lambda: filtered.get(token).status_int == 401)
    assert caplog.text.count("revocation events are not shared between processes") == 1


@pytest.mark.parametrize("mode", ["offline"], indirect=True)
def test_without_events_signed_tokens_get_503(
    filtered: Protected, server: IdentityServer, issue: Callable[..., str], mode: str
) -> None:
    token = issue("member", project="inventory")
    with server.failing(Fault.ERROR_503, "events"):
        assert filtered.get(token).status_int == 503
    assert wait_for(lambda: filtered.get(token).status_int == 200)


@pytest.mark.parametrize("mode", ["offline"], indirect=True)
def test_what_was_revoked_stays_so_while_the_identity_service_is_gone(
    filtered: Protected, server: IdentityServer, issue: Callable[..., str], mode: str
) -> None:
    revoked, good = (issue("member", project="inventory") for _ in range(2))
    assert filtered.get(revoked).status_int == 200
    server.revoke(revoked)
    assert wait_for(lambda: filtered.get(revoked).status_int == 401)
    server.stop()
    assert filtered.get(good).status_int == 200
    assert filtered.get(revoked).status_int == 401
