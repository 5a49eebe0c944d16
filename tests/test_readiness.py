"""`authmw.health` tells what a filter lacks, without asking anybody."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

import authmw
from authmw.build import FilterParts, build_filter_parts
from authmw.build.parts import find_live_parts
from authmw.testing import IdentityServer
from authmw.testing.oidc_server import OidcServer
from tests.support.protected import get
from tests.support.waiting import wait_for


@pytest.fixture
def built() -> Iterator[list[FilterParts]]:
    built: list[FilterParts] = []
    yield built
    for parts in built:
        parts.close()


@pytest.fixture
def keys(tmp_path: Path, server: IdentityServer) -> Path:
    repository = tmp_path / "keys"
    repository.mkdir(mode=0o755)
    server.issuer.write_public_key(repository)
    return repository


def build(built: list[FilterParts], server: IdentityServer, **options: str) -> FilterParts:
    conf = {**server.service_credentials, "http_request_max_retries": "0", **options}
    built.append(build_filter_parts(conf))
    return built[-1]


def serve(parts: FilterParts, token: str) -> int:
    """Send one request; returns the status."""

    def app(environ: object, start_response: object) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])  # type: ignore[operator]
        return [b""]

    status: int = get(authmw.AuthMiddleware.from_parts(app, parts), token).status_int
    return status


def test_a_filter_is_ready_before_anybody_was_asked(
    built: list[FilterParts], server: IdentityServer
) -> None:
    health = authmw.health(build(built, server))
    assert health == authmw.Health(ready=True)
    with pytest.raises(dataclasses.FrozenInstanceError):
        health.ready = False  # type: ignore[misc]


def test_keys_and_events_are_read_although_no_request_comes(
    built: list[FilterParts], server: IdentityServer, keys: Path
) -> None:
    """A service that gets no request before it is ready would else never be."""
    parts = build(built, server, jws_public_key_repository=str(keys))
    with server.lock:  # nobody is answered
        health = authmw.health(parts)
    assert not health.ready
    assert any(reason.startswith("revocation: no revocation events") for reason in health.reasons)
    assert wait_for(lambda: authmw.health(parts).ready)


def test_keys_that_can_t_be_read_are_named(
    built: list[FilterParts], server: IdentityServer, tmp_path: Path
) -> None:
    missing = tmp_path / "none"
    parts = build(built, server, jws_public_key_repository=str(missing))
    option = f"keys: jws_public_key_repository = {missing}: "
    assert wait_for(
        lambda: any(
            reason.startswith(option) and "not read yet" not in reason
            for reason in authmw.health(parts).reasons
        )
    )


def test_events_that_are_too_old_are_named(
    built: list[FilterParts], server: IdentityServer, keys: Path
) -> None:
    parts = build(
        built,
        server,
        jws_public_key_repository=str(keys),
        revocation_poll_interval="1",
        revocation_max_staleness="2",
    )
    assert wait_for(lambda: authmw.health(parts).ready)
    server.stop()
    assert wait_for(
        lambda: any(
            reason.startswith("revocation: revocation events were last read at ")
            for reason in authmw.health(parts).reasons
        )
    )


def test_an_identity_service_that_does_not_answer_is_named_until_it_does(
    built: list[FilterParts], server: IdentityServer
) -> None:
    parts = build(built, server, revocation_poll_interval="0")
    assert serve(parts, server.issue(project="inventory")) == 200
    server.stop()
    assert serve(parts, "made-up") == 503
    assert wait_for(lambda: not authmw.health(parts).ready)
    assert authmw.health(parts).reasons == ("identity: it does not answer; the log has the cause",)
    server.start()
    assert wait_for(lambda: authmw.health(parts).ready)


def test_without_arguments_every_open_filter_of_the_process_is_asked(
    built: list[FilterParts], server: IdentityServer, tmp_path: Path
) -> None:
    # Of other tests.
    for parts in find_live_parts():
        parts.close()
    build(built, server)
    build(built, server, jws_public_key_repository=str(tmp_path / "none"))
    assert not authmw.health().ready
    built.pop().close()
    assert wait_for(lambda: authmw.health().ready)
    built.pop().close()
    assert authmw.health().reasons == ("no filter was built in this process",)


def test_the_keys_decide_nothing_where_the_identity_service_does(
    built: list[FilterParts], server: IdentityServer, tmp_path: Path
) -> None:
    shadow = {"jws_public_key_repository": str(tmp_path / "none"), "shadow_validation": "true"}
    assert authmw.health(build(built, server, **shadow)).ready


def test_an_issuer_is_not_asked_before_a_token_of_it_came(built: list[FilterParts]) -> None:
    with OidcServer() as issuer:
        conf = {"issuer.acme.issuer": issuer.issuer, "issuer.acme.audience": issuer.audience}
        parts = build_filter_parts(conf)
        built.append(parts)
        issuer.stop()
        assert authmw.health(parts).ready
        token = issuer.issue("alice")
        assert serve_bearer(parts, token) == 503
        health = authmw.health(parts)
        assert not health.ready
        assert health.reasons[0].startswith("issuer acme: ")


def serve_bearer(parts: FilterParts, token: str) -> int:
    status: int = get(
        authmw.AuthMiddleware.from_parts(lambda *_: [], parts), Authorization=f"Bearer {token}"
    ).status_int
    return status


def test_nothing_is_sent_or_read_by_the_call(
    built: list[FilterParts],
    server: IdentityServer,
    keys: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts = build(built, server, jws_public_key_repository=str(keys))
    assert wait_for(lambda: authmw.health(parts).ready)
    parts.refresher.close()

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("I/O")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr("builtins.open", refuse)
    assert authmw.health(parts).ready
