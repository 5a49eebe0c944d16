"""What is published is what sites get, by TUF's own client."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from authmw.bundle.file import open_bundle
from tests.bundle.centre.centres import Centre, Site
from tests.support.bundle_facts import READ_AT, Fact, assignment, changed, facts

MakeSite = Callable[..., Site]


def event(number: int) -> Fact:
    return "revocation_events", (READ_AT * 1_000_000 + number, f'{{"audit_id":"{number}"}}')


def rows_of(site: Site, table: str) -> int:
    with open_bundle(site.bundle) as bundle:
        return int(next(bundle.select(f"SELECT count(*) FROM {table}"))[0])


def test_site_gets_the_base_and_then_deltas(centre: Centre, site: MakeSite) -> None:
    centre.run("init")
    centre.publish(facts())
    edge = site()
    assert edge.sync() == ["1.bundle"]
    centre.publish(changed(facts()))
    assert edge.sync() == ["1-2.delta"]
    assert edge.sync() == []
    assert site(directory="late").sync() == ["1.bundle", "1-2.delta"]


def test_what_did_not_change_is_not_published_again(
    centre: Centre, site: MakeSite, capsys: pytest.CaptureFixture[str]
) -> None:
    centre.configure('[sites.edge-1]\n[sites.none]\nprojects = ["nowhere"]\n')
    centre.run("init")
    capsys.readouterr()
    centre.publish(facts())
    assert "site none: there is no project with the id nowhere" in capsys.readouterr().err
    edge, none = site(), site("none")
    heads = edge.head(), none.head()
    printed = centre.run_json(capsys, "publish", "--from", str(centre.write(facts())))
    assert (printed["changed_sites"], printed["unchanged_sites"]) == ([], 2)
    assert (edge.head(), none.head()) == heads
    # The same parts are those of a later revision.
    assert edge.head_of_centre().revision == 2
    assert edge.head_of_centre().read_at == READ_AT + 2
    printed = centre.run_json(capsys, "publish", "--from", str(centre.write(changed(facts()))))
    assert (printed["changed_sites"], printed["unchanged_sites"]) == (["edge-1"], 1)


def test_events_are_in_the_hot_bundle_alone(centre: Centre, site: MakeSite) -> None:
    centre.run("init")
    centre.publish([*facts(), event(1)])
    edge = site()
    edge.sync()
    assert rows_of(edge, "revocation_events") == 0
    head = edge.head_of_centre()
    assert head.hot is not None
    assert (head.hot_read_at, head.hot_complete_from) == (READ_AT + 1, READ_AT - 5400)
    before = edge.head()
    centre.publish([*facts(), event(1), event(2)])
    # A new event is no change of the site's part.
    assert edge.head() == before
    after = edge.head_of_centre()
    assert after.hot is not None
    assert [each.path for each in after.hot.deltas] == ["centre/1-2.delta"]
    updater = edge.refresh()
    hot = edge.fetch(updater, after.hot.base.path)
    with open_bundle(hot) as bundle:
        assert bundle.header.origin.revocation_polled_at == READ_AT + 1
        assert next(bundle.select("SELECT count(*) FROM revocation_events"))[0] == 1
        assert next(bundle.select("SELECT count(*) FROM assignments"))[0] == 0


def test_sites_with_one_filter_share_the_files(centre: Centre, site: MakeSite) -> None:
    centre.configure("[sites.edge-1]\n[sites.edge-2]\n")
    centre.run("init")
    centre.publish(facts())
    site("edge-1").sync()
    site("edge-2").sync()
    files = list(centre.www.glob("targets/sites/*/*.bundle"))
    assert len(files) == 2
    assert len({file.stat().st_ino for file in files}) == 1


def test_a_bundle_that_is_older_than_what_is_published_is_refused(
    centre: Centre, capsys: pytest.CaptureFixture[str]
) -> None:
    centre.run("init")
    centre.publish(facts())
    old = centre.write([*facts(), assignment(900, 9)], read_at=READ_AT - 1)
    centre.run("publish", "--from", str(old), status=1)
    assert "older than what is published" in capsys.readouterr().err


def test_a_part_that_was_left_behind_is_made_anew(centre: Centre, site: MakeSite) -> None:
    """A filter was changed and changed back while the storage was away: its old part is old."""
    centre.run("init")
    centre.publish(facts())
    edge = site()
    edge.sync()
    centre.configure('[sites.edge-1]\nprojects = ["default"]\n')
    centre.www.rename(centre.directory / "away")
    centre.www.write_text("no directory")
    newest = changed(facts())
    centre.publish(newest, status=1)
    centre.www.unlink()
    (centre.directory / "away").rename(centre.www)
    centre.configure()
    centre.publish(newest)
    assert edge.head_of_centre().revision == 3
    edge.sync()
    with open_bundle(edge.bundle) as bundle, open_bundle(centre.write(newest)) as wanted:
        assert bundle.header.digest == wanted.header.digest
