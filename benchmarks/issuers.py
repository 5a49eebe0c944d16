"""First sight of an issuer's access token (RFC 9068): beside the bare verification and others.

Every call takes a token that nobody has seen, of a bearer who is known, as in `first_sight`. The
peers are PyJWT and joserfc, which verify the signature and the registered claims and know no
roles; "request" is a whole one through the filter. The last row has a hundred issuers in place
of one.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from joserfc import jwk
from joserfc import jwt as joserfc_jwt
from oslo_config import cfg

import authmw
from authmw.checks.expiry import ExpiryPolicy
from authmw.jose.jws import parse_compact
from authmw.testing.oidc_server import OidcServer
from benchmarks.first_sight import AT_MOST_TIMES_BARE
from benchmarks.measure import Effort
from benchmarks.stage import answer
from benchmarks.table import Row

TOKENS_A_TURN = 200
MANY = 100
_TYPES: frozenset[str | None] = frozenset({"at+jwt"})

Use = Callable[[Any], object]


def run(effort: Effort) -> Iterator[Row]:
    """Yield three rows for each algorithm, and one for many issuers."""
    for algorithm in ("ES256", "RS256"):
        with OidcServer(algorithm=algorithm) as server:
            one, many = _build(server, 1), _build(server, MANY)
            try:
                uses = _make_uses(server, algorithm, one, many)
                micros = _measure(server, uses, effort)
            finally:
                one.close()
                many.close()
        yield from _rows(algorithm, micros)


def _build(server: OidcServer, count: int) -> authmw.AuthMiddleware:
    conf: dict[str, object] = {"oslo_config_config": cfg.ConfigOpts()}
    for number in range(count):
        issuer = server.issuer if number == 0 else f"https://issuer-{number}.invalid"
        conf[f"issuer.i{number}.issuer"] = issuer
        conf[f"issuer.i{number}.audience"] = server.audience
    return authmw.AuthMiddleware(answer, conf)


def _make_uses(
    server: OidcServer, algorithm: str, one: authmw.AuthMiddleware, many: authmw.AuthMiddleware
) -> dict[str, Use]:
    private: Any = server.keys[-1].private_key
    public = private.public_key()
    for middleware in (one, many):
        _ask(middleware, server.issue("ada", roles=["member"], scope="inventory.read"))
    key = jwk.import_key(dict(server.keys[-1].jwk()))
    registry = joserfc_jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": server.issuer},
        aud={"essential": True, "value": server.audience},
        exp={"essential": True},
    )

    def verify_bare(parsed: Any) -> None:
        if isinstance(public, rsa.RSAPublicKey):
            public.verify(
                parsed.signature, parsed.signing_input, padding.PKCS1v15(), hashes.SHA256()
            )
        else:
            public.verify(parsed.signature, parsed.signing_input, ec.ECDSA(hashes.SHA256()))

    def decode_joserfc(token: str) -> None:
        registry.validate(joserfc_jwt.decode(token, key, algorithms=[algorithm]).claims)

    return {
        "bare": verify_bare,
        "validation": _make_validate(one),
        "many": _make_validate(many),
        "request": lambda token: _ask(one, token),
        "PyJWT": lambda token: jwt.decode(
            token, public, algorithms=[algorithm], audience=server.audience, issuer=server.issuer
        ),
        "joserfc": decode_joserfc,
    }


def _make_validate(middleware: authmw.AuthMiddleware) -> Use:
    validator = middleware._parts.authenticator._resolver.validator
    return lambda token: validator.validate(token, ExpiryPolicy.REFUSE_EXPIRED, time.time(), None)


def _ask(middleware: authmw.AuthMiddleware, token: str) -> object:
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/",
        "HTTP_AUTHORIZATION": f"Bearer {token}",
    }
    return middleware(environ, lambda *_: lambda _: None)


def _measure(server: OidcServer, uses: dict[str, Use], effort: Effort) -> dict[str, float]:
    """Return microseconds a token, the median over rounds in which each has its turn."""
    turns: dict[str, list[float]] = {name: [] for name in uses}
    for _ in range(max(5, effort.rounds // 2)):
        for name, use in uses.items():
            tokens: list[Any] = [
                server.issue("ada", roles=["member"], scope="inventory.read")
                for _ in range(TOKENS_A_TURN)
            ]
            if name == "bare":
                tokens = [parse_compact(token, max_size=8000, types=_TYPES) for token in tokens]
            started = time.perf_counter()
            for token in tokens:
                use(token)
            turns[name].append((time.perf_counter() - started) / TOKENS_A_TURN * 1e6)
    return {name: statistics.median(times) for name, times in turns.items()}


def _rows(algorithm: str, micros: dict[str, float]) -> Iterator[Row]:
    bare = micros["bare"]
    for name, what, peer in (
        ("validation", "validated", "PyJWT"),
        ("request", "a whole request", "joserfc"),
    ):
        ratio = micros[name] / bare
        has_budget = name == "validation"
        yield Row(
            f"{algorithm} access token of an issuer never seen, {what}; bare verify {bare:.0f} µs;"
            f" peer column: {peer}, claims verified",
            f"{micros[name]:.0f} µs",
            f"{micros[peer]:.0f} µs",
            f"{ratio:.2f} x bare",
            f"{AT_MOST_TIMES_BARE} x bare" if has_budget else "",
            ratio <= AT_MOST_TIMES_BARE and micros[name] < micros[peer] if has_budget else None,
        )
    ratio = micros["many"] / micros["validation"]
    yield Row(
        f"{algorithm}, the same among {MANY} issuers; peer column: one issuer",
        f"{micros['many']:.0f} µs",
        f"{micros['validation']:.0f} µs",
        f"{ratio:.2f} x one",
        "1.1 x one",
        ratio <= 1.1,
    )
