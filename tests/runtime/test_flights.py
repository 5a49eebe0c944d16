"""Single flight: one caller works, all get the outcome, and followers have a deadline."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from authmw.errors import IdentityUnavailable, InvalidToken, Outage, Reason
from authmw.runtime.flights import Flights


class Crowd:
    """Threads that all ask for one key while the leader's work is held up."""

    def __init__(self, flights: Flights[str], work: Callable[[], str], size: int = 32) -> None:
        self.outcomes: list[str | BaseException] = []
        self._threads = [
            threading.Thread(target=self._ask, args=(flights, work)) for _ in range(size)
        ]

    def _ask(self, flights: Flights[str], work: Callable[[], str]) -> None:
        try:
            self.outcomes.append(flights.run("key", work))
        except BaseException as error:  # noqa: BLE001 - a leader's death is what is tested
            self.outcomes.append(error)

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()


class HeldUpWork:
    """Work that counts its calls and returns once all followers had time to come."""

    def __init__(self, finish: Callable[[int], str]) -> None:
        self.calls = 0
        self.may_finish = threading.Event()
        self._finish = finish

    def __call__(self) -> str:
        self.calls += 1
        call = self.calls
        assert self.may_finish.wait(30)
        return self._finish(call)


def raise_(error: BaseException) -> str:
    raise error


def run_crowd(finish: Callable[[int], str], size: int = 32) -> tuple[HeldUpWork, Crowd]:
    work = HeldUpWork(finish)
    crowd = Crowd(Flights(20), work, size)
    crowd.start()
    work.may_finish.set()
    crowd.join()
    return work, crowd


def test_followers_get_the_leader_s_result() -> None:
    flights: Flights[str] = Flights(20)
    started, may_finish = threading.Event(), threading.Event()
    calls: list[int] = []

    def work() -> str:
        calls.append(1)
        started.set()
        assert may_finish.wait(30)
        return "token"

    crowd = Crowd(flights, work)
    crowd.start()
    assert started.wait(30)
    may_finish.set()
    crowd.join()
    assert crowd.outcomes == ["token"] * 32
    assert 1 <= len(calls) <= 32


@pytest.mark.parametrize(
    "error",
    [
        InvalidToken(Reason.NOT_FOUND, "unknown"),
        IdentityUnavailable("frozen", retry_after=7),
        Outage("BREAKER_OPEN", "not asked", retry_after=7),
    ],
)
def test_refusals_and_outages_are_shared_each_as_an_object_of_its_own(error: Exception) -> None:
    _, crowd = run_crowd(lambda _: raise_(error))
    assert {type(outcome) for outcome in crowd.outcomes} == {type(error)}
    assert {str(outcome) for outcome in crowd.outcomes} == {str(error)}
    assert [vars(outcome) for outcome in crowd.outcomes] == [vars(error)] * 32
    if isinstance(error, IdentityUnavailable):
        assert {getattr(outcome, "retry_after", None) for outcome in crowd.outcomes} == {7}


def test_a_leader_that_dies_frees_the_others_and_one_of_them_leads() -> None:
    def finish(call: int) -> str:
        return raise_(SystemExit()) if call == 1 else "token"

    _, crowd = run_crowd(finish)
    dead = [outcome for outcome in crowd.outcomes if isinstance(outcome, SystemExit)]
    assert len(dead) == 1
    assert crowd.outcomes.count("token") == 31


def test_a_follower_does_not_wait_past_its_deadline() -> None:
    flights: Flights[str] = Flights(0.05)
    leading, may_finish = threading.Event(), threading.Event()

    def work() -> str:
        leading.set()
        assert may_finish.wait(30)
        return "token"

    leader = threading.Thread(target=flights.run, args=("key", work))
    leader.start()
    try:
        assert leading.wait(30)
        with pytest.raises(IdentityUnavailable, match=r"took more than 0\.05 s"):
            flights.run("key", lambda: "mine")
    finally:
        may_finish.set()
        leader.join(30)


def test_different_keys_do_not_wait_for_each_other() -> None:
    flights: Flights[str] = Flights(20)
    assert flights.run("a", lambda: flights.run("b", lambda: "inner")) == "inner"


def test_the_next_one_after_a_landing_works_anew() -> None:
    flights: Flights[str] = Flights(20)
    assert [flights.run("a", lambda: "one"), flights.run("a", lambda: "two")] == ["one", "two"]
