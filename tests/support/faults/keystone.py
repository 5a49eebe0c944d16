"""Faults of our own credentials and rights, and of what Keystone's catalog has."""

from __future__ import annotations

from tests.support.faults.fault import Fault
from tests.support.faults.site import Site, setting, without


def _disable(site: Site) -> None:
    user = site.people.make_user(site.people.api.find_role("service"))
    site.people.api.update("user", user.id, enabled=False)
    site.options.update(username=user.name, password=user.password)


def _take_the_role(site: Site) -> None:
    user = site.people.make_user(site.people.api.find_role("reader"))
    site.options.update(username=user.name, password=user.password)


def _take_all_roles(site: Site) -> None:
    user = site.people.make_user()
    site.options.update(username=user.name, password=user.password)


def _set_the_clock_back(site: Site) -> None:
    site.clock_ahead = -240


def _name_another_type(site: Site) -> None:
    site.options["service_type"] = "inventory-that-is-not-there"


FAULTS = (
    Fault(
        "a wrong password",
        setting(password="wrong"),
        "identity login",
        ("refused our own credentials", "password"),
    ),
    Fault(
        "a user that is disabled",
        _disable,
        "identity login",
        ("refused our own credentials",),
    ),
    Fault(
        "a project that is not there",
        setting(project_name="nothing-of-this-name"),
        "identity login",
        ("refused our own credentials", "project"),
    ),
    Fault(
        "a user without any role",
        _take_all_roles,
        "identity login",
        ("refused our own credentials", "project"),
    ),
    Fault(
        "a user without the service role",
        _take_the_role,
        "identity role",
        ("nor have others' tokens validated", "reader", "role add", "service"),
    ),
    Fault(
        "a token without scope",
        without("project_name", "project_domain_id"),
        "identity validation",
        ("no scope", "set project_name"),
    ),
    Fault(
        "a region that is not in the catalog",
        setting(region_name="RegionTwo"),
        "identity validation",
        ("RegionTwo", "internal in RegionOne", "region_name"),
    ),
    Fault(
        "a service_type that is not in the catalog",
        _name_another_type,
        "service_type",
        ("inventory-that-is-not-there", "identity"),
        "warn",
    ),
    Fault(
        "a clock that is behind by minutes",
        _set_the_clock_back,
        "identity clock",
        ("s behind", "clock_skew_tolerance", "chrony"),
    ),
)
