"""A token as people paste it."""

from __future__ import annotations

import pytest

from authmw.cli.token_input import extract_token

TOKEN = "gAAAAABn-_x.eyJ.abc"


@pytest.mark.parametrize(
    "pasted",
    [
        TOKEN,
        f"  {TOKEN}\n",
        f"Bearer {TOKEN}",
        f"bearer  {TOKEN}",
        f"DPoP {TOKEN}",
        f"Authorization: Bearer {TOKEN}",
        f"authorization: bearer {TOKEN}",
        f"X-Auth-Token: {TOKEN}",
        f"x-auth-token:{TOKEN}",
        f"X-Subject-Token: {TOKEN}",
        f"X-Service-Token: {TOKEN}\r\n",
        f"'X-Auth-Token: {TOKEN}'",
        f'-H "X-Auth-Token: {TOKEN}"',
        f"-H 'Authorization: Bearer {TOKEN}'",
        f'"{TOKEN}"',
        f"TOKEN={TOKEN}",
        f"OS_TOKEN={TOKEN}",
    ],
)
def test_what_stands_around_a_token_is_taken_off(pasted: str) -> None:
    assert extract_token(pasted) == TOKEN


@pytest.mark.parametrize("token", ["Bearerx.y.z", "bearer", "X-Auth-Tokens", "tokenize"])
def test_a_token_that_begins_like_a_header_is_left_alone(token: str) -> None:
    assert extract_token(token) == token


@pytest.mark.parametrize("pasted", ["", "  \n", "Bearer ", "X-Auth-Token:"])
def test_a_header_without_a_token_is_none(pasted: str) -> None:
    assert extract_token(pasted) in ("", "Bearer")
