"""One memcached server used by many threads: its connections, failure and return."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import pytest

from authmw.cache.memcached.server import Limits, MemcachedServer
from authmw.errors import CacheError
from tests.support.clock import Clock


class FakeConnection:
    """A connection to somebody else's server, which fails as a test likes."""

    def __init__(self) -> None:
        self.is_closed = False
        self.failure: BaseException | None = None

    def get(self, key: str) -> bytes | None:
        assert not self.is_closed
        if self.failure is not None:
            raise self.failure
        return key.encode()

    def set(self, key: str, value: bytes, ttl_seconds: int) -> None: ...

    def add(self, key: str, value: bytes, ttl_seconds: int) -> bool:
        raise NotImplementedError

    def delete(self, key: str) -> None: ...

    def close(self) -> None:
        self.is_closed = True


class FakeServer:
    """Accepts connections, or refuses them with `refusal`."""

    def __init__(
        self,
        *,
        max_connections: int = 4,
        wait_seconds: float = 10,
        unused_seconds: float = 60,
        dead_seconds: float = 300,
    ) -> None:
        self.clock = Clock(1000.0)
        self.opened: list[FakeConnection] = []
        self.refusal: Exception | None = None
        limits = Limits(
            max_connections=max_connections,
            wait_seconds=wait_seconds,
            unused_seconds=unused_seconds,
            dead_seconds=dead_seconds,
        )
        self.server = MemcachedServer("cache.example:11211", self._accept, limits, self.clock)

    def _accept(self) -> FakeConnection:
        if self.refusal is not None:
            raise self.refusal
        self.opened.append(FakeConnection())
        return self.opened[-1]

    def get(self, key: str = "key") -> bytes | None:
        return self.server.run(lambda connection: connection.get(key))

    @property
    def open_now(self) -> int:
        return sum(not connection.is_closed for connection in self.opened)


def in_threads(number: int, work: Callable[[], object]) -> None:
    threads = [threading.Thread(target=work) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)


def test_connection_is_used_again() -> None:
    fake = FakeServer()
    assert [fake.get(), fake.get()] == [b"key", b"key"]
    assert len(fake.opened) == 1


@pytest.mark.parametrize(
    "failure",
    [
        ValueError("odd answer"),
        KeyError("another key"),
        CacheError("not stored"),
        TimeoutError("slow"),
        KeyboardInterrupt(),
        SystemExit(),
        GeneratorExit(),
    ],
)
def test_connection_on_which_anything_went_wrong_is_never_used_again(
    failure: BaseException,
) -> None:
    """A greenlet killed between question and answer showed others' tokens (CVE-2014-0105)."""
    fake = FakeServer()
    fake.get()
    fake.opened[0].failure = failure
    with pytest.raises((CacheError, KeyboardInterrupt, SystemExit, GeneratorExit)):
        fake.get()
    assert fake.opened[0].is_closed
    fake.clock.now += 300
    assert fake.get() == b"key"
    assert len(fake.opened) == 2


def test_uses_that_were_killed_leave_the_pool_as_large_as_it_was() -> None:
    fake = FakeServer(max_connections=2, wait_seconds=0)
    for _ in range(10):
        with pytest.raises(KeyboardInterrupt):
            fake.server.run(_raise_interrupt)
    assert fake.get() == b"key"


def _raise_interrupt(_: object) -> None:
    raise KeyboardInterrupt


def test_connection_closed_by_a_restarted_server_is_replaced_unnoticed() -> None:
    fake = FakeServer()
    barrier = threading.Barrier(4)

    def use_at_once(_: object) -> None:
        barrier.wait(30)

    in_threads(4, lambda: fake.server.run(use_at_once))
    assert fake.open_now == 4
    for connection in fake.opened:
        connection.failure = ConnectionResetError()
    assert fake.get() == b"key"
    assert fake.server.is_usable()
    assert fake.open_now == 1, "the others were closed with it"


def test_new_connection_that_fails_is_a_failure_of_the_server(
    caplog: pytest.LogCaptureFixture,
) -> None:
    fake = FakeServer()
    fake.refusal = ConnectionRefusedError(111, "Connection refused")
    with pytest.raises(CacheError, match=r"cache\.example:11211: ConnectionRefusedError"):
        fake.get()
    assert not fake.server.is_usable()
    (record,) = caplog.records
    assert record.getMessage() == (
        "memcached cache.example:11211: ConnectionRefusedError: [Errno 111] Connection refused; "
        "it is not used for 300 seconds"
    )


def test_time_out_on_a_used_connection_is_not_tried_again_on_another() -> None:
    fake = FakeServer()
    fake.get()
    fake.opened[0].failure = TimeoutError("slow")
    with pytest.raises(CacheError, match="TimeoutError"):
        fake.get()
    assert len(fake.opened) == 1
    assert not fake.server.is_usable()


@pytest.mark.parametrize("failure", [ValueError("odd"), KeyError("k"), CacheError("not stored")])
def test_odd_answer_judges_the_answer_and_not_the_server(failure: Exception) -> None:
    fake = FakeServer()
    fake.get()
    fake.opened[0].failure = failure
    with pytest.raises(CacheError):
        fake.get()
    assert fake.server.is_usable()


def test_foreign_error_is_named_and_not_quoted() -> None:
    fake = FakeServer()
    fake.get()
    fake.opened[0].failure = ValueError("VALUE gAAAAAB-somebody's")
    with pytest.raises(CacheError) as caught:
        fake.get()
    assert str(caught.value) == ("memcached cache.example:11211 gave no proper answer (ValueError)")


def test_dead_server_is_tried_again_after_its_time_and_lives(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "authmw")
    fake = FakeServer()
    fake.refusal = OSError("gone")
    with pytest.raises(CacheError):
        fake.get()
    fake.refusal = None
    fake.clock.now += 299
    assert not fake.server.is_usable()
    with pytest.raises(CacheError, match="not used"):
        fake.get()
    fake.clock.now += 1
    assert fake.server.is_usable()
    assert fake.get() == b"key"
    assert caplog.records[-1].getMessage() == "memcached cache.example:11211 answers again"
    assert (fake.get(), fake.server.is_usable()) == (b"key", True)


def test_one_thread_alone_finds_out_whether_a_dead_server_lives() -> None:
    fake = FakeServer()
    fake.refusal = OSError("gone")
    with pytest.raises(CacheError):
        fake.get()
    fake.clock.now += 300
    fake.refusal = None
    trying, done = threading.Event(), threading.Event()

    def try_slowly(_: object) -> None:
        trying.set()
        assert done.wait(30)

    prober = threading.Thread(target=lambda: fake.server.run(try_slowly))
    prober.start()
    assert trying.wait(30)
    assert not fake.server.is_usable()
    with pytest.raises(CacheError, match="not used"):
        fake.get()
    done.set()
    prober.join(30)
    assert fake.get() == b"key"


def test_no_more_connections_than_allowed_and_the_others_wait_for_one() -> None:
    fake = FakeServer(max_connections=4)
    got: list[bytes | None] = []

    def use() -> None:
        for _ in range(50):
            got.append(fake.get())

    in_threads(32, use)
    assert got == [b"key"] * 1600
    assert len(fake.opened) <= 4


def test_wait_for_a_connection_is_bounded() -> None:
    fake = FakeServer(max_connections=1, wait_seconds=0.05)

    def use_while_in_use(_: object) -> None:
        with pytest.raises(CacheError, match=r"no connection was free.*memcache_pool_maxsize"):
            fake.get()

    fake.server.run(use_while_in_use)
    assert fake.server.is_usable(), "busy is not dead"
    assert fake.get() == b"key"


def test_who_waited_for_a_connection_does_not_wait_for_a_time_out_of_its_own() -> None:
    fake = FakeServer(max_connections=1)
    holding, waiting = threading.Event(), threading.Event()
    faults: list[str] = []

    def time_out(_: object) -> None:
        holding.set()
        assert waiting.wait(30)
        raise TimeoutError("slow")

    def lead() -> None:
        with pytest.raises(CacheError, match="TimeoutError"):
            fake.server.run(time_out)

    def follow() -> None:
        try:
            fake.get()
        except CacheError as fault:
            faults.append(str(fault))

    leader = threading.Thread(target=lead)
    leader.start()
    assert holding.wait(30)
    followers = [threading.Thread(target=follow) for _ in range(8)]
    for follower in followers:
        follower.start()
    waiting.set()
    for thread in (leader, *followers):
        thread.join(30)
    assert len(faults) == 8
    assert all("not used" in fault for fault in faults)


def test_connection_unused_for_long_is_closed() -> None:
    fake = FakeServer(unused_seconds=60)

    def use_two(_: object) -> None:
        fake.get()

    fake.server.run(use_two)
    assert fake.open_now == 2
    for _ in range(7):
        fake.clock.now += 10
        fake.get()
    assert fake.open_now == 1


def test_unused_connections_are_kept_where_no_time_is_set() -> None:
    fake = FakeServer(unused_seconds=0)
    fake.get()
    fake.clock.now += 1_000_000
    fake.get()
    assert len(fake.opened) == 1
