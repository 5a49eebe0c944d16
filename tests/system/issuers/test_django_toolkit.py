"""Opaque tokens of django-oauth-toolkit, whose answers to introspection name no `sub`."""

from __future__ import annotations

import time
from typing import Any

import pytest

from authmw.errors import InvalidToken, Reason
from authmw.issuers.configured import IssuerOptions, make_issuers
from authmw.issuers.introspection_response import verify_introspection_response
from authmw.issuers.token_body import make_token_body
from tests.support.issuers.django_toolkit import DjangoToolkit
from tests.support.issuers.verification import verify_token


def introspect(server: DjangoToolkit, token: str, *user_id: str) -> dict[str, Any]:
    claims = {"user_id": user_id} if user_id else {}
    (issuer,) = make_issuers(
        IssuerOptions(name="django", profile="introspection", issuer=server.issuer, claims=claims)
    )
    verified = verify_introspection_response(
        issuer, server.introspect(token), time.time(), lifetime_seconds=60
    )
    assert verified.oauth_scope >= {"inventory.read"}
    return make_token_body(verified)


def test_users_of_one_client_are_not_taken_for_one_user(django_toolkit: DjangoToolkit) -> None:
    token = django_toolkit.log_in()["access_token"]
    with pytest.raises(InvalidToken, match="'sub'"):
        introspect(django_toolkit, token)
    body = introspect(django_toolkit, token, "username", "client_id")
    assert body["user"] == {"id": "ada", "name": "ada"}


def test_client_is_known_by_its_id_until_its_token_is_revoked(
    django_toolkit: DjangoToolkit,
) -> None:
    token = django_toolkit.ask_for_token(scope="inventory.read")["access_token"]
    body = introspect(django_toolkit, token, "username", "client_id")
    assert body["user"] == {"id": "robot"}
    django_toolkit.revoke(token)
    with pytest.raises(InvalidToken) as refused:
        introspect(django_toolkit, token, "username", "client_id")
    assert refused.value.reason is Reason.NOT_FOUND


@pytest.mark.parametrize("types", [[], ["JWT"]])
def test_its_id_token_is_no_access_token(django_toolkit: DjangoToolkit, types: list[str]) -> None:
    (issuer,) = make_issuers(
        IssuerOptions(name="django", issuer=django_toolkit.issuer, audience=["web"], types=types)
    )
    with pytest.raises(InvalidToken) as refused:
        verify_token(issuer, django_toolkit.log_in()["id_token"])
    assert refused.value.reason is Reason.ID_TOKEN
