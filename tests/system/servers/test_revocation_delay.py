"""How long a token works after the real Keystone has ended it: for every deed, both workers.

All deeds are done one after the other, while every token is asked about again and again, so
that one round measures them all. Each time is logged (pytest --log-cli-level=INFO).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pytest

from tests.support.identity_api import IdentityApi
from tests.support.identity_types import IssuedToken, PasswordUser, project_scope, trust_scope
from tests.support.keystone import Keystone
from tests.support.memcached import Memcached
from tests.support.oauth1 import delegate, issue_from_delegation
from tests.support.wsgi_server import serve_paste_file
from tests.system.servers.paste_files import write_paste_file
from tests.system.servers.people import People
from tests.system.servers.servers import Server

pytestmark = pytest.mark.slow

LOG = logging.getLogger(__name__)

INTERVAL_SECONDS = 2
AUTHORITY_SECONDS = 3
# For a machine that is busy with something else.
TOLERANCE_SECONDS = 3
PATIENCE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Subject:
    """A token, and what ends it."""

    token: IssuedToken
    end: Callable[[], object]


class Casting:
    """Makes a token for each deed, each of a user of its own.

    Args:
        api: of the process whose tokens are wanted.
    """

    def __init__(self, api: IdentityApi) -> None:
        self.api = api
        self._member = api.find_role("member")
        self._project = api.create_project()

    def make_emitting(self) -> dict[str, Subject]:
        """Return what Keystone emits an event for."""
        api, member, project = self.api, self._member, self._project
        subjects: dict[str, Subject] = {}

        user, token = self._make_user()
        subjects["token deleted"] = Subject(token, lambda: api.revoke(token))

        disabled, its_token = self._make_user()
        subjects["user disabled"] = Subject(
            its_token, lambda: api.update("user", disabled.id, enabled=False)
        )
        deleted, its_token = self._make_user()
        subjects["user deleted"] = Subject(its_token, lambda: api.delete("user", deleted.id))

        changed, its_token = self._make_user()
        subjects["password changed"] = Subject(
            its_token, lambda: api.update("user", changed.id, password="another")
        )
        place = api.create_project()
        api.grant(user, member, project_scope(place))
        subjects["project deleted"] = Subject(
            api.issue(user, project_scope(place)), lambda: api.delete("project", place.id)
        )
        trustor, trustor_token = self._make_user()
        trust_id = api.create_trust(trustor, user, project, [member])
        subjects["trust deleted"] = Subject(
            api.issue(user, trust_scope(trust_id)),
            lambda: api.delete_trust(trust_id, trustor_token),
        )
        delegation = delegate(api, trustor, project, member)
        subjects["consumer deleted"] = Subject(
            issue_from_delegation(api, delegation),
            lambda: api.call("DELETE", f"/OS-OAUTH1/consumers/{delegation.consumer_id}"),
        )
        return subjects

    def make_silent(self) -> dict[str, Subject]:
        """Return what Keystone emits no event for."""
        api, member = self.api, self._member
        place = api.create_project()
        demoted, token = self._make_user()
        user, _ = self._make_user()
        api.grant(user, member, project_scope(place))
        credential = api.create_application_credential(user, self._project)
        return {
            "role taken away": Subject(
                token, lambda: api.withdraw(demoted, member, project_scope(self._project))
            ),
            "project disabled": Subject(
                api.issue(user, project_scope(place)),
                lambda: api.update("project", place.id, enabled=False),
            ),
            "application credential deleted": Subject(
                api.issue_from_application_credential(credential),
                lambda: api.delete_application_credential(user, credential),
            ),
        }

    def make_control(self) -> IssuedToken:
        """Return a token that nothing happens to."""
        return self._make_user()[1]

    def _make_user(self) -> tuple[PasswordUser, IssuedToken]:
        user = self.api.create_user()
        self.api.grant(user, self._member, project_scope(self._project))
        return user, self.api.issue(user, project_scope(self._project))


@pytest.fixture(scope="module")
def workers(
    keystone: Keystone,
    people: People,
    memcached: Memcached,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    """Two workers: `remote` shares events through memcached, `offline` through files."""
    usual: dict[str, object] = {
        "delay_auth_decision": "true",  # so that refusals, too, say which worker they are of
        "identity_deadline": 60,
        "revocation_poll_interval": INTERVAL_SECONDS,
        "authority_cache_time": AUTHORITY_SECONDS,
    }
    memcached.start()
    filters = {
        "remote": usual
        | people.credentials(keystone.fernet.auth_url)
        | {
            "memcached_servers": memcached.address,
            "memcache_security_strategy": "ENCRYPT",
            "memcache_secret_key": "made up for tests",
        },
        "offline": usual
        | people.credentials(keystone.jws.auth_url)
        | {"jws_public_key_repository": keystone.jws_public_key_repository},
    }
    path = tmp_path_factory.mktemp("revocation") / "workers.ini"
    gunicorn = serve_paste_file(write_paste_file(path, filters), workers=2, threads=4)
    gunicorn.start()
    yield Server(gunicorn)
    gunicorn.stop()


def ask(workers: Server, filter_name: str, token: IssuedToken) -> tuple[int, str]:
    """Return which worker answered, and what the service was told of the token."""
    seen = workers.ask(filter_name, token).seen
    return seen.pid, seen.headers["HTTP_X_IDENTITY_STATUS"]


def let_all_know(workers: Server, filter_name: str, token: IssuedToken) -> None:
    """Have the token remembered by each worker."""
    knowing: set[int] = set()
    for _ in range(500):
        pid, status = ask(workers, filter_name, token)
        assert status == "Confirmed"
        knowing.add(pid)
        if len(knowing) == 2:
            return
    raise AssertionError(f"only {knowing} answered")


def measure(workers: Server, filter_name: str, subjects: Mapping[str, Subject]) -> dict[str, float]:
    """End every token; returns after how many seconds the second worker refused it, by deed."""
    for subject in subjects.values():
        let_all_know(workers, filter_name, subject.token)
    ended_at: dict[str, float] = {}
    refusing: dict[str, dict[int, float]] = {deed: {} for deed in subjects}
    for deed, subject in subjects.items():
        subject.end()
        ended_at[deed] = time.monotonic()
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    waiting = set(subjects)
    while waiting and time.monotonic() < give_up_at:
        for deed in sorted(waiting):
            pid, status = ask(workers, filter_name, subjects[deed].token)
            if status == "Invalid":
                refusing[deed].setdefault(pid, time.monotonic())
            else:
                assert pid not in refusing[deed], f"{deed}: a refused token was taken again"
            if len(refusing[deed]) == 2:
                waiting.remove(deed)
    assert not waiting, f"still taken after {PATIENCE_SECONDS} s: {sorted(waiting)}"
    times = {deed: max(by.values()) - ended_at[deed] for deed, by in refusing.items()}
    for deed, seconds in times.items():
        LOG.info("%-8s %-32s %5.1f s", filter_name, deed, seconds)
    return times


@pytest.mark.parametrize("mode", ["remote", "offline"])
def test_both_workers_refuse_within_an_interval_and_a_second(
    workers: Server, keystone: Keystone, mode: str
) -> None:
    casting = Casting((keystone.jws if mode == "offline" else keystone.fernet).api)
    control = casting.make_control()
    let_all_know(workers, mode, control)
    times = measure(workers, mode, casting.make_emitting())
    late = {
        deed: seconds
        for deed, seconds in times.items()
        if seconds > INTERVAL_SECONDS + 1 + TOLERANCE_SECONDS
    }
    assert late == {}
    let_all_know(workers, mode, control)


def test_offline_what_no_event_tells_of_is_noticed_within_authority_cache_time(
    workers: Server, keystone: Keystone
) -> None:
    casting = Casting(keystone.jws.api)
    control = casting.make_control()
    times = measure(workers, "offline", casting.make_silent())
    late = {
        deed: seconds
        for deed, seconds in times.items()
        if seconds > AUTHORITY_SECONDS + 1 + TOLERANCE_SECONDS
    }
    assert late == {}
    let_all_know(workers, "offline", control)
