"""Every worker of a pre-forking server follows the bundle."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bundle.sites import Site
from tests.support.clock import Clock
from tests.support.identity_types import IssuedToken
from tests.support.wsgi_server import serve_paste_file
from tests.system.servers.paste_files import write_paste_file
from tests.system.servers.servers import Server

pytestmark = pytest.mark.heavy

WORKERS = 3
# A loaded machine starts threads late; the promise is a second.
TOLERANCE_SECONDS = 0.5


@pytest.fixture
def site(tmp_path: Path, clock: Clock) -> Iterator[Site]:
    made = Site(tmp_path, clock)
    yield made
    made.close()


def take_the_role_away(site: Site) -> None:
    site.world.file.execute("DELETE FROM assignments WHERE actor_id = 'v'")
    site.publish()


def revoke(site: Site) -> None:
    site.publish_hot({"user_id": "v", "issued_before": "2100-01-01T00:00:00.000000Z"}, number=2)


@pytest.mark.parametrize("preload", [False, True])
@pytest.mark.parametrize("change", [take_the_role_away, revoke])
def test_every_worker_notices_a_new_revision_within_a_second(
    site: Site, tmp_path: Path, change: Callable[[Site], None], *, preload: bool
) -> None:
    site.world.assign("member", "v", "low")
    site.publish()
    site.publish_hot()
    options = {**site.options, "delay_auth_decision": "true"}
    gunicorn = serve_paste_file(
        write_paste_file(tmp_path / "workers.ini", {"site": options}),
        workers=WORKERS,
        threads=2,
        preload=preload,
    )
    gunicorn.start()
    try:
        server = Server(gunicorn)
        kept, ended = (IssuedToken(site.sign(user), {}) for user in ("u", "v"))
        pids = server.ask_every_worker("site", ended, WORKERS)
        assert server.ask_every_worker("site", kept, WORKERS) == pids
        change(site)
        published_at = time.monotonic()
        noticed: dict[int, float] = {}
        while len(noticed) < WORKERS and time.monotonic() < published_at + 10:
            seen = server.ask("site", ended).seen
            if seen.headers["HTTP_X_IDENTITY_STATUS"] == "Invalid":
                noticed.setdefault(seen.pid, time.monotonic() - published_at)
            else:
                assert seen.pid not in noticed
            seen = server.ask("site", kept).seen
            assert seen.headers["HTTP_X_IDENTITY_STATUS"] == "Confirmed"
        assert noticed.keys() == pids
        assert max(noticed.values()) < 1 + TOLERANCE_SECONDS
    finally:
        gunicorn.stop()
