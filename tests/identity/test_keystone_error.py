"""Messages of errors are quoted, but for those that quote what we sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from requests import PreparedRequest, Request, Response

from authmw.identity.keystone_error import quote_status, read_keystone_error, wants_tls

PASSWORD = 'pa"ss\\wörd'
LOGIN: dict[str, Any] = {
    "auth": {
        "identity": {
            "methods": ["password"],
            "password": {
                "user": {"name": "nova", "domain": {"id": "default"}, "password": PASSWORD}
            },
        },
        "scope": {"project": {"name": "service", "domain": {"id": "default"}}},
    }
}
MESSAGES = (PASSWORD, repr({"password": PASSWORD}), json.dumps({"password": PASSWORD}))


def answer(message: object, status: int = 400, request: PreparedRequest | None = None) -> Response:
    response = Response()
    response.status_code = status
    response._content = json.dumps({"error": {"code": status, "message": message}}).encode()
    response.request = request or Request("POST", "http://id.example/v3", json=LOGIN).prepare()
    return response


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_that_quotes_a_password_is_left_out(message: str) -> None:
    quoted = quote_status(answer(f"Invalid input: {message}"))
    assert quoted == "HTTP 400, with a message that quotes our credentials"


@pytest.mark.parametrize("field", ["X-Auth-Token", "X-Subject-Token", "Authorization"])
def test_a_message_that_quotes_a_token_is_left_out(field: str) -> None:
    request = Request("GET", "http://id.example/v3", headers={field: "the-token"}).prepare()
    assert "the-token" not in quote_status(answer("no token the-token", 404, request))


@pytest.mark.parametrize(
    "method",
    [
        {"token": {"id": "the-secret"}},
        {"totp": {"user": {"id": "nova", "passcode": "the-secret"}}},
        {"application_credential": {"id": "nova", "secret": "the-secret"}},
        {"saml2": "the-secret"},
    ],
)
def test_whatever_a_method_calls_its_secret(method: dict[str, Any]) -> None:
    body = {"auth": {"identity": {"methods": list(method), **method}}}
    request = Request("POST", "http://id.example/v3", json=body).prepare()
    assert "the-secret" not in quote_status(answer("bad the-secret", 401, request))
    form = Request("POST", "http://id.example", data={"client_secret": "the-secret"}).prepare()
    assert "the-secret" not in quote_status(answer("bad the-secret", 401, form))


def test_names_of_users_and_scopes_may_be_quoted() -> None:
    message = "The password of nova in default is expired for service"
    assert quote_status(answer(message)) == f'HTTP 400, "{message}"'


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"error": "x"}', b"[" * 100_000])
def test_another_body_is_no_message_of_keystone_s(content: bytes) -> None:
    response = answer("x")
    response._content = content
    assert read_keystone_error(response) is None
    assert quote_status(response) == "HTTP 400"


def test_the_code_in_the_body_must_be_the_status() -> None:
    response = answer("x", 404)
    response.status_code = 403
    assert read_keystone_error(response) is None


def test_only_an_answer_to_http_may_want_tls() -> None:
    response = answer("x")
    response._content = b"<h1>The plain HTTP request was sent to HTTPS port</h1>"
    for url, wants in (("http://id.example/", True), ("https://id.example/", False)):
        response.url = url
        assert wants_tls(response) is wants
