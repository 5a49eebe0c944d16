"""`authmw bundle status` of a centre: what it says, and what needs a hand."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from authmw.bundle.centre.keys import KeyRing
from authmw.bundle.centre.settings import load_centre_settings
from authmw.bundle.centre.status import describe_centre
from tests.bundle.centre.centres import Centre
from tests.support.bundle_facts import READ_AT, changed, facts

_DAY = 86_400


def problems_at(centre: Centre, now: float) -> list[str]:
    settings = load_centre_settings(centre.file)
    described: list[str] = describe_centre(settings, KeyRing(settings), now)["problems"]
    return described


def test_status_says_what_is_published(centre: Centre, capsys: pytest.CaptureFixture[str]) -> None:
    centre.configure('[sites.edge-1]\n[sites.edge-2]\ndomains = ["default"]\n')
    centre.run("init")
    centre.publish(facts(60))
    centre.publish(changed(facts(60)))
    status = centre.run_json(capsys, "status")
    assert (status["revision"], status["read_at"]) == (2, READ_AT + 2)
    assert status["problems"] == []
    assert status["sites"]["edge-2"]["filter"] == {"domains": ["default"]}
    part = status["parts"][status["sites"]["edge-1"]["part"]]
    assert (part["revision"], part["base_revision"], part["deltas"]) == (2, 1, 1)
    assert part["base_bytes"] > 100_000
    root = status["roles"]["root"]
    assert (root["version"], root["threshold"], len(root["keys"])) == (1, 2, 3)
    assert {key["private_key"] for key in root["keys"]} == {"here"}
    centre.run("status")
    said = capsys.readouterr().out
    assert "root: version 1, ends " in said
    assert "2 of 3 keys sign, 3 here" in said
    assert "part of 1 sites (edge-2): revision 1" in said


def _remove_timestamp_key(centre: Centre) -> None:
    (centre.keys / "timestamp.pem").unlink()


def _open_key(centre: Centre) -> None:
    (centre.keys / "centre.pem").chmod(0o644)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_remove_timestamp_key, "timestamp.pem is not here, and publishing needs it"),
        (_open_key, "centre.pem can be read by others than its owner"),
        (lambda centre: centre.configure("[sites.edge-2]"), "site edge-2 is not in the repository"),
        (lambda centre: centre.configure(""), "site edge-1 was removed"),
        (
            lambda centre: centre.configure("[sites.edge-1]\n[roles.root]\nthreshold = 3"),
            "root: the keys in force are others",
        ),
    ],
)
def test_what_needs_a_hand_is_said(
    change: Callable[[Centre], object],
    said: str,
    centre: Centre,
    capsys: pytest.CaptureFixture[str],
) -> None:
    centre.run("init")
    centre.publish(facts(60))
    centre.run("status")
    change(centre)
    capsys.readouterr()
    centre.run("status", status=1)
    assert said in capsys.readouterr().out


def test_what_is_about_to_end_is_said(centre: Centre) -> None:
    centre.run("init")
    assert any("nothing is published" in each for each in problems_at(centre, time.time()))
    centre.publish(facts(60))
    now = time.time()
    assert problems_at(centre, now) == []
    assert "timestamp: its signature ends at" in problems_at(centre, now + 5 * 3600)[0]
    later = problems_at(centre, now + 300 * _DAY)
    assert any("root: its signature ends at" in each for each in later)
    assert any("snapshot: its signature ended at" in each for each in later)


def test_what_is_published_no_more_is_said(centre: Centre) -> None:
    """The signatures alone don't tell: a publish of events renews them, whatever facts do."""
    centre.configure(centre='keystone_config = ["keystone.conf"]\nhot_every = 30')
    centre.run("init")
    centre.publish([*facts(60), ("revocation_events", (1, "{}"))])

    def find_old(now: float) -> list[str]:
        return [each for each in problems_at(centre, now) if "published are of" in each]

    published = READ_AT + 1
    assert find_old(published + 250) == []
    facts_are_old, events_are_old = find_old(published + 350)
    assert "the facts that are published are of 2025-06-15T15:06:41+00:00" in facts_are_old
    assert "the revocation events" in events_are_old
    assert len(find_old(published - 350)) == 2


def test_offline_keys_may_be_away(centre: Centre, capsys: pytest.CaptureFixture[str]) -> None:
    centre.run("init")
    centre.publish(facts(60))
    for path in centre.keys.glob("root-*.pem"):
        path.unlink()
    status = centre.run_json(capsys, "status")
    assert {key["private_key"] for key in status["roles"]["root"]["keys"]} == {"elsewhere"}
    assert {key["in_force"] for key in status["roles"]["root"]["keys"]} == {True}
