"""What metrics, health and the doctor say of a bundle and its hot file."""

from __future__ import annotations

import functools
import logging
from typing import Any

import pytest

import authmw
from authmw.config.loading import load_settings
from authmw.doctor.bundle import check_bundle
from authmw.doctor.deployment import Deployment
from authmw.doctor.result import Result, Status
from tests.bundle.sites import MakeFilter, Site
from tests.support.filters import Filter
from tests.support.waiting import wait_for


def gauges(protected: Filter) -> dict[str, float]:
    return {
        name.removeprefix("authmw_bundle_"): value
        for name, value in protected.parts.stats().items()
        if name.startswith("authmw_bundle_")
    }


def examine(site: Site, **options: str) -> dict[str, Result]:
    conf: dict[str, Any] = {**site.options, **options}
    deployment = Deployment(load_settings(conf), conf, clock=site.clock)
    return {result.check: result for result in check_bundle(deployment)}


def test_metrics_show_age_and_revision_of_each_part(site: Site, make_filter: MakeFilter) -> None:
    now = int(site.clock())
    header = site.publish(age=50)
    protected = make_filter()
    assert gauges(protected) == {}
    assert protected.ask(site.sign()).status == 200
    shown = gauges(protected)
    assert shown == {
        'last_read_timestamp_seconds{part="facts"}': pytest.approx(now - 50, abs=2),
        'revision{part="facts"}': 1,
        'unusable{part="facts"}': 0,
        'revocation_events{part="facts"}': 0,
    }
    event = {"audit_id": "x", "issued_before": "2026-01-01T00:00:00.000000Z"}
    site.publish_hot(event, confirms=(header, 40), age=20, events_age=5, number=77)
    assert wait_for(lambda: gauges(protected)['revision{part="facts"}'] == 40, 3)
    shown = gauges(protected)
    assert shown['last_read_timestamp_seconds{part="facts"}'] == pytest.approx(now - 20, abs=2)
    assert shown['last_read_timestamp_seconds{part="events"}'] == pytest.approx(now - 5, abs=2)
    assert shown['revision{part="events"}'] == 77
    assert shown['revocation_events{part="events"}'] == 1
    site.hot_path.unlink()
    site.path.unlink()
    assert wait_for(lambda: gauges(protected)['unusable{part="facts"}'] == 1, 3)
    assert gauges(protected)['unusable{part="events"}'] == 1
    assert gauges(protected)['revision{part="facts"}'] == 40


def test_health_says_that_there_is_no_bundle_and_that_it_is_too_old(
    site: Site, make_filter: MakeFilter
) -> None:
    protected = make_filter(revocation_max_staleness="100000")

    def reasons() -> list[str]:
        return [each for each in protected.parts.find_troubles(site.clock()) if "bundle: " in each]

    assert wait_for(lambda: any("No such file" in each for each in reasons()), 5)
    site.publish()
    assert wait_for(lambda: reasons() == [], 5)
    assert authmw.health(protected.parts).ready
    site.clock.advance(700)
    assert ["bundle_max_age" in each for each in reasons()] == [True]


def test_the_doctor_finds_nothing_wrong_with_good_files(site: Site) -> None:
    header = site.publish(age=3000, events_age=None)
    site.publish_hot(confirms=(header, 40))
    found = examine(site)
    assert {result.status for result in found.values()} == {Status.PASS}
    assert "+40" in found["bundle facts"].detail


@pytest.mark.parametrize(
    ("published", "hot", "check", "status", "said"),
    [
        ({"age": 400}, None, "bundle facts", Status.WARN, "bundle_warn_age = 300"),
        ({"age": 700}, None, "bundle facts", Status.FAIL, "bundle_max_age = 600"),
        ({"age": -700}, None, "bundle facts", Status.FAIL, "bundle_max_age = 600"),
        ({"events_age": 700}, None, "bundle revocation events", Status.FAIL, "503"),
        ({"events_age": None}, None, "bundle revocation events", Status.FAIL, "503"),
        ({"events_age": 700}, {}, "bundle revocation events", Status.PASS, "ago"),
        ({}, b"\0" * 5000, "bundle hot file", Status.FAIL, "no SQLite file"),
        ({}, None, "bundle hot file", Status.SKIP, "is not there"),
        (None, None, "bundle file", Status.FAIL, "No such file"),
    ],
)
def test_the_doctor_names_what_is_wrong(
    site: Site,
    published: dict[str, Any] | None,
    hot: dict[str, Any] | bytes | None,
    check: str,
    status: Status,
    said: str,
) -> None:
    if published is not None:
        site.publish(**published)
    if isinstance(hot, bytes):
        site.hot_path.write_bytes(hot)
    elif hot is not None:
        site.publish_hot(**hot)
    result = examine(site)[check]
    assert result.status is status
    assert said in result.detail
    assert bool(result.fix) == (status in (Status.WARN, Status.FAIL))


def test_the_doctor_says_who_may_write(site: Site) -> None:
    site.publish()
    site.path.chmod(0o666)
    assert "writable by everyone" in examine(site)["bundle file"].detail


def test_without_a_bundle_there_is_nothing_to_examine(site: Site) -> None:
    assert [each.status for each in examine(site, jws_authority="claims").values()] == [Status.SKIP]


def test_a_warning_about_who_can_write_is_logged_once(
    site: Site, make_filter: MakeFilter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    protected = make_filter()
    new = site.path.with_name("new")

    def is_logged(text: str) -> bool:
        return text in caplog.text

    for revision in range(1, 4):
        site.publish(number=revision, path=new)
        new.chmod(0o664)
        new.rename(site.path)
        assert protected.ask(site.sign()).status == 200
        assert wait_for(functools.partial(is_logged, f"revision {revision}-"))
    assert len([each for each in caplog.messages if "writable by its group" in each]) == 1
