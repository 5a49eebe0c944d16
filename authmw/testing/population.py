"""The initial population of an identity server, for the demo and most tests."""

from __future__ import annotations

from authmw.testing.directory import Directory


def make_directory() -> Directory:
    """Return a directory with a small population.

    | user | domain | holds |
    | --- | --- | --- |
    | admin | Default | admin on project inventory, on domain Default and on the system |
    | member | Default | member on projects inventory and billing |
    | reader | Default | reader on project inventory and on the system |
    | service | Default | service and admin on project service |
    | guest | partners | member on project research (of domain partners) |

    admin implies manager, manager implies member, member implies reader, as Keystone's
    bootstrap makes them. The password of `member` is `member-password`, and so on.
    """
    directory = Directory()
    directory.add_domain("Default", domain_id="default")
    directory.add_domain("partners")

    directory.add_role("reader")
    directory.add_role("member", implies=["reader"])
    directory.add_role("manager", implies=["member"])
    directory.add_role("admin", implies=["manager"])
    directory.add_role("service")

    for project in ("inventory", "billing", "service"):
        directory.add_project(project)
    directory.add_project("research", domain="partners")

    for user in ("admin", "member", "reader", "service"):
        directory.add_user(user)
    directory.add_user("guest", domain="partners")

    directory.assign("admin", "admin", project="inventory")
    directory.assign("admin", "admin", domain="default")
    directory.assign("admin", "admin", system=True)
    directory.assign("member", "member", project="inventory")
    directory.assign("member", "member", project="billing")
    directory.assign("reader", "reader", project="inventory")
    directory.assign("reader", "reader", system=True)
    directory.assign("service", "service", project="service")
    directory.assign("admin", "service", project="service")
    directory.assign("member", "guest", project="research")
    return directory
