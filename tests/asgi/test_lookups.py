"""Work that may wait is done in threads: shared, bounded, and dropped where nobody waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from authmw.asgi.lookups import Lookups
from authmw.errors import IdentityUnavailable, InvalidToken, Reason, WouldBlock

HANG_SECONDS = 20


class Gate:
    """Work that waits until it is opened; counts how often it was begun."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.begun = threading.Semaphore(0)
        self.count = 0

    def work(self) -> str:
        self.count += 1
        self.begun.release()
        assert self.opened.wait(HANG_SECONDS)
        return "done"


def run(test: Callable[[Lookups], Any], *, threads: int = 2, patience: float = 5) -> None:
    lookups = Lookups(threads, patience)
    try:
        asyncio.run(test(lookups))
    finally:
        lookups.close()


async def begun(gate: Gate) -> None:
    assert await asyncio.to_thread(gate.begun.acquire, timeout=5)


def test_requests_with_one_key_share_one_thread_and_its_outcome() -> None:
    async def test(lookups: Lookups) -> None:
        gate = Gate()
        tasks = [
            asyncio.create_task(lookups.run(WouldBlock("token", gate.work, "opaque")))
            for _ in range(100)
        ]
        await begun(gate)
        gate.opened.set()
        assert [outcome.get() for outcome in await asyncio.gather(*tasks)] == ["done"] * 100
        assert gate.count == 1

    run(test)


def test_a_refusal_is_each_request_s_own_error() -> None:
    def refuse() -> None:
        raise InvalidToken(Reason.EXPIRED, "of long ago")

    async def test(lookups: Lookups) -> None:
        outcome = await lookups.run(WouldBlock("token", refuse, "signed"))
        errors = []
        for _ in range(2):
            with pytest.raises(InvalidToken, match="of long ago") as caught:
                outcome.get()
            errors.append(caught.value)
        assert errors[0] is not errors[1]

    run(test)


def test_signed_tokens_don_t_wait_behind_opaque_ones() -> None:
    async def test(lookups: Lookups) -> None:
        gates = [Gate() for _ in range(6)]
        tasks = [
            asyncio.create_task(lookups.run(WouldBlock(number, gate.work, "opaque")))
            for number, gate in enumerate(gates)
        ]
        await begun(gates[0])
        outcome = await lookups.run(WouldBlock("signed", lambda: "verified", "signed"))
        assert outcome.get() == "verified"
        assert [gate.count for gate in gates] == [1, 1, 0, 0, 0, 0], "two threads, and no more"
        for gate in gates:
            gate.opened.set()
        await asyncio.gather(*tasks)

    run(test)


def test_a_request_waits_for_a_limited_time() -> None:
    gate = Gate()

    async def test(lookups: Lookups) -> None:
        outcome = await lookups.run(WouldBlock("token", gate.work, "opaque"))
        with pytest.raises(IdentityUnavailable, match=r"no answer within 0\.2 s"):
            outcome.get()
        gate.opened.set()

    run(test, patience=0.2)


def test_work_that_nobody_waits_for_is_dropped_unless_it_has_begun() -> None:
    async def test(lookups: Lookups) -> None:
        first, queued = Gate(), Gate()
        tasks = [
            asyncio.create_task(lookups.run(WouldBlock("first", first.work, "opaque"))),
            asyncio.create_task(lookups.run(WouldBlock("queued", queued.work, "opaque"))),
        ]
        await begun(first)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # Whoever comes next with the token whose work has begun waits for that.
        again = asyncio.create_task(lookups.run(WouldBlock("first", first.work, "opaque")))
        await asyncio.sleep(0)
        first.opened.set()
        queued.opened.set()
        assert (await again).get() == "done"
        other = await lookups.run(WouldBlock("other", lambda: "other", "opaque"))
        assert (other.get(), first.count, queued.count) == ("other", 1, 0)

    run(test, threads=1)


def test_some_work_is_waited_for_by_one_alone_and_some_is_each_one_s_own() -> None:
    async def test(lookups: Lookups) -> None:
        gate = Gate()
        leader = asyncio.create_task(
            lookups.run(WouldBlock("upkeep", gate.work, "upkeep", "go on"))
        )
        await begun(gate)
        follower = await lookups.run(WouldBlock("upkeep", gate.work, "upkeep", "go on"))
        assert (follower.get(), gate.count) == (None, 1)
        gate.opened.set()
        assert (await leader).get() == "done"
        own = [lookups.run(WouldBlock("proof", gate.work, "signed", "work")) for _ in range(3)]
        await asyncio.gather(*own)
        assert gate.count == 4

    run(test)


def test_an_error_of_ours_is_not_taken_for_an_outcome() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    async def test(lookups: Lookups) -> None:
        with pytest.raises(ZeroDivisionError):
            await lookups.run(WouldBlock("token", fail, "opaque"))

    run(test)


def test_what_waits_when_the_service_stops_is_answered() -> None:
    async def test(lookups: Lookups) -> None:
        gate = Gate()
        tasks = [
            asyncio.create_task(lookups.run(WouldBlock(number, gate.work, "opaque")))
            for number in range(2)
        ]
        await begun(gate)
        lookups.close()
        gate.opened.set()
        first, second = await asyncio.gather(*tasks)
        assert first.get() == "done"
        with pytest.raises(IdentityUnavailable, match="being stopped"):
            second.get()
        # And it goes on where it is used again.
        assert (await lookups.run(WouldBlock("new", lambda: "new", "opaque"))).get() == "new"

    run(test, threads=1)
