"""Says why the catalog of our own token names no identity endpoint for us."""

from __future__ import annotations

from typing import Any

from authmw.errors import Outage
from authmw.identity.outage import make_outage
from authmw.identity.outcomes import Outcome

_SERVICE_TYPE = "identity"
_MOST_LISTED = 10


def explain_no_endpoint(
    access: Any, found: str | None, *, interface: object, region_name: str | None
) -> Outage:
    """Return the outage that there is no endpoint, with what the catalog has instead.

    Args:
        access: keystoneauth1's record of our own token; None: we have none.
        found: an endpoint that is not of version 3; None: none was found.
        interface, region_name: that were looked for.
    """
    if access is None:
        return make_outage(Outcome.NO_ENDPOINT, note=f"found {found}" if found else "")
    catalog = access.service_catalog
    by_type = catalog.get_endpoints_data()
    is_scoped = access.project_scoped or access.domain_scoped or access.system_scoped
    if not is_scoped and not access.has_service_catalog():
        return make_outage(Outcome.NO_SCOPE)
    wanted = _name_options(interface, region_name)
    if found:
        return make_outage(Outcome.NO_ENDPOINT, note=f"{wanted}: found {found}")
    endpoints = catalog.get_endpoints_data(service_type=_SERVICE_TYPE).get(_SERVICE_TYPE, [])
    listed = [_name_options(one.interface, one.region_name) for one in endpoints]
    what = "of the identity service the catalog has"
    if not listed:
        what = "the catalog has no identity service, it has"
        listed = list(by_type)
    shown = "; ".join(sorted(set(listed))[:_MOST_LISTED]) or "nothing"
    return make_outage(Outcome.NO_ENDPOINT, note=f"{wanted}; {what} {shown}")


def _name_options(interface: object, region_name: str | None) -> str:
    """Return the options that name an endpoint, as they are written."""
    region = "" if region_name is None else f", region_name = {region_name}"
    return f"interface = {interface}{region}"
