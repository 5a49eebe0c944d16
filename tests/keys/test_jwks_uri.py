"""A JWK set behind a URI, fetched from a real server."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
from joserfc.jwk import ECKey

from authmw.errors import IdentityUnavailable, InvalidToken
from authmw.keys.jwks_uri import JwksUri
from authmw.keys.refreshed import RefreshedKeys
from tests.keys.jwks_server import JwksServer, fetch, jwk_set, serve_jwks
from tests.support.signing import private_pem, sign, verifier

NOW = 1_800_000_000.0
MAX_AGE = 86400.0


@pytest.fixture
def server() -> Iterator[JwksServer]:
    with serve_jwks() as state:
        yield state


def watch(server: JwksServer) -> RefreshedKeys:
    source = RefreshedKeys(JwksUri(server.uri, fetch), max_age_seconds=MAX_AGE)
    source.reload(NOW)
    return source


def kids(source: RefreshedKeys, now: float = NOW) -> list[str | None]:
    return [key.kid for key in source.current(now).keys]


def trouble(source: RefreshedKeys, now: float = NOW) -> str:
    with pytest.raises(IdentityUnavailable) as unavailable:
        source.current(now)
    return unavailable.value.detail


def test_key_that_left_the_set_is_no_key_any_more(server: JwksServer) -> None:
    server.body = jwk_set(0, 1)
    source = watch(server)
    assert kids(source) == ["0", "1"]
    server.body = jwk_set(1, 2)
    source.reload(NOW + 300)
    assert kids(source, NOW + 300) == ["1", "2"]


def test_set_is_asked_for_conditionally_and_kept_when_it_has_not_changed(
    server: JwksServer,
) -> None:
    server.etag = '"one"'
    source = watch(server)
    before = source.current(NOW)
    source.reload(NOW + MAX_AGE)
    assert source.current(NOW + 2 * MAX_AGE) is before  # confirmed, so it does not age
    assert [request.get("if-none-match") for request in server.requests] == [None, '"one"']
    server.etag, server.body = '"two"', jwk_set(3)
    source.reload(NOW + 2 * MAX_AGE)
    assert kids(source, NOW + 2 * MAX_AGE) == ["3"]


def test_set_that_comes_again_unchanged_keeps_what_was_learned_of_it(server: JwksServer) -> None:
    source = watch(server)
    before = source.current(NOW)
    source.reload(NOW + 300)
    assert len(server.requests) == 2
    assert source.current(NOW + 300) is before


@pytest.mark.parametrize(
    ("cache_control", "seconds"),
    [
        (None, 300),
        ("max-age=600", 600),
        ("public, Max-Age=600, must-revalidate", 600),
        ('max-age="600"', 600),
        ("max-age=1", 60),
        ("max-age=0", 60),
        ("no-cache", 60),
        ("no-store, max-age=600", 60),
        ("max-age=31536000", 3600),
        ("max-age=" + "9" * 5000, 3600),
        ("max-age=-1", 300),
        ("max-age=soon", 300),
        ("max-age", 300),
    ],
)
def test_next_reload_is_when_the_server_says_within_our_bounds(
    server: JwksServer, cache_control: str | None, seconds: float
) -> None:
    if cache_control is not None:
        server.headers["Cache-Control"] = cache_control
    assert watch(server).reload_at == NOW + seconds


def test_unknown_kid_causes_a_reload_but_not_again_soon(server: JwksServer) -> None:
    source = watch(server)
    by = verifier(source=source)
    server.body = jwk_set(0, 1)
    token = sign(header={"alg": "ES256", "kid": "1"}, number=1)
    assert by.verify(token, NOW).key.kid == "1"
    assert len(server.requests) == 2
    server.body = jwk_set(0, 1, 2)
    token = sign(header={"alg": "ES256", "kid": "2"}, number=2)
    with pytest.raises(InvalidToken, match="bad_signature"):
        by.verify(token, NOW + 9)
    assert len(server.requests) == 2
    assert by.verify(token, NOW + 10).key.kid == "2"


def bad_answers() -> dict[str, tuple[int, bytes, str]]:
    private = ECKey.import_key(private_pem("ES256")).as_dict(private=True)
    return {
        "an error": (500, b"", "the answer is refused: HTTP status 500"),
        "a redirect": (302, jwk_set(1), "the answer is refused: HTTP status 302"),
        "not modified, unasked": (304, b"", "the answer is refused: HTTP status 304"),
        "not JSON": (200, b"<html>", "neither PEM nor a JWK nor a JWK set: not one JSON object"),
        "half a set": (200, jwk_set(1)[:-9], "nor a JWK set: not one JSON object"),
        "another object": (200, b'{"error": "x"}', "neither a JWK nor a JWK set"),
        "too many keys": (
            200,
            b'{"keys": [' + b"{}," * 1000 + b"{}]}",
            "the answer is refused: a JWK set of more than 1000 keys",
        ),
        "too much": (200, b" " * ((1 << 20) + 1), "larger than 1048576 octets"),
        "a private key": (
            200,
            json.dumps(private).encode(),
            "a private or symmetric JWK; only public keys belong here",
        ),
    }


@pytest.mark.parametrize("name", bad_answers())
def test_answer_that_is_no_jwk_set_leaves_the_last_good_one(
    server: JwksServer, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    source = watch(server)
    server.status, server.body, reason = bad_answers()[name]
    source.reload(NOW + 300)
    assert source.reload_at == NOW + 330
    assert kids(source, NOW + MAX_AGE) == ["0"]
    assert reason in trouble(source, NOW + MAX_AGE + 1)
    assert reason in caplog.text
    server.status, server.body = 200, jwk_set(1)
    source.reload(NOW + 330)
    assert kids(source, NOW + 330) == ["1"]


def test_server_that_is_gone_leaves_the_last_good_keys(
    server: JwksServer, caplog: pytest.LogCaptureFixture
) -> None:
    with serve_jwks() as other:
        source = watch(other)
    source.reload(NOW + 300)
    assert kids(source, NOW + MAX_AGE) == ["0"]
    assert "last read at 2027-01-15T08:00:00+00:00" in trouble(source, NOW + MAX_AGE + 1)
    assert f"jws_jwks_uri = {other.uri}: no answer (" in caplog.text


def test_empty_set_is_the_truth_too(server: JwksServer) -> None:
    server.body = b'{"keys": []}'
    assert trouble(watch(server)) == (
        f"jws_jwks_uri = {server.uri}: there is no usable public key in it"
    )


def test_key_that_is_of_no_use_is_named_in_the_log(
    server: JwksServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.body = json.dumps({"keys": [*json.loads(jwk_set(0))["keys"], {"kty": "XY"}]}).encode()
    source = watch(server)
    source.reload(NOW + 300)
    assert kids(source) == ["0"]
    assert caplog.messages == [
        f"{server.uri}: 1 key is not used: a JWK of a type or curve that no algorithm here uses"
    ]


def test_private_key_in_the_set_is_shouted_about_and_costs_no_other_key(
    server: JwksServer, caplog: pytest.LogCaptureFixture
) -> None:
    """The set before it would still hold its public half, which by now anybody can sign for."""
    server.body = jwk_set(0, 1)
    source = watch(server)
    private = ECKey.import_key(private_pem("ES256", 0)).as_dict(private=True)
    server.body = json.dumps({"keys": [private, *json.loads(jwk_set(1))["keys"]]}).encode()
    source.reload(NOW + 300)
    assert kids(source, NOW + 300) == ["1"]
    (record,) = caplog.records
    assert record.levelno == logging.CRITICAL
    assert record.getMessage() == (
        f"{server.uri}: 1 key is not used: a private or symmetric JWK; only public keys belong here"
    )


def test_hostile_set_does_not_fill_the_log(
    server: JwksServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.body = json.dumps({"keys": [1] * 900 + [{"kty": "XY"}]}).encode()
    watch(server)
    assert caplog.messages == [
        f"{server.uri}: 900 keys are not used: a JWK that is no JSON object",
        f"{server.uri}: 1 key is not used: a JWK of a type or curve that no algorithm here uses",
    ]
