"""First sight of an issuer's access token (RFC 9068): beside the bare verification and others.

Every call takes a token that nobody has seen, of a bearer who is known, as in `first_sight`. The
peers are Authlib's validator of RFC 9068, PyJWT and joserfc; the last two verify the signature and
the registered claims. None of them reads roles, or makes what a service is told of its caller.
"Least" is what no verifier in Python can do without, checks aside: base64url, JSON, signature. The
last row has a hundred issuers in place of one.
"""

from __future__ import annotations

import json
import statistics
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from typing import Any

import jwt
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator  # type: ignore[import-untyped]
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from joserfc import jwk
from joserfc import jwt as joserfc_jwt
from oslo_config import cfg

import authmw
from authmw.checks.expiry import ExpiryPolicy
from authmw.jose.algorithms import ALGORITHMS
from authmw.jose.jws import parse_compact
from authmw.testing.oidc_server import OidcServer
from benchmarks.first_sight import AT_MOST_TIMES_BARE
from benchmarks.measure import Effort
from benchmarks.stage import CannotMeasure, WsgiApp, answer
from benchmarks.table import Row

TOKENS_A_TURN = 50
ROUNDS = 3
"""More than elsewhere: turns are short, since a token takes longer to make than to check."""
MANY = 100
AT_MOST_TIMES_ONE = 1.1
_TYPES: frozenset[str | None] = frozenset({"at+jwt"})

Use = Callable[[Any], object]
VerifyBare = Callable[[bytes, bytes], None]


def run(effort: Effort) -> Iterator[Row]:
    """Yield the rows of each algorithm."""
    for algorithm in ("ES256", "RS256"):
        with OidcServer(algorithm=algorithm) as server:
            one, many = protect(answer, server), protect(answer, server, MANY)
            try:
                uses = _make_uses(server, algorithm, one, many)
                yield from _rows(algorithm, _measure(server, uses, effort))
            finally:
                one.close()
                many.close()


def protect(app: WsgiApp, server: OidcServer, count: int = 1) -> authmw.AuthMiddleware:
    """Put a filter in front of an app that accepts tokens of so many issuers, this server first."""
    conf: dict[str, object] = {"oslo_config_config": cfg.ConfigOpts()}
    for number in range(count):
        issuer = server.issuer if number == 0 else f"https://issuer-{number}.invalid"
        conf[f"issuer.i{number}.issuer"] = issuer
        conf[f"issuer.i{number}.audience"] = server.audience
    return authmw.AuthMiddleware(app, conf)


def verify_bare_with(public: Any) -> VerifyBare:
    """Return what verifies a signature and does nothing else."""
    if isinstance(public, rsa.RSAPublicKey):
        return lambda signature, signed: public.verify(
            signature, signed, padding.PKCS1v15(), hashes.SHA256()
        )
    return lambda signature, signed: public.verify(signature, signed, ec.ECDSA(hashes.SHA256()))


def _make_uses(
    server: OidcServer, algorithm: str, one: authmw.AuthMiddleware, many: authmw.AuthMiddleware
) -> dict[str, Use]:
    private: Any = server.keys[-1].private_key
    public = private.public_key()
    verify_bare = verify_bare_with(public)
    parse_signature = ALGORITHMS[algorithm].parse_signature
    for middleware in (one, many):
        _ask(middleware, _issue(server))
    key = jwk.import_key(dict(server.keys[-1].jwk()))
    registry = joserfc_jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": server.issuer},
        aud={"essential": True, "value": server.audience},
        exp={"essential": True},
    )

    class Authlib(JWTBearerTokenValidator):  # type: ignore[misc]
        def get_jwks(self) -> object:
            return key

    authlib = Authlib(issuer=server.issuer, resource_server=server.audience)

    def do_the_least(token: str) -> None:
        signed, _, signature = token.rpartition(".")
        json.loads(_decode(signed.partition(".")[2]))
        verify_bare(parse_signature(_decode(signature)), signed.encode("ascii"))

    return {
        "bare": lambda jws: verify_bare(jws.signature, jws.signing_input),
        "least": do_the_least,
        "validation": _make_validate(one),
        "many": _make_validate(many),
        "request": lambda token: _ask(one, token),
        "Authlib": lambda token: authlib.validate_token(
            authlib.authenticate_token(token), None, None
        ),
        "PyJWT": lambda token: jwt.decode(
            token, public, algorithms=[algorithm], audience=server.audience, issuer=server.issuer
        ),
        "joserfc": lambda token: registry.validate(
            joserfc_jwt.decode(token, key, algorithms=[algorithm]).claims
        ),
    }


def _decode(segment: str) -> bytes:
    return urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def _make_validate(middleware: authmw.AuthMiddleware) -> Use:
    validator = middleware._parts.authenticator._resolver.validator
    return lambda token: validator.validate(token, ExpiryPolicy.REFUSE_EXPIRED, time.time(), None)


def _ask(middleware: authmw.AuthMiddleware, token: str) -> object:
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/",
        "HTTP_AUTHORIZATION": f"Bearer {token}",
    }
    return middleware(environ, start_response)


def start_response(status: str, *_: object) -> None:
    """Take the start of an answer, which must be a 200."""
    if status != "200 OK":
        raise CannotMeasure(f"a request was answered with {status}")


def _issue(server: OidcServer) -> str:
    return server.issue("ada", roles=["member"], scope="inventory.read")


def _measure(server: OidcServer, uses: dict[str, Use], effort: Effort) -> dict[str, float]:
    """Return microseconds a token, the median over rounds in which each has its turn.

    Of processor time: nothing here waits, and a busy machine then counts for less.
    """
    turns: dict[str, list[float]] = {name: [] for name in uses}
    names = list(uses)
    for _ in range(effort.rounds * ROUNDS):
        tokens: list[Any] = [_issue(server) for _ in range(TOKENS_A_TURN)]
        parsed = [parse_compact(token, max_size=8000, types=_TYPES) for token in tokens]
        for name in names:
            use, given = uses[name], parsed if name == "bare" else tokens
            started = time.thread_time()
            for each in given:
                use(each)
            turns[name].append((time.thread_time() - started) / TOKENS_A_TURN * 1e6)
        names.append(names.pop(0))
    return {name: statistics.median(times) for name, times in turns.items()}


def _rows(algorithm: str, micros: dict[str, float]) -> Iterator[Row]:
    what = f"{algorithm} access token of an issuer never seen"

    def beside_bare(which: str, name: str, budget: float | None = None) -> Row:
        ratio = micros[name] / micros["bare"]
        return Row(
            f"{which}; peer: bare verify",
            f"{micros[name]:.0f} µs",
            f"{micros['bare']:.0f} µs",
            f"{ratio:.2f} x bare",
            "" if budget is None else f"{budget} x bare",
            None if budget is None else ratio <= budget,
        )

    yield beside_bare(f"{what}, validated", "validation", AT_MOST_TIMES_BARE)
    yield beside_bare(f"{what}, the least in Python", "least")
    yield beside_bare(f"{what}, a whole request", "request")
    for peer in ("Authlib", "PyJWT", "joserfc"):
        ratio = micros[peer] / micros["validation"]
        yield Row(
            f"{what}, validated; peer: {peer}",
            f"{micros['validation']:.0f} µs",
            f"{micros[peer]:.0f} µs",
            f"{ratio:.2f} x less",
            "1 x less",
            ratio >= 1,
        )
    ratio = micros["many"] / micros["validation"]
    yield Row(
        f"{what}, validated, among {MANY} issuers; peer: ours with one",
        f"{micros['many']:.0f} µs",
        f"{micros['validation']:.0f} µs",
        f"{ratio:.2f} x one",
        f"{AT_MOST_TIMES_ONE} x one",
        ratio <= AT_MOST_TIMES_ONE,
    )
