"""The part of a cloud that one site's bundle holds: it decides as the whole does, or not at all."""

from __future__ import annotations

import os
import sqlite3
import time
from collections import Counter
from contextlib import closing
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from authmw.authority.keystone_claims import parse_keystone_claims
from authmw.bundle.evaluate import evaluate
from authmw.bundle.export.selection import Filter, Selection
from authmw.bundle.facts import TABLES
from authmw.bundle.keystone_sql import KeystoneDatabase
from authmw.bundle.sqlite_reader import SqliteFacts
from authmw.errors import FactUnknown, InvalidToken
from tests.bundle.keystone_worlds import CONFIGURATION, KeystoneOfWorlds
from tests.bundle.worlds import worlds
from tests.support.bundles import facts_of, read_claims

pytestmark = pytest.mark.slow

WORLDS = int(os.environ.get("AUTHMW_WORLDS", "6"))

Decision = dict[str, Any] | str


def decide(facts: SqliteFacts, claims: dict[str, Any]) -> Decision:
    """Return the body of a token, "refused" or "unknown"."""
    try:
        return evaluate(
            parse_keystone_claims(claims),
            issued_at=claims["iat"],
            expires_at=claims["exp"],
            now=time.time(),
            facts=facts,
        )
    except InvalidToken:
        return "refused"
    except FactUnknown:
        return "unknown"


def test_part_decides_as_the_whole_or_says_unknown(keystone_of_worlds: KeystoneOfWorlds) -> None:
    seen: Counter[str] = Counter()

    @settings(
        max_examples=WORLDS,
        derandomize="AUTHMW_WORLDS" not in os.environ,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(world=worlds())
    def compare(world: dict[str, Any]) -> None:
        built = keystone_of_worlds.build(world)
        claims = [read_claims(answer["token"]) for answer in built["answers"]]
        with facts_of(keystone_of_worlds.database_url, CONFIGURATION, newer_by=3600) as whole:
            decisions = [decide(whole, each) for each in claims]
            for chosen in choose_parts(claims, whole):
                compare_part(chosen, claims, decisions)

    def choose_parts(claims: list[dict[str, Any]], whole: SqliteFacts) -> list[Filter]:
        parts = []
        for name, kind in (
            ("openstack_project_id", "projects"),
            ("openstack_domain_id", "domains"),
        ):
            ids = sorted({each[name] for each in claims if name in each})
            is_domain = kind == "domains"
            ids = [each for each in ids if is_there(whole, each, is_domain=is_domain)]
            if ids:
                parts.append(Filter(**{kind: tuple(ids[:1])}))
        return parts

    def compare_part(
        chosen: Filter, claims: list[dict[str, Any]], decisions: list[Decision]
    ) -> None:
        with closing(sqlite3.connect(":memory:")) as file:
            with (
                KeystoneDatabase(keystone_of_worlds.database_url, CONFIGURATION).snapshot() as all_,
                Selection(all_, chosen) as part,
            ):
                for table in TABLES:
                    file.execute(table.create_statement)
                    file.executemany(table.insert_statement, part.rows(table))
            facts = SqliteFacts(file, all_.read_at + 3600)
            for each, decision in zip(claims, decisions, strict=True):
                by_part = decide(facts, each)
                scope = {each.get("openstack_project_id"), each.get("openstack_domain_id")}
                is_inside = bool(scope & {*chosen.projects, *chosen.domains})
                if by_part == "unknown":
                    # What it holds in whole it decides, unless the whole could only refuse.
                    assert not is_inside or decision == "refused", (chosen, each)
                    seen["unknown"] += 1
                else:
                    assert by_part == decision, (chosen, each)
                    seen["inside" if is_inside else "outside"] += 1

    compare()
    assert seen["inside"]
    assert seen["unknown"]


def is_there(facts: SqliteFacts, identifier: str, *, is_domain: bool) -> bool:
    from authmw.bundle.facts import pack_id

    project = facts.project(pack_id(identifier))
    return project is not None and project.is_domain == is_domain


def test_filter_is_named_in_the_settings() -> None:
    assert Filter(("b", "a", "a"), (), ("r",)).setting == {"domains": ["a", "b"], "regions": ["r"]}
    assert Filter().setting == {}
