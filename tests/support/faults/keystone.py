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


def _misname_credential(site: Site) -> None:
    site.remove("username", "password", "user_domain_id", "project_name", "project_domain_id")
    site.options.update(
        auth_type="v3applicationcredential",
        application_credential_id="nobody-made-it",
        application_credential_secret="x",
    )


def _validate_remotely(site: Site) -> None:
    site.clock_ahead = 7200
    site.remove("jws_public_key_repository")


def _set_the_clock_back(site: Site) -> None:
    site.clock_ahead = -240


def _name_another_type(site: Site) -> None:
    site.options["service_type"] = "inventory-that-is-not-there"


FAULTS = (
    Fault(
        "a wrong password",
        setting(password="wrong"),
        "identity login",
        ("refused our own credentials", "without a project, too", "correct username, password"),
    ),
    Fault(
        "the name of the user's domain for its id",
        setting(user_domain_id="Default"),
        "identity login",
        (
            "refused our own credentials",
            "user_domain_name = Default in place of user_domain_id",
        ),
        is_slow=True,
    ),
    Fault(
        "the name of the project's domain for its id",
        setting(project_domain_id="Default"),
        "identity login",
        ("accepts user and password", "write project_domain_name = Default in place of"),
        is_slow=True,
    ),
    Fault(
        "a user that is disabled",
        _disable,
        "identity login",
        ("refused our own credentials", "locked or disabled"),
    ),
    Fault(
        "a project that is not there",
        setting(project_name="nothing-of-this-name"),
        "identity login",
        ("accepts user and password", "refuses project nothing-of-this-name", "one on: admin"),
    ),
    Fault(
        "a user without any role",
        _take_all_roles,
        "identity login",
        ("accepts user and password", "role add", "one on: none"),
    ),
    Fault(
        "an application credential that is not there",
        _misname_credential,
        "identity login",
        ("refused our own credentials", "Could not find Application Credential"),
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
        ("RegionTwo", "interface = internal, region_name = RegionOne"),
    ),
    Fault(
        "a service_type that is not in the catalog",
        _name_another_type,
        "service_type",
        ("inventory-that-is-not-there", "identity"),
        "warn",
    ),
    Fault(
        "a clock that is ahead by hours",
        _validate_remotely,
        "identity clock",
        ("s ahead", "chrony"),
        "warn",
    ),
    Fault(
        "a clock that is behind by minutes",
        _set_the_clock_back,
        "identity clock",
        ("s behind", "clock_skew_tolerance", "chrony"),
    ),
)
