"""A service may demand a revision; it waits for a bounded time, and no client can have it wait."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from authmw.asgi import AuthMiddleware
from tests.bundle.sites import SILENT_KEYSTONE, MakeFilter, Site
from tests.support.filters import Filter, Told
from tests.support.waiting import wait_for


@pytest.fixture
def site(site: Site) -> Site:
    site.world.add("roles", id="service", name="service", extra={})
    site.world.add("users", id="svc", name="svc", domain_id="d")
    site.world.assign("service", "svc", "low")
    return site


def ask(
    protected: Filter, site: Site, token: str | None = None, min_revision: object = None
) -> Told:
    """Ask as a service."""
    return protected.ask(
        token or site.sign(), service_token=site.sign("svc"), min_revision=min_revision
    )


def timed(work: Callable[[], Told]) -> tuple[Told, float]:
    began = time.monotonic()
    return work(), time.monotonic() - began


def in_a_while(work: Callable[[], object]) -> None:
    threading.Timer(0.3, work).start()


def publish_in_a_while(site: Site, number: int | None = None) -> None:
    following = site.path.with_name("following")
    site.publish(path=following, number=number)
    in_a_while(lambda: following.rename(site.path))


def test_a_service_waits_for_the_revision_and_gets_its_decision(
    site: Site, make_filter: MakeFilter
) -> None:
    site.publish()
    protected = make_filter(bundle_wait_time="5")
    token = site.sign()
    assert ask(protected, site, token, 1).status == 200
    site.world.assign("reader", "u", "low")
    publish_in_a_while(site)
    told, took = timed(lambda: ask(protected, site, token, 2))
    assert told.status == 200
    assert told.headers["HTTP_X_ROLES"] == "member,reader"
    assert told.headers["HTTP_X_SERVICE_USER_ID"] == "svc"
    assert 0.2 < took < 2
    assert protected.parts.stats()['authmw_bundle_waits_total{outcome="came"}'] == 1


def test_what_the_revision_takes_away_is_refused(site: Site, make_filter: MakeFilter) -> None:
    site.publish()
    protected = make_filter(bundle_wait_time="5")
    token, service = site.sign(), site.sign("svc")
    assert protected.ask(token, service_token=service, min_revision=1).status == 200
    site.world.file.execute("DELETE FROM assignments WHERE actor_id = 'svc'")
    publish_in_a_while(site)
    # The service's own role counts as well.
    assert protected.ask(token, service_token=service, min_revision=2).status == 401


def test_a_confirmed_revision_counts(site: Site, make_filter: MakeFilter) -> None:
    header = site.publish()
    protected = make_filter(bundle_wait_time="5")
    token = site.sign()
    assert ask(protected, site, token).status == 200
    in_a_while(lambda: site.publish_hot(confirms=(header, 41)))
    told, took = timed(lambda: ask(protected, site, token, 41))
    assert told.status == 200
    assert took < 2
    assert timed(lambda: ask(protected, site, token, 40))[1] < 0.1


def test_after_a_bounded_time_it_is_503_with_retry_after(
    site: Site, make_filter: MakeFilter, caplog: pytest.LogCaptureFixture
) -> None:
    site.publish()
    protected = make_filter(bundle_wait_time="1")
    told, took = timed(lambda: ask(protected, site, min_revision=2))
    assert (told.status, told.retry_after) == (503, 5)
    assert "HTTP_X_USER_ID" not in told.headers
    assert 0.9 < took < 2
    assert "the service demands revision 2, and revision 1 is in force" in caplog.text
    never = make_filter(bundle_wait_time="0")
    told, took = timed(lambda: ask(never, site, min_revision=2))
    assert told.status == 503
    assert took < 0.5


def test_a_client_or_a_service_without_the_role_demands_nothing(
    site: Site, make_filter: MakeFilter
) -> None:
    site.publish()
    protected = make_filter(
        bundle_wait_time="5", bundle_service_max_age="10", service_token_roles_required="false"
    )
    site.clock.advance(20)

    def as_client() -> Told:
        return protected.ask(site.sign(), min_revision=9)

    def as_other_user() -> Told:
        return protected.ask(site.sign(), service_token=site.sign("u"), min_revision=9)

    for work in (as_client, as_client, as_other_user):
        told, took = timed(work)
        assert told.status == 200
        assert took < 1
    # An invalid service token is a 401, at once.
    told, took = timed(lambda: protected.ask(site.sign(), service_token="x.y.z", min_revision=9))
    assert told.status == 401
    assert took < 1


def test_few_requests_wait_and_others_are_answered_meanwhile(
    site: Site, make_filter: MakeFilter, caplog: pytest.LogCaptureFixture
) -> None:
    site.publish()
    protected = make_filter(bundle_wait_time="3", bundle_max_waiting="2")
    assert ask(protected, site).status == 200
    waited: list[tuple[Told, float]] = []

    def wait() -> None:
        waited.append(timed(lambda: ask(protected, site, min_revision=9)))

    threads = [threading.Thread(target=wait) for _ in range(2)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    told, took = timed(lambda: ask(protected, site, min_revision=9))
    assert told.status == 503
    assert took < 0.5
    assert "2 requests wait for it already" in caplog.text
    for work in (lambda: ask(protected, site, min_revision=1), lambda: protected.ask(site.sign())):
        told, took = timed(work)
        assert told.status == 200
        assert took < 0.5
    assert waited == []
    for thread in threads:
        thread.join()
    assert [each.status for each, _ in waited] == [503, 503]
    # Their places are free again.
    publish_in_a_while(site, 9)
    assert ask(protected, site, min_revision=9).status == 200
    counts = protected.parts.stats()
    assert counts['authmw_bundle_waits_total{outcome="too_many"}'] == 1
    assert counts['authmw_bundle_waits_total{outcome="given_up"}'] == 2


@pytest.mark.parametrize("demanded", ["", "x", "-1", "1.5", "1" * 13, "٣", "1,2"])
def test_a_demand_that_nobody_understands_is_503(
    site: Site, make_filter: MakeFilter, caplog: pytest.LogCaptureFixture, demanded: str
) -> None:
    site.publish()
    protected = make_filter()
    told, took = timed(lambda: ask(protected, site, min_revision=demanded))
    assert told.status == 503
    assert took < 1
    assert "X-Authmw-Min-Revision is no number of a revision" in caplog.text


def test_an_age_that_the_option_demands_is_waited_for(
    site: Site, make_filter: MakeFilter, caplog: pytest.LogCaptureFixture
) -> None:
    header = site.publish()
    protected = make_filter(bundle_service_max_age="10", bundle_wait_time="2")
    assert ask(protected, site).status == 200
    site.clock.advance(20)
    assert ask(protected, site).status == 503
    assert "older than bundle_service_max_age = 10 seconds" in caplog.text
    in_a_while(lambda: site.publish_hot(confirms=(header, 2)))
    assert ask(protected, site).status == 200


def test_tokens_that_another_source_decides_about_wait_for_no_bundle(
    site: Site, make_filter: MakeFilter
) -> None:
    site.publish()
    protected = make_filter(jws_authority="claims,bundle", bundle_wait_time="5")
    stated = site.sign(
        openstack_roles=[{"id": "r", "name": "stated"}],
        openstack_user_name="stated",
        openstack_user_domain_id="d",
        openstack_user_domain_name="D",
        openstack_project_name="P",
        openstack_project_domain_id="d",
        openstack_project_domain_name="D",
    )
    told, took = timed(lambda: ask(protected, site, stated, 9))
    assert told.status == 200
    assert took < 1


def test_keystone_is_not_asked_because_of_a_demand(
    site: Site, make_filter: MakeFilter, caplog: pytest.LogCaptureFixture
) -> None:
    site.publish()
    protected = make_filter(
        jws_authority="bundle,identity", bundle_wait_time="0", **SILENT_KEYSTONE
    )
    assert ask(protected, site, min_revision=1).status == 200
    assert ask(protected, site, min_revision=2).status == 503
    assert "the service demands revision 2" in caplog.text
    calls = [name for name in protected.parts.stats() if "identity_calls" in name]
    assert [name for name in calls if "validate" in name] == []
    # What the bundle does not say Keystone is asked about, whatever is demanded.
    assert ask(protected, site, site.sign("nobody"), 2).status == 503
    calls = [name for name in protected.parts.stats() if "identity_calls" in name]
    assert [name for name in calls if "validate" in name] != []


def test_with_delay_the_app_decides(site: Site, make_filter: MakeFilter) -> None:
    site.publish()
    protected = make_filter(delay_auth_decision="true", bundle_wait_time="0")
    told = ask(protected, site, min_revision=2)
    assert told.status == 200
    assert told.headers["HTTP_X_IDENTITY_STATUS"] == "Invalid"
    assert "HTTP_X_USER_ID" not in told.headers


def test_a_token_from_memory_is_judged_by_the_facts_that_came(
    site: Site, make_filter: MakeFilter
) -> None:
    """However often the bundle changes, no decision is of an older revision than demanded."""
    site.publish()
    protected = make_filter(bundle_wait_time="5")
    token = site.sign()
    for number in range(2, 7):
        changed = "DELETE FROM assignments WHERE role_id = 'reader'"
        if number % 2:
            site.world.file.execute(changed)
        else:
            site.world.assign("reader", "u", "low")
        site.publish(number=number)
        told = ask(protected, site, token, number)
        assert told.headers["HTTP_X_ROLES"] == ("member" if number % 2 else "member,reader")
        assert wait_for(lambda: ask(protected, site, token).status == 200, 1)


def test_an_event_loop_leaves_nothing_to_threads_where_the_demand_is_met(
    site: Site, make_filter: MakeFilter
) -> None:
    site.publish()
    protected = make_filter()
    token, service = site.sign(), site.sign("svc")
    assert protected.ask(token, service_token=service, min_revision=1).status == 200
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["authmw.token"].user.id)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    headers = {"x-auth-token": token, "x-service-token": service, "x-authmw-min-revision": "1"}
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }

    async def nothing(*_: Any) -> Any:
        return {"type": "http.request"}

    asyncio.run(AuthMiddleware.from_parts(app, protected.parts)(scope, nothing, nothing))
    assert seen == ["u"]
    assert not [each for each in threading.enumerate() if each.name.startswith("authmw-signed")]
