"""A directory and a JWK set used together."""

from __future__ import annotations

import pathlib

import pytest

from authmw.errors import IdentityUnavailable, InvalidToken
from authmw.keys.combined import CombinedKeys
from authmw.keys.directory import KeyDirectory
from authmw.keys.jwks_uri import JwksUri
from authmw.keys.refreshed import RefreshedKeys
from tests.keys.jwks_server import fetch, jwk_set, serve_jwks
from tests.support.signing import public_pem, sign, verifier

NOW = 1_800_000_000.0


def combine(path: pathlib.Path, uri: str) -> CombinedKeys:
    source = CombinedKeys(
        [
            RefreshedKeys(KeyDirectory(str(path)), max_age_seconds=60),
            RefreshedKeys(JwksUri(uri, fetch), max_age_seconds=60),
        ]
    )
    source.reload(NOW)
    return source


def test_keys_of_both_sources_are_used(tmp_path: pathlib.Path) -> None:
    (tmp_path / "key.pem").write_bytes(public_pem("ES256", 1))
    with serve_jwks() as server:
        source = combine(tmp_path, server.uri)
        by = verifier(source=source)
        assert by.verify(sign(number=0), NOW).key.source == server.uri
        assert by.verify(sign(number=1), NOW).key.source == "key.pem"
        assert source.current(NOW) is source.current(NOW)
        with pytest.raises(InvalidToken, match="bad_signature"):
            by.verify(sign(number=2), NOW)


def test_each_source_is_reloaded_in_its_own_time(tmp_path: pathlib.Path) -> None:
    with serve_jwks() as server:
        source = combine(tmp_path, server.uri)
        assert source.reload_at == NOW + 3
        source.reload(NOW + 3)
        assert len(server.requests) == 1
        source.reload(NOW + 300)
        assert len(server.requests) == 2


def test_early_reload_reaches_every_source(tmp_path: pathlib.Path) -> None:
    with serve_jwks() as server:
        source = combine(tmp_path, server.uri)
        (tmp_path / "key.pem").write_bytes(public_pem("ES256", 1))
        server.body = jwk_set(0, 2)
        assert {key.source for key in (source.reload_early(NOW) or source.current(0)).keys} == {
            "key.pem",
            server.uri,
        }
        assert source.reload_early(NOW) is None


def test_keys_of_one_source_are_used_while_the_other_is_down(tmp_path: pathlib.Path) -> None:
    with serve_jwks() as server:
        pass
    (tmp_path / "key.pem").write_bytes(public_pem("ES256"))
    source = combine(tmp_path, server.uri)
    by = verifier(source=source)
    assert by.verify(sign(), NOW).key.source == "key.pem"
    # The missing half might have known this one.
    with pytest.raises(IdentityUnavailable, match=f"but jws_jwks_uri = {server.uri}: no answer"):
        by.verify(sign(number=1), NOW)


def test_no_keys_at_all_is_an_outage_that_names_both(tmp_path: pathlib.Path) -> None:
    with serve_jwks() as server:
        pass
    source = combine(tmp_path / "missing", server.uri)
    with pytest.raises(IdentityUnavailable) as unavailable:
        source.current(NOW)
    assert "jws_public_key_repository" in unavailable.value.detail
    assert "jws_jwks_uri" in unavailable.value.detail
