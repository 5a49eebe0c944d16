"""A token in memory is checked again when keys or revocation events have changed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from authmw.testing import IdentityServer
from authmw.testing.issuer import Issuer
from authmw.testing.revocations import RevokedAttributes
from tests.support.protected import Protect, Protected
from tests.support.waiting import wait_for

pytestmark = pytest.mark.heavy  # each test waits until keys or events are read again


def has_status(protected: Protected, token: str, status: int) -> bool:
    return bool(protected.get(token).status_int == status)


@pytest.fixture(params=["identity", "claims"])
def authority(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def issue(server: IdentityServer, authority: str, user: str = "member") -> str:
    return server.issue_jws(user, project="inventory", names_and_roles=authority == "claims")


def offline(protect: Protect, keys: Path, authority: str, **options: str) -> Protected:
    return protect(
        jws_public_key_repository=str(keys),
        jws_authority=authority,
        revocation_poll_interval="1",
        **options,
    )


def test_a_removed_key_refuses_its_tokens_in_memory_once_the_directory_was_read(
    protect: Protect, server: IdentityServer, tmp_path: Path, authority: str
) -> None:
    keys = tmp_path / "keys"
    Issuer().write_public_key(keys, "other.pem")
    removed = server.issuer.write_public_key(keys, "removed.pem")
    protected = offline(protect, keys, authority, authority_cache_time="3600")
    token = issue(server, authority)
    assert protected.get(token).status_int == 200
    removed.unlink()
    # Within seconds, whatever authority_cache_time.
    assert wait_for(lambda: has_status(protected, token, 401))


def test_without_any_key_left_tokens_in_memory_get_503(
    protect: Protect, server: IdentityServer, tmp_path: Path, authority: str
) -> None:
    keys = tmp_path / "keys"
    removed = server.issuer.write_public_key(keys)
    protected = offline(protect, keys, authority, authority_cache_time="3600")
    token = issue(server, authority)
    assert protected.get(token).status_int == 200
    removed.unlink()
    assert wait_for(lambda: has_status(protected, token, 503))


def test_a_key_that_comes_back_serves_its_tokens_again(
    protect: Protect, server: IdentityServer, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    Issuer().write_public_key(keys, "other.pem")
    path = server.issuer.write_public_key(keys, "key.pem")
    protected = offline(protect, keys, "identity")
    token = issue(server, "identity")
    assert protected.get(token).status_int == 200
    path.unlink()
    assert wait_for(lambda: has_status(protected, token, 401))
    server.issuer.write_public_key(keys, "key.pem")
    assert wait_for(lambda: has_status(protected, token, 200))


def test_more_events_than_fit_make_a_token_in_memory_503_like_one_that_is_not(
    protect: Protect, server: IdentityServer, tmp_path: Path, authority: str
) -> None:
    server.issuer.write_public_key(tmp_path / "keys")
    protected = offline(
        protect, tmp_path / "keys", authority, revocation_max_events="50", authority_cache_time="60"
    )
    revoked, unseen = issue(server, authority), issue(server, authority)
    assert protected.get(revoked).status_int == 200
    time.sleep(1.1)
    server.revoke(revoked)
    overflow(server)
    assert wait_for(lambda: has_status(protected, revoked, 503))
    assert [protected.get(token).status_int for token in (revoked, unseen)] == [503, 503]


def test_remote_a_token_in_memory_is_asked_about_again_when_events_were_dropped(
    protect: Protect, server: IdentityServer
) -> None:
    """Its own event may be among them."""
    protected = protect(revocation_poll_interval="1", revocation_max_events="50")
    revoked, good = (server.issue("member", project="inventory") for _ in range(2))
    assert [protected.get(token).status_int for token in (revoked, good)] == [200, 200]
    time.sleep(1.1)
    server.revoke(revoked)
    overflow(server)
    assert wait_for(lambda: has_status(protected, revoked, 401))
    assert protected.get(good).status_int == 200


def overflow(server: IdentityServer) -> None:
    for number in range(120):
        server.emit(RevokedAttributes(audit_id=f"noise{number}"))
