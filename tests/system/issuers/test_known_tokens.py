"""A token that is in memory is judged by all that came with the request, as at first sight."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from authmw.testing.dpop import DpopClient
from authmw.testing.oidc_server import OidcServer
from tests.support.issuers.filter import IssuerFilter, protect_by

URL = "https://inventory.example/items"


@pytest.fixture
def server() -> Iterator[OidcServer]:
    with OidcServer() as running:
        yield running


@pytest.fixture
def protected(server: OidcServer) -> Iterator[IssuerFilter]:
    made = protect_by(server)
    yield made
    made.close()


@pytest.fixture
def known(server: OidcServer, protected: IssuerFilter) -> str:
    token = server.issue("ada")
    for _ in range(3):  # the keys were read by the first one, and are fresh only from then on
        assert protected.status_of(token) == 200
    return token


def status_with(protected: IssuerFilter, **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return int(protected.app.get("/items", headers=named, status="*").status_int)


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "BEARER  {}", "Bearer   {} "])
def test_bearer_in_any_form_passes_and_is_copied(
    protected: IssuerFilter, known: str, form: str
) -> None:
    assert status_with(protected, Authorization=form.format(known)) == 200
    seen = protected.service.last
    assert (seen["HTTP_X_AUTH_TOKEN"], seen["HTTP_X_USER_ID"]) == (known, "ada")
    assert seen["keystone.token_auth"].tokens[1] == known


def test_app_may_derive_a_request_with_another_bearer(
    protected: IssuerFilter, known: str, server: OidcServer
) -> None:
    """What we copied to X-Auth-Token is no token that the client sent there."""
    assert status_with(protected, Authorization=f"Bearer {known}") == 200
    environ = dict(protected.service.last)
    other = server.issue("grace")
    for token, user in ((other, "grace"), (other, "grace"), (known, "ada")):
        derived = {**environ, "HTTP_AUTHORIZATION": f"Bearer {token}"}
        answer = protected.app.request("/items", environ=derived)
        assert answer.status_int == 200
        assert protected.service.last["HTTP_X_USER_ID"] == user
    del environ["HTTP_AUTHORIZATION"]
    assert protected.app.request("/items", environ=environ, status="*").status_int == 401


def test_storage_token_comes_before_authorization(
    protected: IssuerFilter, known: str, server: OidcServer
) -> None:
    other = server.issue("grace")
    assert protected.status_of(other) == 200
    both = {"X_Storage_Token": other, "Authorization": f"Bearer {known}"}
    assert status_with(protected, **both) == 200
    assert protected.service.last["HTTP_X_USER_ID"] == "grace"


@pytest.mark.parametrize("header", ["X_Auth_Token", "Authorization"])
def test_unbound_token_with_a_proof_is_refused(
    protected: IssuerFilter, known: str, header: str
) -> None:
    token = known if header == "X_Auth_Token" else f"Bearer {known}"
    assert status_with(protected, **{header: token}) == 200
    proof = DpopClient().prove(known, "GET", URL)
    assert status_with(protected, **{header: token}, DPoP=proof) == 401
    assert status_with(protected, Authorization=f"DPoP {known}") == 401
    assert status_with(protected, X_Auth_Token=known, Authorization=f"DPoP {known}") == 401


def test_without_accept_bearer_authorization_is_the_services_own(server: OidcServer) -> None:
    protected = protect_by(server, accept_bearer="false")
    token = server.issue("ada")
    for _ in range(3):
        assert status_with(protected, X_Auth_Token=token) == 200
    assert protected.status_of(token) == 401
    assert status_with(protected, X_Auth_Token=token, Authorization="Basic eDp5") == 200
    protected.close()
