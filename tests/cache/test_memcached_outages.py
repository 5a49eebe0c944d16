"""The cached source on real memcached processes that die, freeze, forget and lie.

Whatever happens to them: the right identity, no exception, and a bounded delay.
"""

from __future__ import annotations

import contextlib
import random
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from pymemcache.client.base import Client

from authmw.build.cache import open_shared_cache
from authmw.cache.digests import digest_text
from authmw.cache.memcached import open_memcached
from authmw.identity.token_response import TokenResponse
from authmw.token.catalog import ServiceCatalog
from tests.support.memcached import Memcached
from tests.support.memcached_kinds import make_settings
from tests.support.shared_cache import ENDPOINT, TokenAsker, make_answer
from tests.support.token_bodies import CATALOG
from tests.support.waiting import wait_for

SECRET_KEY = "a secret of many random characters"
SEALINGS = {
    "none": {},
    "MAC": {"memcache_security_strategy": "MAC", "memcache_secret_key": SECRET_KEY},
    "ENCRYPT": {"memcache_security_strategy": "ENCRYPT", "memcache_secret_key": SECRET_KEY},
}

# Wide: what matters is that it is not the sum of all time-outs.
SECONDS_FOR_ONE_TIME_OUT = 8


class Directory:
    """The identity endpoint: knows whose every token is, and counts the questions."""

    def __init__(self) -> None:
        self.questions = 0
        self._catalog = ServiceCatalog.from_services(CATALOG)

    def fetch_token_response(self, token: str, *, allow_expired: bool, now: float) -> TokenResponse:
        self.questions += 1
        user = {"id": f"id-of-{token}", "name": "Ada Lovelace", "domain": {"id": "d"}}
        return make_answer(user=user, catalog=self._catalog)


class TokenProcess:
    """A filter's cached source on real memcached servers."""

    def __init__(self, *servers: Memcached, sealing: str = "none", **options: str) -> None:
        addresses = ",".join(server.address for server in servers)
        self.settings = make_settings(
            memcached_servers=addresses, **{**SEALINGS[sealing], **options}
        )
        cache = open_shared_cache(self.settings, ENDPOINT)
        assert cache is not None
        self.directory = Directory()
        self.source = TokenAsker(self.directory, cache)

    def ask(self, token: str) -> int:
        """Ask about a token, verify the answer, and return how many questions it took."""
        before = self.directory.questions
        assert self.source.ask(token).user.id == f"id-of-{token}"
        return self.directory.questions - before


TOKENS = [f"gAAAAAB-token-{number}" for number in range(30)]


@pytest.fixture(params=SEALINGS)
def sealing(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def three(tmp_path: Path) -> Iterator[list[Memcached]]:
    servers = [Memcached(tmp_path, name=f"memcached-{number}") for number in range(3)]
    with contextlib.ExitStack() as stack:
        for server in servers:
            server.start()
            stack.callback(server.stop)
        yield servers


def test_what_one_process_fetched_another_finds(empty_memcached: Memcached, sealing: str) -> None:
    one, other = (TokenProcess(empty_memcached, sealing=sealing) for _ in range(2))
    assert [one.ask(token) for token in TOKENS] == [1] * len(TOKENS)
    assert [other.ask(token) for token in TOKENS] == [0] * len(TOKENS)


def test_stopped_memcached_costs_a_question_for_each_request(
    empty_memcached: Memcached, caplog: pytest.LogCaptureFixture
) -> None:
    process = TokenProcess(empty_memcached)
    process.ask(TOKENS[0])
    empty_memcached.stop()
    began = time.monotonic()
    assert [process.ask(TOKENS[0]) for _ in range(100)] == [1] * 100
    assert time.monotonic() - began < SECONDS_FOR_ONE_TIME_OUT
    warnings = [r for r in caplog.records if r.name.startswith("authmw.cache")]
    assert len(warnings) == 2, "the server is dead; requests go on without"


def test_restarted_memcached_is_used_at_once(empty_memcached: Memcached) -> None:
    process = TokenProcess(empty_memcached)
    process.ask(TOKENS[0])
    empty_memcached.stop()
    empty_memcached.start()
    assert [process.ask(TOKENS[0]) for _ in range(3)] == [1, 0, 0]


def test_dead_memcached_that_came_back_is_used_again(empty_memcached: Memcached) -> None:
    process = TokenProcess(empty_memcached, memcache_pool_dead_retry="1")
    empty_memcached.stop()
    assert process.ask(TOKENS[0]) == 1
    empty_memcached.start()
    assert wait_for(lambda: process.ask(TOKENS[0]) == 0)


def test_frozen_memcached_costs_one_time_out_and_then_nothing(
    empty_memcached: Memcached,
) -> None:
    process = TokenProcess(empty_memcached)
    process.ask(TOKENS[0])
    empty_memcached.suspend()
    began = time.monotonic()
    assert [process.ask(token) for token in TOKENS] == [1] * len(TOKENS)
    assert time.monotonic() - began < SECONDS_FOR_ONE_TIME_OUT


def test_memcached_frozen_before_anyone_connected_costs_one_time_out(
    empty_memcached: Memcached,
) -> None:
    empty_memcached.suspend()
    process = TokenProcess(empty_memcached)
    began = time.monotonic()
    assert [process.ask(token) for token in TOKENS] == [1] * len(TOKENS)
    assert time.monotonic() - began < SECONDS_FOR_ONE_TIME_OUT


def test_thawed_memcached_gives_nobody_an_answer_that_came_too_late(
    empty_memcached: Memcached,
) -> None:
    process = TokenProcess(empty_memcached, memcache_pool_dead_retry="0")
    for token in TOKENS:
        process.ask(token)
    empty_memcached.suspend()
    process.ask(TOKENS[0])
    empty_memcached.resume()
    for token in TOKENS * 3:
        process.ask(token)  # verifies whose answer it is


def test_flushed_memcached_is_filled_again(empty_memcached: Memcached, sealing: str) -> None:
    process = TokenProcess(empty_memcached, sealing=sealing)
    process.ask(TOKENS[0])
    empty_memcached.flush()
    assert [process.ask(TOKENS[0]), process.ask(TOKENS[0])] == [1, 0]


def dump(server: Memcached) -> dict[str, bytes]:
    """Return all that a memcached holds, asked as an intruder would."""
    listing = ""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as intruder:
        intruder.sendall(b"lru_crawler metadump all\r\n")
        while not listing.endswith("END\r\n"):
            received = intruder.recv(65536)
            assert received, f"memcached hung up after {listing!r}"
            listing += received.decode()
    keys = map(unquote, re.findall(r"^key=(\S+) ", listing, re.MULTILINE))
    held = open_memcached(make_settings(memcached_servers=server.address))
    return {key: value for key in keys if (value := held.get(key)) is not None}


def rewrite(server: Memcached, values: dict[str, bytes]) -> None:
    held = open_memcached(make_settings(memcached_servers=server.address))
    for key, value in values.items():
        held.set(key, value, 300)


def test_memcached_filled_with_garbage(empty_memcached: Memcached, sealing: str) -> None:
    process = TokenProcess(empty_memcached, sealing=sealing)
    for token in TOKENS:
        process.ask(token)
    chance = random.Random(7)
    held = dump(empty_memcached)
    assert len(held) == len(TOKENS)
    lengths = [0, 1, 4, 50, 1000, 100_000]
    rewrite(empty_memcached, {key: chance.randbytes(chance.choice(lengths)) for key in held})
    assert [process.ask(token) for token in TOKENS] == [1] * len(TOKENS)
    assert [process.ask(token) for token in TOKENS] == [0] * len(TOKENS)


def test_memcached_with_entries_swapped_between_tokens(
    empty_memcached: Memcached, sealing: str
) -> None:
    process = TokenProcess(empty_memcached, sealing=sealing)
    for token in TOKENS:
        process.ask(token)
    held = dump(empty_memcached)
    values = list(held.values())
    rewrite(empty_memcached, dict(zip(held, values[1:] + values[:1], strict=True)))
    assert [process.ask(token) for token in TOKENS] == [1] * len(TOKENS)


@pytest.mark.parametrize("sealing", ["MAC", "ENCRYPT"])
def test_memcached_with_tampered_entries(empty_memcached: Memcached, sealing: str) -> None:
    process = TokenProcess(empty_memcached, sealing=sealing)
    for token in TOKENS:
        process.ask(token)
    chance = random.Random(8)
    tampered = {}
    for key, value in dump(empty_memcached).items():
        changed = bytearray(value)
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        tampered[key] = bytes(changed)
    rewrite(empty_memcached, tampered)
    assert [process.ask(token) for token in TOKENS] == [1] * len(TOKENS)


@pytest.mark.parametrize("sealing", ["MAC", "ENCRYPT"])
def test_memcached_with_entries_of_one_who_does_not_know_the_secret(
    empty_memcached: Memcached, sealing: str
) -> None:
    process = TokenProcess(empty_memcached, sealing=sealing)
    for token in TOKENS:
        process.ask(token)
    forgery = b"aw-0" + b'x\n{"version":1}\n'
    rewrite(empty_memcached, dict.fromkeys(dump(empty_memcached), forgery))
    assert [process.ask(token) for token in TOKENS] == [1] * len(TOKENS)


def test_dump_of_memcached_holds_no_token_and_with_encrypt_no_name(
    empty_memcached: Memcached, sealing: str
) -> None:
    process = TokenProcess(empty_memcached, sealing=sealing)
    for token in TOKENS:
        process.ask(token)
    held = dump(empty_memcached)
    assert len(held) == len(TOKENS)
    everything = b"\n".join([*(key.encode() for key in held), *held.values()])
    for token in TOKENS:
        # The user's id is made of the token here, so only what stands alone is the token.
        assert everything.replace(b"id-of-" + token.encode(), b"").find(token.encode()) == -1
        assert digest_text(token).hex().encode() not in everything
    assert SECRET_KEY.encode() not in everything
    names = [b"Ada Lovelace", b"id-of-", b"Projet", b"member", b"compute", b"2023-11-14", b"east"]
    shown = [name for name in names if name in everything]
    if sealing == "ENCRYPT":
        assert shown == []
    else:
        assert b"Ada Lovelace" in shown, "the search finds what is there"


@pytest.mark.heavy
def test_one_of_three_servers_gone_costs_its_share_once(three: list[Memcached]) -> None:
    process = TokenProcess(*three)
    for token in TOKENS:
        process.ask(token)
    counts = [server.count_items() for server in three]
    assert sum(counts) == len(TOKENS)
    assert all(counts), "every server has a share"
    lost = counts[0]
    three[0].stop()
    asked = sum(process.ask(token) for token in TOKENS)
    # The request that found it dead did not store its answer.
    assert asked == lost
    assert sum(process.ask(token) for token in TOKENS) <= 1
    assert [process.ask(token) for token in TOKENS] == [0] * len(TOKENS)


@pytest.mark.heavy
def test_all_processes_choose_the_same_server_in_whatever_order_they_know_them(
    three: list[Memcached],
) -> None:
    one, other = TokenProcess(*three), TokenProcess(*reversed(three))
    for token in TOKENS:
        one.ask(token)
    assert [other.ask(token) for token in TOKENS] == [0] * len(TOKENS)


def hammer(
    process: TokenProcess, *, threads: int, rounds: int
) -> tuple[list[BaseException], float]:
    """Ask in many threads at once; return what was raised and the slowest request in seconds."""
    raised: list[BaseException] = []
    slowest = [0.0]

    def work(number: int) -> None:
        chance = random.Random(number)
        for _ in range(rounds):
            began = time.monotonic()
            try:
                process.ask(chance.choice(TOKENS))
            except BaseException as error:  # noqa: BLE001 - whatever it is, the test fails
                raised.append(error)
            slowest[0] = max(slowest[0], time.monotonic() - began)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(100)
    assert not any(worker.is_alive() for worker in workers)
    return raised, slowest[0]


def count_connections(server: Memcached) -> int:
    client = Client(server.address, timeout=10)
    count: int = client.stats()[b"curr_connections"]
    client.close()
    return count


def test_64_threads_on_a_pool_of_4(empty_memcached: Memcached, sealing: str) -> None:
    before = count_connections(empty_memcached)
    options = {"memcache_pool_maxsize": "4", "memcache_pool_socket_timeout": "5"}
    process = TokenProcess(empty_memcached, sealing=sealing, **options)
    raised, slowest = hammer(process, threads=64, rounds=30)
    assert raised == []
    assert slowest < SECONDS_FOR_ONE_TIME_OUT
    assert 1 <= count_connections(empty_memcached) - before <= 4
    assert [process.ask(token) for token in TOKENS] == [0] * len(TOKENS)


def test_64_threads_on_a_pool_of_4_whose_server_freezes_wait_for_one_time_out(
    empty_memcached: Memcached,
) -> None:
    process = TokenProcess(empty_memcached, memcache_pool_maxsize="4")
    process.ask(TOKENS[0])
    empty_memcached.suspend()
    began = time.monotonic()
    raised, _ = hammer(process, threads=64, rounds=20)
    assert raised == []
    # 64 time-outs, four at a time, would be 16 seconds.
    assert time.monotonic() - began < SECONDS_FOR_ONE_TIME_OUT


@pytest.mark.heavy
def test_threads_go_on_while_one_of_three_servers_dies_and_returns(
    three: list[Memcached],
) -> None:
    process = TokenProcess(*three, memcache_pool_dead_retry="1")
    over = threading.Event()

    def disturb() -> None:
        while not over.is_set():
            three[0].stop()
            over.wait(0.3)
            three[0].start()
            over.wait(0.3)
            three[1].flush()

    disturber = threading.Thread(target=disturb)
    disturber.start()
    try:
        raised, slowest = hammer(process, threads=16, rounds=150)
    finally:
        over.set()
        disturber.join(60)
    assert raised == []
    assert slowest < SECONDS_FOR_ONE_TIME_OUT
