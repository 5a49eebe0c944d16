"""How fast, and how soon: the same measurements for every instance.

Instances take turns, so that what else the machine does meets all of them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from examples.real_services.instances import THREADS, Instance
from examples.real_services.stage import Stage
from tests.support.identity_types import IssuedToken

STARTS = 3
ROUNDS = 9
REQUESTS_PER_ROUND = 100
NEW_TOKENS = 20
PATIENCE_SECONDS = 60
"""How long a revoked token may be accepted before nobody looks any more."""
LOOK_EVERY_SECONDS = 0.1

Values = Mapping[str, list[float]]
"""What was measured, by the instance's name."""


class UnexpectedStatus(Exception):
    """A request that was to be timed did not succeed."""


def time_requests(instance: Instance, path: str, tokens: Sequence[str]) -> list[float]:
    """Send one request after the other, each with its token; returns their seconds.

    Raises UnexpectedStatus unless all are answered with 200.
    """
    seconds = []
    with instance.open_client() as client:
        for token in tokens:
            begin = time.perf_counter()
            status = client.send("GET", path, headers={"X-Auth-Token": token}).status
            seconds.append(time.perf_counter() - begin)
            if status != 200:
                raise UnexpectedStatus(f"{instance.name}: GET {path}: {status}")
    return seconds


def measure_first_use(stage: Stage) -> Values:
    """Return the milliseconds of each instance's first request with a token, over its starts."""
    values: dict[str, list[float]] = {instance.name: [] for instance in stage.instances}
    for start in range(STARTS):
        if start > 0:
            stage.restart()
        for instance in stage.instances:
            token = stage.issue_for_member().id
            [seconds] = time_requests(instance, instance.service.collection, [token])
            values[instance.name].append(seconds * 1000)
    return values


def measure_new_tokens(stage: Stage) -> Values:
    """Return the milliseconds of requests whose token was never seen.

    No token is used twice, as Keystone remembers which it was asked about.
    """
    values: dict[str, list[float]] = {instance.name: [] for instance in stage.instances}
    for turn in range(NEW_TOKENS):
        for instance in _rotate(stage.instances, turn):
            token = stage.issue_for_member().id
            [seconds] = time_requests(instance, instance.resource, [token])
            values[instance.name].append(seconds * 1000)
    return values


def measure_rates(instances: Sequence[Instance], token: str) -> Values:
    """Return requests per second with one token, round by round."""
    values: dict[str, list[float]] = {instance.name: [] for instance in instances}
    for turn in range(ROUNDS):
        for instance in _rotate(instances, turn):
            values[instance.name].append(_measure_rate(instance, token))
    return values


def measure_revocation(stage: Stage) -> Values:
    """Use tokens, revoke them, and return the seconds until each is refused.

    One that is still accepted after PATIENCE_SECONDS has infinity.
    """
    revoked_at = {}
    tokens = {instance.name: stage.issue_for_member() for instance in stage.instances}
    for instance in stage.instances:
        time_requests(instance, instance.resource, [tokens[instance.name].id])
        stage.keystone.jws.api.revoke(tokens[instance.name])
        revoked_at[instance.name] = time.monotonic()

    def wait(instance: Instance) -> float:
        return _wait_until_refused(instance, tokens[instance.name], revoked_at[instance.name])

    with ThreadPoolExecutor(len(stage.instances)) as pool:
        delays = pool.map(wait, stage.instances)
        return {
            instance.name: [delay] for instance, delay in zip(stage.instances, delays, strict=True)
        }


def _rotate(instances: Sequence[Instance], turn: int) -> list[Instance]:
    """Return them in an order that begins with another one each turn."""
    first = turn % len(instances)
    return [*instances[first:], *instances[:first]]


def _measure_rate(instance: Instance, token: str) -> float:
    share = [token] * (REQUESTS_PER_ROUND // THREADS)
    begin = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda _: time_requests(instance, instance.resource, share), range(THREADS)))
    return len(share) * THREADS / (time.perf_counter() - begin)


def _wait_until_refused(instance: Instance, token: IssuedToken, revoked_at: float) -> float:
    headers = {"X-Auth-Token": token.id}
    with instance.open_client() as client:
        while time.monotonic() < revoked_at + PATIENCE_SECONDS:
            status = client.send("GET", instance.resource, headers=headers).status
            if status == 401:
                return time.monotonic() - revoked_at
            if status != 200:
                raise UnexpectedStatus(f"{instance.name}: {status} for a revoked token")
            time.sleep(LOOK_EVERY_SECONDS)
    return float("inf")
