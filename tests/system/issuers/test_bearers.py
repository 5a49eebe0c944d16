"""What is read of a bearer is shared by their tokens, and by nobody else's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from authmw.testing.oidc_server import OidcServer
from tests.support.issuers.filter import IssuerFilter, protect_by


@pytest.fixture
def server() -> Iterator[OidcServer]:
    with OidcServer() as running:
        yield running


def principal_of(protected: IssuerFilter, token: str) -> object:
    assert protected.status_of(token) == 200
    return protected.service.last["authmw.token"].principal


def test_tokens_of_one_bearer_share_what_is_read_of_them(server: OidcServer) -> None:
    protected = protect_by(server)
    first = principal_of(protected, server.issue("ada", roles=["member"]))
    assert principal_of(protected, server.issue("ada", roles=["member"])) is first
    for other in (server.issue("ada", roles=["reader"]), server.issue("grace", roles=["member"])):
        assert principal_of(protected, other) is not first
    protected.close()


def test_claim_that_is_mapped_is_never_taken_from_another_token(server: OidcServer) -> None:
    protected = protect_by(server, issuer__a__user_id="jti")
    for _ in range(3):
        assert protected.status_of(server.issue("ada")) == 200
        environ = protected.service.last
        assert environ["HTTP_X_USER_ID"] == environ["authmw.token"].audit_id
    assert len({seen["HTTP_X_USER_ID"] for seen in protected.service.seen}) == 3
    protected.close()


def test_same_claims_of_two_issuers_are_two_bearers(server: OidcServer) -> None:
    with OidcServer() as other:
        protected = protect_by(server, other)
        one, two = server.issue("ada"), other.issue("ada")
        assert principal_of(protected, one) is principal_of(protected, server.issue("ada"))
        assert protected.status_of(two) == 200
        tokens = [seen["authmw.token"].issuer for seen in protected.service.seen]
        assert tokens == [server.issuer, server.issuer, other.issuer]
        protected.close()
