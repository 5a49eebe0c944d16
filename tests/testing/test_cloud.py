"""Personas against a real filter, moved time and faults: all as in production."""

from __future__ import annotations

import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from webtest import TestApp

import authmw
from authmw.testing import PERSONAS, Cloud, Fault, Persona
from tests.support.programs import run_python

ROLES = {
    "admin": "admin,manager,member,reader",
    "manager": "manager,member,reader",
    "member": "member,reader",
    "reader": "reader",
    "user": "service",
}


class Service:
    seen: dict[str, Any]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.seen = environ
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"hello"]


def status(app: Any, persona: Persona, **more: str) -> int:
    answer = TestApp(app).get("/", headers={**persona.headers, **more}, status="*")
    return int(answer.status_int)


@pytest.fixture(scope="module")
def running() -> Iterator[Cloud]:
    with Cloud() as cloud:
        yield cloud


@pytest.fixture
def cloud(running: Cloud) -> Cloud:
    running.reset()
    return running


@pytest.mark.parametrize("name", PERSONAS)
def test_each_persona_reaches_the_service_as_what_its_name_says(cloud: Cloud, name: str) -> None:
    service = Service()
    assert status(cloud.protect(service), cloud.personas[name]) == 200
    scope, _, role = name.partition("_")
    seen = service.seen
    assert (seen["HTTP_X_USER_NAME"], seen["HTTP_X_ROLES"]) == (name, ROLES[role])
    found = {
        "system": "HTTP_OPENSTACK_SYSTEM_SCOPE" in seen,
        "domain": "HTTP_X_DOMAIN_ID" in seen,
        "project": "HTTP_X_PROJECT_ID" in seen,
    }
    kind = "project" if scope == "service" else scope
    assert [name for name, is_found in found.items() if is_found] == [kind]


def test_every_persona_has_a_method_of_its_name(cloud: Cloud) -> None:
    for name in PERSONAS:
        persona = getattr(cloud.personas, name)()
        assert (persona.name, persona.user_id) == (name, cloud.personas[name].user_id)


def test_projects_and_domains_are_made_where_they_are_missing(cloud: Cloud) -> None:
    service = Service()
    app = cloud.protect(service)
    assert status(app, cloud.personas.project_member("greenhouse")) == 200
    assert service.seen["HTTP_X_PROJECT_NAME"] == "greenhouse"
    assert status(app, cloud.personas.domain_admin("garden")) == 200
    assert service.seen["HTTP_X_DOMAIN_NAME"] == "garden"
    greenhouse = cloud.identity.directory.project("greenhouse")
    assert cloud.personas.project_reader(greenhouse.id).project_id == greenhouse.id


def test_a_service_user_sends_somebody_s_request_on(cloud: Cloud) -> None:
    service = Service()
    sender = cloud.personas.service_user()
    app = cloud.protect(service)
    assert status(app, cloud.personas.project_reader(), **sender.service_headers) == 200
    assert service.seen["HTTP_X_SERVICE_ROLES"] == "service"


def test_tokens_are_verified_not_believed(cloud: Cloud) -> None:
    persona = cloud.personas.system_admin()
    head, _, signature = persona.token.rpartition(".")
    forged = Persona("forged", f"{head}.{signature[::-1]}", 0, "")
    with Cloud() as other:
        strangers = other.personas.system_admin()
    app = cloud.protect(Service())
    assert [status(app, one) for one in (persona, forged, strangers)] == [200, 401, 401]


def test_validating_a_persona_asks_the_identity_service_nothing(cloud: Cloud) -> None:
    app = cloud.protect(Service())
    assert status(app, cloud.personas.project_member()) == 200
    assert cloud.identity.calls["validate"] == 0


def test_time_stands_still_until_it_is_moved(cloud: Cloud) -> None:
    app = cloud.protect(Service())
    member = cloud.personas.project_member(expires_in=60)
    cloud.clock.advance(59)
    assert status(app, member) == 200
    cloud.clock.advance(1)
    assert status(app, member) == 401
    with pytest.raises(ValueError, match=r"a clock can't go back, by 0\.5 seconds"):
        cloud.clock.advance(-0.5)


def test_expire_moves_time_to_the_end_of_one_token(cloud: Cloud) -> None:
    app = cloud.protect(Service())
    member = cloud.personas.project_member(expires_in=60)
    admin = cloud.personas.project_admin()
    cloud.expire(member)
    assert (status(app, member), status(app, admin)) == (401, 200)
    assert status(app, cloud.personas.project_member()) == 200


def test_revoke_ends_one_token_and_no_other_of_the_same_user(cloud: Cloud) -> None:
    app = cloud.protect(Service())
    first, second = cloud.personas.project_member(), cloud.personas.project_member()
    assert (status(app, first), status(app, second)) == (200, 200)
    cloud.revoke(first)
    assert (status(app, first), status(app, second)) == (401, 200)


def test_a_disabled_user_is_out_when_events_have_arrived(cloud: Cloud) -> None:
    app = cloud.protect(Service())
    member = cloud.personas.project_member()
    assert status(app, member) == 200
    cloud.identity.disable_user("project_member")
    cloud.let_events_arrive()
    assert status(app, member) == 401


def test_the_next_test_begins_as_if_nothing_had_happened(cloud: Cloud) -> None:
    for _ in range(3):
        app = cloud.protect(Service())
        assert status(app, cloud.personas.project_member()) == 200
        cloud.identity.disable_user("project_member")
        cloud.identity.fault = Fault.HANG
        cloud.let_events_arrive()
        cloud.reset()
        assert abs(cloud.clock() - time.time()) < 60
        assert cloud.identity.calls == {}


def test_an_outage_shows_where_the_identity_service_is_needed(cloud: Cloud) -> None:
    offline = cloud.protect(Service())
    asking = cloud.protect(Service(), token_validation="remote")
    before = cloud.personas.project_member()
    assert (status(offline, before), status(asking, before)) == (200, 200)
    with cloud.outage():
        new = cloud.personas.project_reader()
        assert (status(offline, new), status(asking, before), status(asking, new)) == (
            200,
            200,
            503,
        )
        cloud.clock.advance(601)  # revocation_max_staleness
        assert status(offline, cloud.personas.project_reader()) == 503
    cloud.let_events_arrive()
    assert status(offline, cloud.personas.project_reader()) == 200


def test_options_are_for_services_that_build_their_own_filter(cloud: Cloud) -> None:
    app = authmw.filter_factory({}, **cloud.options)(Service())
    assert status(app, cloud.personas.project_member()) == 200
    app.close()


def test_an_outage_is_over_when_events_have_arrived(cloud: Cloud) -> None:
    app = cloud.protect(Service())
    member = cloud.personas.project_member()
    with cloud.outage():
        assert status(app, member) == 503
    assert status(app, member) == 503
    cloud.let_events_arrive()
    assert status(app, member) == 200


def test_an_outage_is_over_with_its_test(cloud: Cloud) -> None:
    """The first request of a filter, in an outage: what it found must not reach the next test."""
    app = cloud.protect(Service())
    with cloud.outage():
        assert status(app, cloud.personas.project_member()) == 503
    cloud.reset()
    assert status(cloud.protect(Service()), cloud.personas.project_member()) == 200


def test_an_outage_is_over_for_the_next_service_with_the_same_options(cloud: Cloud) -> None:
    first = authmw.protect(**cloud.options)(Service())
    with cloud.outage():
        assert status(first, cloud.personas.project_member()) == 503
    cloud.reset()
    second = authmw.protect(**cloud.options)(Service())
    assert status(second, cloud.personas.project_member()) == 200
    first.build_filter_parts().close()
    second.build_filter_parts().close()


def test_a_service_s_own_filter_follows_the_clock(cloud: Cloud) -> None:
    app = authmw.filter_factory({}, **cloud.options)(Service())
    short, long = cloud.personas.project_member(expires_in=60), cloud.personas.project_member()
    assert (status(app, short), status(app, long)) == (200, 200)
    cloud.expire(short)
    assert (status(app, short), status(app, long)) == (401, 200)
    cloud.revoke(long)
    assert status(app, long) == 401
    reader = cloud.personas.project_reader()
    assert status(app, reader) == 200
    cloud.identity.disable_user("project_reader")
    cloud.let_events_arrive()
    assert status(app, reader) == 401
    app.close()


def test_a_service_s_own_filter_outlives_a_reset(cloud: Cloud) -> None:
    app = authmw.filter_factory({}, **cloud.options)(Service())
    for _ in range(2):
        member = cloud.personas.project_member()
        assert status(app, member) == 200
        cloud.clock.advance(1800)
        cloud.revoke(member)
        assert status(app, member) == 401
        cloud.reset()
    app.close()


def test_a_service_s_own_filter_goes_by_the_machine_s_time(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = authmw.filter_factory({}, **cloud.options)(Service())
    member = cloud.personas.project_member(expires_in=60)
    assert status(app, member) == 200
    later = time.time() + 61
    monkeypatch.setattr(time, "time", lambda: later)
    assert status(app, member) == 401
    app.close()


def test_a_stopped_server_runs_again_in_the_next_test(cloud: Cloud) -> None:
    cloud.identity.stop()
    cloud.reset()
    assert status(cloud.protect(Service()), cloud.personas.project_member()) == 200


def test_a_cloud_that_was_not_started_has_no_options() -> None:
    with pytest.raises(RuntimeError, match="start the cloud first"):
        _ = Cloud().options


PYTEST_MODULE = """
from authmw.testing import PERSONAS
import pytest, webtest

@pytest.fixture
def app(authmw_protect):
    def service(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [environ["HTTP_X_ROLES"].encode()]
    return webtest.TestApp(authmw_protect(service))

@pytest.mark.parametrize("name", PERSONAS)
def test_persona(app, authmw_personas, name):
    assert app.get("/", headers=authmw_personas[name].headers).text

def test_helpers(app, authmw_cloud, authmw_identity, authmw_clock, authmw_options):
    member = authmw_cloud.personas.project_member(expires_in=60)
    app.get("/", headers=member.headers)
    authmw_clock.advance(60)
    app.get("/", headers=member.headers, status=401)
    assert authmw_identity.is_running
    assert authmw_options["auth_url"] == authmw_identity.url
"""

UNITTEST_MODULE = """
import unittest, webtest
from authmw.testing import Cloud

def service(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["HTTP_X_ROLES"].encode()]

class TestService(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cloud = Cloud()
        cls.cloud.start()
        cls.addClassCleanup(cls.cloud.stop)

    def setUp(self):
        self.cloud.reset()
        self.app = webtest.TestApp(self.cloud.protect(service))

    def test_reader(self):
        reader = self.cloud.personas.project_reader()
        self.assertEqual("reader", self.app.get("/", headers=reader.headers).text)

    def test_revoked(self):
        reader = self.cloud.personas.project_reader()
        self.cloud.revoke(reader)
        self.app.get("/", headers=reader.headers, status=401)
"""


def run(directory: Path, *command: str) -> str:
    finished = run_python("-m", *command, directory=directory)
    return finished.stdout + finished.stderr


@pytest.mark.heavy
def test_the_plugin_brings_its_fixtures_to_a_service_s_own_tests(tmp_path: Path) -> None:
    (tmp_path / "test_service.py").write_text(PYTEST_MODULE)
    plugin = "authmw.testing.plugin"
    # Named, for where this package is not installed but only importable.
    installed = [point.value for point in metadata.entry_points(group="pytest11")]
    named = [] if plugin in installed else ["-p", plugin]
    ignored = "ignore:.cgi. is deprecated"
    (tmp_path / "pytest.ini").write_text(f"[pytest]\nfilterwarnings =\n  error\n  {ignored}\n")
    printed = run(tmp_path, "pytest", "-q", *named)
    assert f"{len(PERSONAS) + 1} passed" in printed


@pytest.mark.heavy
@pytest.mark.parametrize("command", [["unittest", "test_service"], ["stestr", "run"]])
def test_unittest_and_stestr_use_the_same_cloud(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "test_service.py").write_text(UNITTEST_MODULE)
    (tmp_path / ".stestr.conf").write_text("[DEFAULT]\ntest_path=.\ntop_dir=.\n")
    printed = run(tmp_path, *command)
    assert "Ran: 2 tests" in printed or "Ran 2 tests" in printed


@pytest.mark.heavy
def test_the_plugin_costs_a_test_run_that_does_not_use_it_nothing() -> None:
    program = (
        "import sys, authmw.testing.plugin\n"
        "print(*(name for name in sys.modules if name.startswith('authmw')))"
    )
    finished = run_python("-c", program)
    assert finished.stdout == "authmw authmw.testing authmw.testing.plugin\n"
