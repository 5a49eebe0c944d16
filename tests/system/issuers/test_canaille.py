"""Opaque tokens of canaille, whose audiences are client ids and whose times have fractions."""

from __future__ import annotations

import time

import pytest

from authmw.errors import InvalidToken, Reason
from authmw.issuers.access_token import AccessToken
from authmw.issuers.configured import IssuerOptions, make_issuers
from authmw.issuers.introspection_response import verify_introspection_response
from authmw.issuers.token_body import make_token_body
from tests.support.issuers.canaille_server import CanailleServer


def introspect(server: CanailleServer, token: str, *, audience: str = "inventory") -> AccessToken:
    (issuer,) = make_issuers(
        IssuerOptions(
            name="canaille",
            profile="introspection",
            issuer=server.issuer,
            audience=[audience],
            claims={"user_id": ["sub", "client_id"]},
        )
    )
    answer = server.introspect(token, audience)
    return verify_introspection_response(issuer, answer, time.time(), lifetime_seconds=60)


def test_token_for_several_clients_is_known_to_each(canaille: CanailleServer) -> None:
    for audience in ("web", "inventory"):
        token = introspect(canaille, canaille.token_of_ada, audience=audience)
        assert token.client_id == "web"
        assert make_token_body(token)["user"] == {"id": "ada", "name": "Ada L"}


def test_token_for_another_client_is_not_active_for_us(canaille: CanailleServer) -> None:
    token = canaille.ask_for_token("web")
    assert make_token_body(introspect(canaille, token, audience="web"))["user"] == {"id": "web"}
    with pytest.raises(InvalidToken) as refused:
        introspect(canaille, token)
    assert refused.value.reason is Reason.NOT_FOUND
