"""Answers about a bearer in the shared cache: which entries are used, and which are replaced."""

from __future__ import annotations

import json
from typing import Any

import pytest

from authmw.answers.source import SharedAnswers
from authmw.authority.authorization import Authorization
from authmw.authority.identity import IdentityAuthority
from authmw.authority.rate import RenewalRate
from authmw.authority.signed_bearer import SignedBearer
from authmw.cache.memory import MemoryCache
from authmw.cache.shared import SharedCache
from authmw.errors import IdentityUnavailable, InvalidToken
from authmw.token import Principal
from tests.support.shared_cache import NOW, DictCache, ScriptedSource, make_answer, make_namespace

CLAIMS = {
    "sub": "u1",
    "openstack_methods": ["password"],
    "openstack_audit_ids": ["audit-1"],
    "openstack_project_id": "p1",
}
PRINCIPAL = Principal.from_body(make_answer().body, None)
OUTAGE = IdentityUnavailable("nobody answers")


class BearerProcess:
    """What one process knows of bearers, with a cache that others may share."""

    def __init__(self, held: DictCache) -> None:
        self.source = ScriptedSource(make_answer())
        shared = SharedAnswers[Authorization](
            self.source,
            SharedCache(held, [make_namespace()]),
            include_catalog=True,
            clock_skew_seconds=5,
            remember_seconds=260,
        )
        self.memory = MemoryCache[Authorization](max_entries=10, max_bytes=1_000_000)
        self.bearers = IdentityAuthority(
            shared,
            memory=self.memory,
            fresh_seconds=60,
            grace_seconds=200,
            deadline_seconds=10,
            rate=RenewalRate(10),
            wake=lambda _: None,
        )

    def ask(self, now: float = NOW) -> Authorization:
        self.memory.clear()  # as another process
        return self.bearers.look_up(SignedBearer("the key", CLAIMS, "a.b.c"), now)


# What no endpoint says of this bearer: not of the shape of a body, unsafe, or of somebody else.
WRONG: list[dict[str, Any]] = [
    {"user": "nobody"},
    {"user": {"id": "", "name": "Ada"}},
    {"roles": [{"id": "r1"}]},
    {"user": {"id": "u1", "name": "Ada\r\nX-Roles: admin"}},
    {"user": {"id": "u2", "name": "Eve", "domain": {"id": "d1", "name": "Eins"}}},
    {"project": {"id": "p2", "name": "Andere"}},
    {"application_credential": {"id": "ac1"}},
]


@pytest.mark.parametrize("members", WRONG)
def test_an_entry_that_can_not_be_the_truth_is_a_miss_and_replaced(
    members: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    held = DictCache()
    process = BearerProcess(held)
    process.ask()
    [(key, good)] = held.values.items()
    # Whoever can write to a cache that is not sealed puts this there.
    held.values[key] = change(good, members)

    assert process.ask().principal == process.ask().principal == PRINCIPAL
    assert held.values[key] == good
    assert len(process.source.questions) == 2
    assert "an entry about a bearer is refused: " in caplog.text


def test_such_an_entry_is_of_no_use_in_an_outage_either() -> None:
    held = DictCache()
    process = BearerProcess(held)
    process.ask()
    [(key, good)] = held.values.items()
    held.values[key] = change(good, WRONG[0])
    process.source.outcome = OUTAGE
    with pytest.raises(IdentityUnavailable, match="nobody answers"):
        process.ask()


@pytest.mark.parametrize("members", WRONG)
def test_an_answer_that_will_be_refused_is_not_kept_for_others(members: dict[str, Any]) -> None:
    held = DictCache()
    process = BearerProcess(held)
    process.source.outcome = make_answer(**members)
    with pytest.raises((IdentityUnavailable, InvalidToken)):
        process.ask()
    assert held.values == {}


def change(entry: bytes, members: dict[str, Any]) -> bytes:
    """Return the entry with other members in its body."""
    head, line, catalog = entry.split(b"\n", 2)
    written = json.loads(line)
    written["body"].update(members)
    return b"\n".join((head, json.dumps(written).encode(), catalog))
