"""A centre and five sites, each in a network of its own: links are cut, slowed and healed.

The centre has a real Keystone on PostgreSQL, storage with the interface of S3, and NATS; a site
has a leaf node of NATS, `authmw bundle sync` and a service behind authmw under gunicorn.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.bundle.full_world import WORLD
from tests.bundle.keystone_worlds import KeystoneOfWorlds
from tests.bundle.worlds import worlds
from tests.support.bundles import normalize
from tests.support.databases import PostgreSQL, find_postgresql
from tests.support.filters import Filter
from tests.support.nats import find_nats_server
from tests.support.waiting import wait_for
from tests.system.sites.estate import (
    MAX_AGE_SECONDS,
    EdgeSite,
    Estate,
)
from tests.system.sites.judgement import State, Verdict, is_for_any_request
from tests.system.sites.namespaces import why_not

DAY_SECONDS = 86_400
_WORKERS_LOOK_SECONDS = 2
# What facts of that much later lack was deleted since (ADR 0121).
_LONG_BEFORE_SECONDS = 600
DECISIONS = 10_000
WORLDS = 3


def _missing() -> str | None:
    if (reason := why_not()) is not None:
        return reason
    if find_postgresql("postgres") is None:
        return "postgresql is not installed"
    return None if find_nats_server() is not None else "nats-server is not installed"


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(_missing() is not None, reason=_missing() or "nothing is missing"),
]


class Cloud:
    """What happens in the centre's Keystone.

    Args:
        keystone: its database is published.
        directory: for what is compared.

    Attributes:
        tokens: that Keystone signed so far, each with its answer.
    """

    def __init__(self, keystone: KeystoneOfWorlds, directory: Path) -> None:
        self._keystone = keystone
        self._directory = directory
        self.tokens: list[dict[str, Any]] = []

    def build(self, world: dict[str, Any]) -> None:
        """Have users, projects, grants and tokens come, and some go."""
        self.tokens += self._keystone.build(json.loads(json.dumps(world)))["answers"]

    def build_random(self, count: int) -> None:
        """Build random worlds, always the same ones."""

        @settings(
            max_examples=count,
            derandomize=True,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(world=worlds())
        def build(world: dict[str, Any]) -> None:
            self.build(world)

        build()

    def read(self) -> State:
        """Return what is in the database now."""
        return State(self._keystone, self._directory)


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    # Paths of sockets are short.
    made = Path(tempfile.mkdtemp(prefix="authmw-sites-", dir="/tmp"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def centre_keystone(directory: Path) -> Iterator[KeystoneOfWorlds]:
    server = PostgreSQL(directory)
    server.start(deadline_seconds=90)
    place = directory / "keystone"
    place.mkdir()
    made = KeystoneOfWorlds(place, database_url=server.create_database("keystone"))
    yield made
    made.stop()
    server.stop()


@pytest.fixture(scope="module")
def cloud(centre_keystone: KeystoneOfWorlds, directory: Path) -> Cloud:
    made = Cloud(centre_keystone, directory)
    made.build_random(WORLDS)
    return made


@pytest.fixture(scope="module")
def estate(centre_keystone: KeystoneOfWorlds, cloud: Cloud, directory: Path) -> Iterator[Estate]:
    made = Estate(directory, centre_keystone)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def _compare(site: EdgeSite, state: State, tokens: list[str], now: float) -> Counter[int]:
    """Compare what a site's service answers with what the facts say; returns what they say."""
    known = site.read_at()
    time.sleep(_WORKERS_LOOK_SECONDS)
    seen: Counter[int] = Counter()
    for token in tokens:
        if is_for_any_request(token, state.judge(token, now, known)[1]):
            seen[_verify(_ask(site, token), site, state, token, now, known)] += 1
    return seen


def _verify(told: Verdict, site: EdgeSite, state: State, token: str, now: float, known: int) -> int:
    """Hold one answer against what the facts say; returns the status.

    What facts deny, or lack, is a 503 for as long as they may be older than the token. The centre
    confirms every other second that they are still so, so that may end at any moment.

    Args:
        told: what the service answered.
        site, state: of the service.
        token, now: what it was asked, and when.
        known: epoch seconds: what the service knew its facts to be of before it was asked.
    """
    if told != state.judge(token, now, known):
        assert told == state.judge(token, now, site.read_at()), (site.name, known, token)
    return told[0]


def _ask(site: EdgeSite, token: str) -> Verdict:
    answer = site.ask(token)
    return answer.status, None if answer.token is None else normalize(answer.token)


def test_ten_thousand_decisions_are_keystone_s(estate: Estate, cloud: Cloud) -> None:
    state = cloud.read()
    estate.wait_for(state.digest, estate.sites)
    now = time.time()
    # Keystone's own answers, by each site's service.
    for answer in cloud.tokens:
        status, body = state.judge(answer["token"], now)
        assert (status == 200) == (answer["status"] == 200)
        if status == 200 and body is not None:
            # The catalog is that of all worlds, of which some were made after this answer.
            assert _without_catalog(body) == _without_catalog(normalize(answer["body"]))
    seen: Counter[int] = Counter()
    tokens = [answer["token"] for answer in cloud.tokens]
    for site in estate.sites:
        seen += _compare(site, state, tokens, now)
    assert min(seen[200], seen[401]) > 20, seen
    # Others by the same filter in this process, with the file that the site's workers read.
    left = DECISIONS - seen.total()
    for seed, site in enumerate(estate.sites):
        known = site.read_at()
        protected = Filter({name: str(value) for name, value in site.options.items()})
        try:
            count = left // len(estate.sites) + 1
            for token in state.random_tokens(count, seed, issued_at=int(now) - 60):
                told = protected.ask(token)
                info = None if told.token_info is None else normalize(told.token_info["token"])
                seen[_verify((told.status, info), site, state, token, now, known)] += 1
        finally:
            protected.close()
    assert seen.total() >= DECISIONS
    assert min(seen[200], seen[401]) > DECISIONS / 20, seen
    state.close()


def _without_catalog(body: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value for name, value in body.items() if name not in ("catalog", "service_providers")
    }


def test_site_behind_a_cut_link_has_the_last_facts_until_it_is_healed(
    estate: Estate, cloud: Cloud
) -> None:
    before = cloud.read()
    estate.wait_for(before.digest, estate.sites)
    away, *others = estate.sites
    away.link.cut()
    try:
        cloud.build(WORLD)
        after = cloud.read()
        assert after.digest != before.digest
        estate.wait_for(after.digest, others)
        assert away.digest() == before.digest
        now = int(time.time())
        tokens = list(before.random_tokens(50, 1, issued_at=now - 60))
        assert _compare(away, before, tokens, now)[200] > 0
    finally:
        away.link.heal()
    estate.wait_for(after.digest, [away])
    after.close()
    before.close()


def test_slow_link_is_enough(estate: Estate, cloud: Cloud) -> None:
    slow = estate.sites[1]
    slow.link.slow(128)
    try:
        cloud.build(WORLD)
        state = cloud.read()
        estate.wait_for(state.digest, [slow], 120)
    finally:
        slow.link.heal()
    state.close()


def test_without_nats_polls_are_enough(estate: Estate, cloud: Cloud) -> None:
    deaf = estate.sites[2]
    deaf.stop_nats()
    estate.centre.nats.stop()
    try:
        cloud.build(WORLD)
        state = cloud.read()
        estate.wait_for(state.digest, estate.sites)
    finally:
        estate.centre.nats.start()
        deaf.start_nats()
    state.close()


def test_site_that_is_cut_off_decides_for_as_long_as_bundle_max_age(
    estate: Estate, cloud: Cloud
) -> None:
    state = cloud.read()
    island = estate.sites[3]
    estate.wait_for(state.digest, [island])
    island.link.cut()
    try:
        island.stop()
        read_at = island.read_at()
        before = read_at - _LONG_BEFORE_SECONDS
        long_lived = list(
            state.random_tokens(100, 2, issued_at=before, seconds=MAX_AGE_SECONDS + DAY_SECONDS)
        )
        expired = list(state.random_tokens(20, 3, issued_at=before))
        island.start(ahead_seconds=DAY_SECONDS)
        now = time.time() + DAY_SECONDS
        assert set(_compare_many(island, state, long_lived, now)) == {200, 401}
        # Keystone has accepted since the cut what these facts deny.
        newer = list(state.random_tokens(100, 4, issued_at=int(now) - 60))
        assert set(_compare_many(island, state, newer, now)) == {200, 503}
        assert set(_compare(island, state, expired, now)) == {401}
        island.stop()
        island.start(ahead_seconds=MAX_AGE_SECONDS + 600)
        newer = list(state.random_tokens(20, 5, issued_at=int(time.time()) + MAX_AGE_SECONDS + 540))
        assert {island.ask(token).status for token in long_lived[:20] + newer} == {503}
        assert f"bundle_max_age = {MAX_AGE_SECONDS}" in island.read_log()
        assert {island.ask(token).status for token in expired} == {401}
    finally:
        island.link.heal()
    island.stop()
    island.start()
    assert wait_for(lambda: island.read_at() > read_at, 60)
    tokens = list(state.random_tokens(50, 6, issued_at=int(time.time()) - 60))
    _compare(island, state, tokens, time.time())
    state.close()


def _compare_many(site: EdgeSite, state: State, tokens: list[str], now: float) -> Counter[int]:
    seen = _compare(site, state, tokens, now)
    assert min(seen.values()) > len(tokens) / 10, seen
    return seen
