"""A service that knows one OIDC issuer, in two lines of configuration, and no Keystone."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from authmw.testing.oidc_server import OidcServer
from tests.support.issuers.filter import IssuerFilter, protect_by


@pytest.fixture
def server() -> Iterator[OidcServer]:
    with OidcServer() as running:
        yield running


@pytest.fixture
def protected(server: OidcServer) -> Iterator[IssuerFilter]:
    made = protect_by(server)
    yield made
    made.close()


def test_service_learns_who_calls_from_an_access_token(
    server: OidcServer, protected: IssuerFilter
) -> None:
    token = server.issue("ada", roles=["member", "reader"], scope="inventory.read")
    assert protected.get(token).status_int == 200
    environ = protected.service.last
    assert environ["HTTP_X_IDENTITY_STATUS"] == "Confirmed"
    assert environ["HTTP_X_USER_ID"] == "ada"
    assert environ["HTTP_X_ROLES"] == "member,reader"
    assert environ["HTTP_X_IS_ADMIN_PROJECT"] == "False"
    for absent in ("PROJECT_ID", "DOMAIN_ID", "USER_NAME", "USER_DOMAIN_ID", "TENANT"):
        assert f"HTTP_X_{absent}" not in environ
    assert environ["authmw.token"].user.id == "ada"
    assert environ["keystone.token_info"]["token"]["user"] == {"id": "ada"}


def test_token_is_taken_from_x_auth_token_as_well(
    server: OidcServer, protected: IssuerFilter
) -> None:
    token = server.issue("ada")
    assert protected.app.get("/", headers={"X-Auth-Token": token}).status_int == 200


def test_second_request_asks_nobody(server: OidcServer, protected: IssuerFilter) -> None:
    token = server.issue("ada")
    assert protected.status_of(token) == protected.status_of(token) == 200
    assert protected.status_of(server.issue("grace")) == 200
    assert server.calls == {"discover": 1, "keys": 1}


@pytest.mark.parametrize("kind", ["id_token", "opaque", "audience", "nothing", "expired"])
def test_what_is_no_access_token_for_us_is_refused(
    kind: str, server: OidcServer, protected: IssuerFilter, caplog: pytest.LogCaptureFixture
) -> None:
    token, reason = {
        "id_token": (server.issue_id_token("ada"), "id_token"),
        "opaque": (server.issue_opaque("ada"), "malformed: it is no signed token"),
        "audience": (server.issue("ada", audience="https://other.example"), "wrong_audience"),
        "nothing": ("a.b.c", "malformed"),
        "expired": (server.issue("ada", lifetime_seconds=-1), "expired"),
    }[kind]
    with caplog.at_level(logging.INFO, "authmw"):
        refused = protected.get(token)
    assert refused.status_int == 401
    assert refused.headers.getall("WWW-Authenticate")[0].startswith("Bearer ")
    assert reason in caplog.text
    assert token not in caplog.text
    # Nobody needed credentials of ours.
    assert all(record.levelno < logging.WARNING for record in caplog.records)


def test_token_of_an_unknown_issuer_is_refused(
    protected: IssuerFilter, caplog: pytest.LogCaptureFixture
) -> None:
    with OidcServer() as stranger, caplog.at_level(logging.INFO, "authmw"):
        assert protected.status_of(stranger.issue("ada")) == 401
        assert not stranger.calls
    assert "wrong_issuer" in caplog.text


def test_new_key_is_found_at_once(server: OidcServer, protected: IssuerFilter) -> None:
    assert protected.status_of(server.issue("ada")) == 200
    server.rotate_key()
    assert protected.status_of(server.issue("ada")) == 200


def test_issuer_that_does_not_answer_is_an_outage(
    server: OidcServer, protected: IssuerFilter, caplog: pytest.LogCaptureFixture
) -> None:
    token = server.issue("ada")
    server.stop()
    assert protected.status_of(token) == 503
    assert server.issuer in caplog.text


@pytest.mark.parametrize("confirmation", [{"jkt": "a" * 43}, {"x5t#S256": "a" * 43}, {"kid": "a"}])
def test_token_that_is_bound_to_something_else_is_refused(
    confirmation: dict[str, str], server: OidcServer, protected: IssuerFilter
) -> None:
    assert protected.status_of(server.issue("ada", claims={"cnf": confirmation})) == 401
