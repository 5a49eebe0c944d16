"""When a part gets a new base, what is kept for sites that lag, and what is deleted when."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from authmw.bundle.centre.facts import facts_of_bundle
from authmw.bundle.centre.opening import open_store
from authmw.bundle.centre.publishing import Published, Publisher
from authmw.bundle.centre.settings import load_centre_settings
from tests.bundle.centre.centres import Centre, Site
from tests.support.bundle_facts import Fact, assignment, facts

MakeSite = Callable[..., Site]
_HOUR = 3600
_DAY = 24 * _HOUR


def cloud(number: int, width: int = 1) -> list[Fact]:
    """Return facts that differ by a few rows from those of the number before."""
    return [*facts(60), *(assignment(1000 + number * width + each, 1) for each in range(width))]


def publish_at(centre: Centre, content: Iterable[Fact], now: float) -> Published:
    settings = load_centre_settings(centre.file)
    publisher = Publisher(settings, open_store(settings), lambda: now)
    return publisher.publish(facts_of_bundle(centre.write(content)))


def names(directory: Path) -> set[str]:
    """Return the names of targets without their hashes."""
    return {path.name.partition(".")[2] for path in directory.iterdir()}


def test_a_base_follows_after_so_many_deltas(centre: Centre, site: MakeSite) -> None:
    centre.configure(centre="most_deltas = 2")
    centre.run("init")
    edge, rare = None, None
    for number in range(1, 9):
        centre.publish(cloud(number))
        edge = edge or site()
        if number == 3:
            rare = site(directory="rare")
            assert rare.sync() == ["1.bundle", "1-2.delta", "2-3.delta"]
        edge.sync()
    assert edge is not None
    assert rare is not None
    chain = edge.head().warm
    assert [each.base_revision for each in chain.deltas] == [4, 5, 6, 7]
    assert chain.base.revision == 7
    # One that lags by more than the chain has gets the base.
    assert rare.sync() == ["7.bundle", "7-8.delta"]


def test_who_lags_a_little_needs_no_new_base(centre: Centre, site: MakeSite) -> None:
    centre.configure(centre="most_deltas = 3")
    centre.run("init")
    centre.publish(cloud(1))
    centre.publish(cloud(2))
    edge = site()
    edge.sync()
    for number in range(3, 7):
        centre.publish(cloud(number))
    assert edge.head().warm.base.revision == 5
    assert edge.sync() == ["2-3.delta", "3-4.delta", "4-5.delta", "5-6.delta"]


def test_a_base_follows_when_deltas_exceed_their_share(centre: Centre, site: MakeSite) -> None:
    centre.configure(centre="rebase_share = 0.1")
    centre.run("init")
    centre.publish(cloud(1, 60))
    edge = site()
    bases = []
    for number in range(2, 8):
        centre.publish(cloud(number, 60))
        edge.sync()
        bases.append(edge.head().warm.base.revision)
    # A delta has some 9 kB of a base of 143: the second or third exceeds a tenth.
    assert bases[0] == 1
    assert bases[-1] > 1
    files = centre.state / "parts"
    for chain in (edge.head().warm,):
        sizes = [
            next(files.glob(f"*/{each.path.rpartition('/')[2]}")).stat().st_size
            for each in chain.deltas
        ]
        assert sum(sizes) <= 0.2 * 150_000


@pytest.mark.parametrize("share", ["0", "0.0"])
def test_without_a_share_each_revision_is_a_base(
    share: str, centre: Centre, site: MakeSite
) -> None:
    centre.configure(centre=f"rebase_share = {share}")
    centre.run("init")
    centre.publish(cloud(1))
    edge = site()
    edge.sync()
    centre.publish(cloud(2))
    assert edge.sync() == ["2.bundle"]


def test_old_files_are_kept_as_long_as_a_site_may_need_them(centre: Centre, site: MakeSite) -> None:
    centre.configure(centre="most_deltas = 1\nkeep_days = 7\nkeep_metadata_hours = 1")
    centre.run("init")
    now = time.time()
    for number in range(1, 5):
        publish_at(centre, cloud(number), now + number)
    targets, metadata = centre.www / "targets/sites/edge-1", centre.www / "metadata"
    # The chain is 2, 3, 4 by now: the first base left with the third revision.
    assert {"1.bundle", "3.bundle", "2-3.delta", "3-4.delta"} <= names(targets)
    assert (metadata / "2.snapshot.json").exists()
    # Someone who began with old metadata can still end.
    publish_at(centre, cloud(4), now + _HOUR / 2)
    assert (metadata / "2.snapshot.json").exists()
    publish_at(centre, cloud(4), now + 2 * _HOUR)
    assert not (metadata / "2.snapshot.json").exists()
    assert (metadata / "1.root.json").exists()
    assert "1.bundle" in names(targets)
    publish_at(centre, cloud(4), now + 6 * _DAY)
    assert "1.bundle" in names(targets)
    publish_at(centre, cloud(4), now + 8 * _DAY)
    assert names(targets) == {"head.json", "3.bundle", "2-3.delta", "3-4.delta"}
    # One head of the centre, or two: those of the last days.
    assert len([name for name in names(centre.www / "targets/centre") if name == "head.json"]) == 1
    assert site().sync() == ["3.bundle", "3-4.delta"]


def test_what_can_not_be_deleted_is_no_failure_to_publish(centre: Centre, site: MakeSite) -> None:
    centre.run("init")
    now = time.time()
    publish_at(centre, cloud(1), now)
    publish_at(centre, cloud(2), now + 1)
    old = centre.www / "metadata" / "2.snapshot.json"
    old.unlink()
    (old / "something").mkdir(parents=True)
    # A crash has left a part of a line.
    with (centre.state / "retired").open("ab") as file:
        file.write(b"17500\0\0\n\xff metadata/3.snapshot.json\n1750000000\n")
    (warning,) = publish_at(centre, cloud(3), now + 2 * _HOUR).warnings
    assert "old files can't be deleted, and will be tried again" in warning
    assert site().head_of_centre().revision == 3
    (old / "something").rmdir()
    old.rmdir()
    old.touch()
    publish_at(centre, cloud(3), now + 3 * _HOUR)
    assert not old.exists()


def test_state_holds_what_is_published_and_no_more(centre: Centre) -> None:
    centre.configure(
        '[sites.edge-1]\n[sites.edge-2]\ndomains = ["default"]', centre="most_deltas = 1"
    )
    centre.run("init")
    for number in range(1, 6):
        centre.publish(cloud(number))
    assert len(list((centre.state / "parts").iterdir())) == 3
    centre.configure("[sites.edge-1]\n[sites.edge-2]\n", centre="most_deltas = 1")
    centre.publish(cloud(6))
    (part,) = [each for each in (centre.state / "parts").iterdir() if each.name != "hot"]
    deltas = {path.name for path in part.glob("*.delta")}
    assert len(deltas) == 2
    assert len(list(part.glob("*.bundle"))) == 2
    assert not list(centre.state.glob("work-*"))
    assert not list(centre.state.glob("outgoing*"))
