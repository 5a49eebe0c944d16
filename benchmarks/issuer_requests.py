"""What a filter adds to a request whose issuer's token this process knows.

By X-Auth-Token and as a bearer token. A token that is bound to a key needs a new proof with every
request (RFC 9449), whose signature has to be verified each time.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

from authmw.jose.jws import parse_compact
from authmw.testing.dpop import DpopClient
from authmw.testing.oidc_server import OidcServer
from benchmarks.issuers import protect, start_response, verify_bare_with
from benchmarks.measure import Effort, measure
from benchmarks.stage import WsgiApp, answer
from benchmarks.table import Row

PROOFS_A_TURN = 50
_TYPES: frozenset[str | None] = frozenset({"dpop+jwt"})


def run(effort: Effort) -> Iterator[Row]:
    """Yield a row for each way in which a token comes."""
    with OidcServer() as server:
        app = protect(answer, server)
        try:
            yield from _known(app, server.issue("ada", roles=["member"]), effort)
            yield _proven(app, server, effort)
        finally:
            app.close()


def _known(app: WsgiApp, token: str, effort: Effort) -> Iterator[Row]:
    requests = {
        "bare": _send(answer, {"HTTP_X_AUTH_TOKEN": token}),
        "X-Auth-Token": _send(app, {"HTTP_X_AUTH_TOKEN": token}),
        "bearer": _send(app, {"HTTP_AUTHORIZATION": f"Bearer {token}"}),
    }
    for send in requests.values():
        send()
        send()
    times = measure(requests, effort)
    added = {name: taken - times["bare"] for name, taken in times.items()}
    yield Row("issuer's token in memory, in X-Auth-Token", f"{added['X-Auth-Token']:.2f} µs")
    yield Row(
        "issuer's token in memory, as a bearer token; peer: ours, in X-Auth-Token",
        f"{added['bearer']:.2f} µs",
        f"{added['X-Auth-Token']:.2f} µs",
        f"{added['bearer'] / added['X-Auth-Token']:.2f} of it",
    )


def _send(app: WsgiApp, headers: dict[str, str]) -> Callable[[], object]:
    template = {"REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": "/items"}
    # New strings, as a server makes for each request: their hashes are not known yet.
    parts = [(name, value[:8], value[8:]) for name, value in headers.items()]

    def send() -> object:
        environ: dict[str, Any] = template.copy()
        for name, head, tail in parts:
            environ[name] = head + tail
        return app(environ, start_response)

    return send


def _proven(app: WsgiApp, server: OidcServer, effort: Effort) -> Row:
    client = DpopClient()
    token = server.issue("ada", roles=["member"], key_thumbprint=client.thumbprint)
    private: Any = client.key.private_key
    verify_bare = verify_bare_with(private.public_key())
    bare: list[float] = []
    whole: list[float] = []
    for turn in range(effort.rounds + 1):
        proofs = [
            client.prove(token, "GET", f"{server.audience}/items") for _ in range(PROOFS_A_TURN)
        ]
        sends = [
            _send(app, {"HTTP_AUTHORIZATION": f"DPoP {token}", "HTTP_DPOP": proof})
            for proof in proofs
        ]
        parsed = [parse_compact(proof, max_size=4096, types=_TYPES) for proof in proofs]
        started = time.thread_time()
        for jws in parsed:
            verify_bare(jws.signature, jws.signing_input)
        verified = time.thread_time()
        for send in sends:
            send()
        answered = time.thread_time()
        if turn:  # the first one warms up
            bare.append((verified - started) / PROOFS_A_TURN * 1e6)
            whole.append((answered - verified) / PROOFS_A_TURN * 1e6)
    ratio = statistics.median(map(_divide, whole, bare))
    return Row(
        "issuer's bound token in memory, a new proof (ES256), a whole request; peer: bare verify",
        f"{statistics.median(whole):.0f} µs",
        f"{statistics.median(bare):.0f} µs",
        f"{ratio:.2f} x bare",
    )


def _divide(dividend: float, divisor: float) -> float:
    return dividend / divisor
