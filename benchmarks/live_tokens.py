"""Does a hit cost more when memory holds many tokens?

Both sizes are asked for the same 100 tokens, so that what differs is the table alone. In
a second row every token is asked for in turn: then no processor cache holds them all.
"""

from __future__ import annotations

import copy
import dataclasses
import itertools
import time
from collections.abc import Callable, Iterator

from authmw.authenticator import Authenticator
from authmw.build import build_filter_parts
from authmw.cache.memory import MemoryCache
from authmw.token import Token
from benchmarks.measure import Effort, measure
from benchmarks.stage import CannotMeasure, Stage, open_stage
from benchmarks.table import Row

FEW, MANY = 100, 100_000
_TOKENS_PER_PRINCIPAL = 20
_BYTES = 1024 * 1024 * 1024
_NOISE = 1.1


def run(effort: Effort) -> Iterator[Row]:
    """Yield both rows; there is no peer to these."""
    with open_stage() as stage:
        few, many = _fill(stage, FEW), _fill(stage, MANY)
        requests = {
            "few": _ask(few, FEW),
            "many": _ask(many, FEW),
            "all": _ask(many, MANY),
        }
        with stage.no_validation("live tokens"):
            times = measure(requests, effort)
    yield Row(
        f"a hit: {MANY:,} live tokens beside {FEW:,}, the same tokens asked for",
        f"{times['many']:.2f} µs",
        f"{times['few']:.2f} µs (ours)",
        f"{times['many'] / times['few']:.2f}",
        f"{_NOISE:g}",
        times["many"] <= times["few"] * _NOISE,
    )
    yield Row(
        f"a hit: each of {MANY:,} live tokens in turn, no processor cache holds them",
        f"{times['all']:.2f} µs",
        f"{times['few']:.2f} µs (ours)",
        f"{times['all'] / times['few']:.2f}",
    )
    size = _memory_of(many).size
    yield Row(
        f"memory for {MANY:,} tokens of {MANY // _TOKENS_PER_PRINCIPAL:,} users, as accounted",
        f"{size / 2**20:.0f} MiB",
        budget=f"{_BYTES / 2**20:.0f} MiB",
        is_met=size <= _BYTES,
    )


def _fill(stage: Stage, size: int) -> Authenticator:
    options = {"memory_cache_size": str(size), "memory_cache_bytes": str(_BYTES)}
    authenticator = build_filter_parts(
        {**stage.server.service_credentials, **options}
    ).authenticator
    memory = _memory_of(authenticator)
    server = stage.server
    body = server.validate(server.issue("member", project="inventory"), include_catalog=False)
    soon = int(time.time()) + 3600
    for first in range(0, size, _TOKENS_PER_PRINCIPAL):
        # Parsed anew each time: a principal with texts, dicts and lists of its own.
        token = Token.from_body(
            copy.deepcopy(body), None, answered_at=0, fresh_until=soon, usable_until=soon
        )
        for number in range(first, min(first + _TOKENS_PER_PRINCIPAL, size)):
            memory.put(_name(number), dataclasses.replace(token))
    if len(memory) != size:
        raise CannotMeasure(f"memory holds {len(memory)} of {size} tokens")
    return authenticator


def _memory_of(authenticator: Authenticator) -> MemoryCache[Token]:
    # From behind, since validating all these tokens would take minutes.
    return authenticator._resolver._memory


def _name(number: int) -> str:
    return f"gAAAAAB{number:0180d}"


def _ask(authenticator: Authenticator, size: int) -> Callable[[], None]:
    # A stride that shares no factor with the size visits all of them, far apart.
    numbers = itertools.cycle([number * 7919 % size for number in range(size)])
    template = {"REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": "/v1/items/42"}

    def send() -> None:
        environ = template.copy()
        environ["HTTP_X_AUTH_TOKEN"] = _name(next(numbers))
        if authenticator.authenticate(environ) is not None:
            raise CannotMeasure("a live token was rejected")

    return send
