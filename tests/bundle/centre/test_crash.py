"""A publish or rotation that is killed anywhere leaves what sites had, or all that is new."""

from __future__ import annotations

import contextlib
import functools
import io
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bundle.centre.centres import Centre, Site, serve
from tests.support.bundle_facts import changed, facts
from tests.support.killing import kill_at

pytestmark = pytest.mark.heavy

_SITES = '[sites.edge-1]\n[sites.edge-2]\ndomains = ["default"]\n'


def _quietly(work: Callable[[], None]) -> None:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        work()


ACTIONS: dict[str, Callable[[Centre, Path], None]] = {
    "publish": lambda centre, bundle: centre.run("publish", "--from", str(bundle)),
    "rotate": lambda centre, _: centre.run("rotate", "site", "edge-1"),
    "root": lambda centre, _: centre.run("rotate", "root"),
}


def _follow(site: Site) -> list[int]:
    """Sync a site; returns the versions that it saw, which only grow."""
    updater = site.refresh()
    site.sync()
    head, of_site = site.head_of_centre(updater), site.head(updater)
    return [head.revision, of_site.warm.revision]


@pytest.mark.parametrize("step", [211, pytest.param(23, marks=pytest.mark.slow)])
@pytest.mark.parametrize("action", ACTIONS)
def test_killed_at_any_system_call(action: str, step: int, tmp_path: Path) -> None:
    model = Centre(tmp_path / "model")
    model.directory.mkdir()
    model.configure(_SITES)
    _quietly(lambda: model.run("init"))
    _quietly(lambda: model.publish(facts(60)))
    bundle = Path(shutil.copy(model.write(changed(facts(60))), tmp_path / "next.bundle"))
    place = tmp_path / "killed"
    seen = []
    for stop in range(step, 100_000, step):
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(model.directory, place / "centre", symlinks=True)
        centre = Centre(place / "centre")
        act = functools.partial(_quietly, functools.partial(ACTIONS[action], centre, bundle))
        was_killed = kill_at(stop, act)
        with serve(centre.www) as url:
            site = Site(place / "site", "edge-1", url, centre.root)
            before = _follow(site)
            # The next one goes on, whatever was left behind.
            act()
            _quietly(functools.partial(centre.run, "publish", "--from", str(bundle)))
            after = _follow(site)
        seen.append(before)
        assert after > before
        assert after[1] >= 2
        if not was_killed:
            break
    # Killed early it changed nothing, and late it was as if it had not been killed.
    assert seen == sorted(seen)
    assert seen[0] == [1, 1]
    assert seen[-1] == ([2, 2] if action == "publish" else [1, 1])
    assert len(seen) > 3
