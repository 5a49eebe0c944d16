"""What is read of a bearer is shared by their tokens, and by nobody else's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

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


def claims_of(server: OidcServer, **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    claims = {
        "iss": server.issuer,
        "aud": server.audience,
        "sub": "ada",
        "client_id": "c1",
        "roles": ["member"],
        "iat": now,
        "exp": now + 900,
        "jti": "first",
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not None}


def sign(server: OidcServer, typ: str = "at+jwt", **changes: Any) -> str:
    return server.keys[-1].sign(claims_of(server, **changes), typ=typ)


@pytest.mark.parametrize(
    "changes",
    [
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"exp": None},
        {"exp": 1},
        {"exp": True},
        {"iat": None},
        {"iat": 2**33},
        {"nbf": 2**33},
        {"typ": "JWT"},
        {"cnf": {"jkt": "of a key that nobody has shown"}},
        {"cnf": {"kid": "1"}},
        {"nonce": "n"},
        {"aud": "other"},
        {"client_id": None},
    ],
)
def test_token_of_a_known_bearer_is_checked_like_the_first(
    server: OidcServer, changes: dict[str, Any]
) -> None:
    protected = protect_by(server)
    assert protected.status_of(sign(server)) == 200
    assert protected.status_of(sign(server, jti="second")) == 200
    assert protected.status_of(sign(server, **changes)) == 401
    assert protected.status_of(sign(server, jti="third")) == 200
    protected.close()


def test_each_token_has_times_id_and_claims_of_its_own(server: OidcServer) -> None:
    protected = protect_by(server)
    now = int(time.time())
    tokens = []
    owns: list[dict[str, Any]] = [
        {"jti": "1"},
        {"jti": "2", "nbf": now - 2},
        {"jti": "3", "iat": now - 3},
    ]
    for number, own in enumerate(owns):
        exp = now + 100 + number
        assert protected.status_of(sign(server, exp=exp, **own)) == 200
        token = protected.service.last["authmw.token"]
        assert (token.audit_id, token.expires_at) == (own["jti"], exp)
        assert token.claims == claims_of(server, iat=token.issued_at, exp=exp) | own
        tokens.append(token)
    assert len({token.issued_at for token in tokens}) >= 2
    assert tokens[0].principal is tokens[1].principal is tokens[2].principal
    protected.close()
