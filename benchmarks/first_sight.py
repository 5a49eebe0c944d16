"""First sight of a signed token whose bearer is known: beside the bare verification and PyJWT.

Every call takes a token that nobody has seen. The filter has memcached configured, keys read
and the bearer's names and roles in memory; its row is a whole request, with its headers.
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from authmw.checks.expiry import ExpiryPolicy
from authmw.jose.jws import parse_compact
from benchmarks.measure import Effort
from benchmarks.stage import Stage, WsgiApp, answer, open_stage
from benchmarks.table import Row

TOKENS_A_TURN = 200
THREADS = (1, 2, 4)
AT_MOST_TIMES_BARE = 1.3

Use = Callable[[str], object]


def run(effort: Effort) -> Iterator[Row]:
    """Yield a row for one, two and four threads, and one for what is spent on validation."""
    with open_stage() as stage, tempfile.TemporaryDirectory() as directory:
        stage.server.issuer.write_public_key(Path(directory) / "keys")
        app = stage.build_ours(
            answer,
            jws_public_key_repository=str(Path(directory) / "keys"),
            memcached_servers=stage.memcached.address,
            authority_cache_time="3600",
        )
        uses = _make_uses(stage, app)
        for threads in THREADS:
            micros = _measure(stage, uses, effort, threads)
            yield from _rows(micros, threads)


def _make_uses(stage: Stage, app: WsgiApp) -> dict[str, Use]:
    key = load_pem_public_key(stage.server.issuer.public_pem())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    algorithm = ec.ECDSA(hashes.SHA256())

    def request(token: str) -> object:
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "HTTP_X_AUTH_TOKEN": token}
        return app(environ, _start_response)

    # One request first: the keys are read, and the bearer becomes known.
    request(stage.server.issue_jws("member", project="inventory"))
    validator = app._parts.authenticator._resolver.validator  # type: ignore[attr-defined]

    def verify_bare(parsed: Any) -> None:
        key.verify(parsed.signature, parsed.signing_input, algorithm)

    return {
        "bare": verify_bare,
        "validation": lambda token: validator.validate(
            token, ExpiryPolicy.REFUSE_EXPIRED, time.time(), None
        ),
        "request": request,
        "pyjwt": lambda token: jwt.decode(token, key, algorithms=["ES256"]),
    }


def _measure(stage: Stage, uses: dict[str, Use], effort: Effort, threads: int) -> dict[str, float]:
    """Return microseconds a token, the median over rounds in which each has its turn."""
    turns: dict[str, list[float]] = {name: [] for name in uses}
    for _ in range(max(5, effort.rounds // 2)):
        for name, use in uses.items():
            tokens: list[Any] = [
                stage.server.issue_jws("member", project="inventory") for _ in range(TOKENS_A_TURN)
            ]
            if name == "bare":
                tokens = [parse_compact(token, max_size=8000) for token in tokens]
            turns[name].append(_time_turn(use, tokens, threads) / TOKENS_A_TURN * 1e6)
    return {name: statistics.median(times) for name, times in turns.items()}


def _time_turn(use: Use, tokens: Sequence[Any], threads: int) -> float:
    if threads == 1:
        started = time.perf_counter()
        for token in tokens:
            use(token)
        return time.perf_counter() - started
    shares = [tokens[number::threads] for number in range(threads)]
    barrier = threading.Barrier(threads + 1)

    def work(share: Sequence[Any]) -> None:
        barrier.wait(30)
        for token in share:
            use(token)

    workers = [threading.Thread(target=work, args=(share,), daemon=True) for share in shares]
    for worker in workers:
        worker.start()
    barrier.wait(30)
    started = time.perf_counter()
    for worker in workers:
        worker.join(60)
    return time.perf_counter() - started


def _rows(micros: dict[str, float], threads: int) -> Iterator[Row]:
    bare, pyjwt = micros["bare"], micros["pyjwt"]
    for name, what in (("validation", "validated"), ("request", "a whole request")):
        ratio = micros[name] / bare
        has_budget = threads == 1 and name == "validation"
        yield Row(
            f"JWS never seen, bearer known, {what}, {threads} thread{'s' * (threads > 1)};"
            f" bare verify {bare:.0f} µs; peer column: PyJWT decode",
            f"{micros[name]:.0f} µs",
            f"{pyjwt:.0f} µs",
            f"{ratio:.2f} x bare",
            f"{AT_MOST_TIMES_BARE} x bare" if has_budget else "",
            ratio <= AT_MOST_TIMES_BARE and micros[name] < pyjwt if has_budget else None,
        )


def _start_response(*_: object) -> Callable[[bytes], object]:
    return itertools.repeat
