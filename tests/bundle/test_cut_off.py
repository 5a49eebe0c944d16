"""A site that is cut off for a day, and starts anew meanwhile, decides if its options allow it."""

from __future__ import annotations

import pytest

from tests.bundle.sites import MakeFilter, Site
from tests.support.waiting import wait_for

_DAY_SECONDS = 86_400
_OPTIONS = {"bundle_max_age": "90000", "revocation_max_staleness": "90000"}


def _revoke(audit_id: str) -> dict[str, str]:
    return {"audit_id": audit_id, "issued_before": "2100-01-01T00:00:00.000000Z"}


@pytest.fixture
def site_cut_off(site: Site) -> Site:
    """A site whose facts and events are a day old."""
    header = site.publish(age=600, events_age=None)
    site.publish_hot(_revoke("revoked"), confirms=(header, 2))
    site.clock.advance(_DAY_SECONDS)
    return site


def _sign(site: Site, user: str = "u", *, age: int = _DAY_SECONDS + 400, **claims: object) -> str:
    """Sign a token that is still valid, and was issued before the site was cut off."""
    return site.sign(user, age=age, exp=int(site.clock()) + _DAY_SECONDS, **claims)


def test_facts_of_the_day_before_decide_about_what_was_issued_before(
    site_cut_off: Site, make_filter: MakeFilter
) -> None:
    protected = make_filter(**_OPTIONS)
    assert protected.ask(_sign(site_cut_off)).status == 200
    assert protected.ask(_sign(site_cut_off, "v")).status == 401  # no role there
    assert protected.ask(_sign(site_cut_off, "nobody")).status == 401  # deleted
    assert protected.ask(_sign(site_cut_off, openstack_audit_ids=["revoked"])).status == 401


def test_of_what_was_issued_since_they_only_say_yes(
    site_cut_off: Site, make_filter: MakeFilter
) -> None:
    protected = make_filter(**_OPTIONS)
    assert protected.ask(site_cut_off.sign()).status == 200
    # Keystone has accepted since what they deny.
    assert protected.ask(site_cut_off.sign("v")).status == 503
    assert protected.ask(site_cut_off.sign("nobody")).status == 503


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("bundle_max_age", "bundle_max_age = 600 seconds from now"),
        ("revocation_max_staleness", "longer ago than revocation_max_staleness"),
    ],
)
def test_without_one_of_the_options_it_decides_nothing_but_what_has_expired_or_is_forged(
    site_cut_off: Site,
    make_filter: MakeFilter,
    caplog: pytest.LogCaptureFixture,
    option: str,
    reason: str,
) -> None:
    protected = make_filter(**{name: each for name, each in _OPTIONS.items() if name != option})
    assert protected.ask(_sign(site_cut_off)).status == 503
    assert reason in caplog.text
    assert protected.ask(site_cut_off.sign(age=3700)).status == 401  # expired
    assert protected.ask(f"{_sign(site_cut_off)[:-8]}AAAAAAAA").status == 401


def test_keys_of_a_directory_are_read_again_and_never_too_old(
    site_cut_off: Site, make_filter: MakeFilter, caplog: pytest.LogCaptureFixture
) -> None:
    options = dict.fromkeys(_OPTIONS, str(3 * _DAY_SECONDS))
    protected = make_filter(**options, jws_keys_max_age="3600")
    assert protected.ask(_sign(site_cut_off)).status == 200
    site_cut_off.clock.advance(_DAY_SECONDS)
    token = _sign(site_cut_off, age=2 * _DAY_SECONDS + 400)
    # A look at the directory is due, and it may take a moment.
    assert wait_for(lambda: protected.ask(token).status == 200, 5), caplog.text


def test_keys_behind_a_uri_are_not_there_after_a_start(
    site_cut_off: Site, make_filter: MakeFilter, caplog: pytest.LogCaptureFixture
) -> None:
    protected = make_filter(
        **_OPTIONS, jws_public_key_repository="", jws_jwks_uri="http://127.0.0.1:1/keys"
    )
    assert protected.ask(_sign(site_cut_off)).status == 503
    assert "jws_jwks_uri" in caplog.text
    # Without a key nobody can tell that it has expired by its own word.
    assert protected.ask(site_cut_off.sign(age=3700)).status == 503


def test_services_that_demand_fresher_facts_get_503(
    site_cut_off: Site, make_filter: MakeFilter
) -> None:
    demands = {"bundle_service_max_age": "600", "bundle_wait_time": "0"}
    roles = {"service_token_roles": "member"}
    protected = make_filter(**_OPTIONS, **demands, **roles)
    token, service_token = _sign(site_cut_off), _sign(site_cut_off)
    assert protected.ask(token).status == 200
    assert protected.ask(token, service_token=service_token).status == 503


def test_new_facts_end_it_without_a_restart(site_cut_off: Site, make_filter: MakeFilter) -> None:
    protected = make_filter()
    token = _sign(site_cut_off)
    assert protected.ask(token).status == 503
    site_cut_off.publish(number=3)
    site_cut_off.publish_hot(_revoke("revoked"), number=3)
    assert wait_for(lambda: protected.ask(token).status == 200, 5)
