"""For whom a service token speaks: for tokens of its own issuer; Keystone's for everybody's."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from authmw.testing import IdentityServer
from authmw.testing.dpop import DpopClient
from authmw.testing.oidc_server import OidcServer
from authmw.testing.records import AccessRule
from tests.support.issuers.filter import IssuerFilter, protect_by

CLIENT = DpopClient()
Protect = Callable[..., IssuerFilter]


@pytest.fixture
def acme() -> Iterator[OidcServer]:
    with OidcServer() as running:
        yield running


@pytest.fixture
def other() -> Iterator[OidcServer]:
    with OidcServer() as running:
        yield running


@pytest.fixture
def op() -> Iterator[OidcServer]:
    with OidcServer(profile="keystone-op") as running:
        yield running


@pytest.fixture
def identity() -> Iterator[IdentityServer]:
    with IdentityServer(endpoint_count=9) as running:
        yield running


@pytest.fixture
def protect(
    acme: OidcServer, other: OidcServer, op: OidcServer, identity: IdentityServer
) -> Iterator[Protect]:
    made: list[IssuerFilter] = []

    def make(**options: object) -> IssuerFilter:
        made.append(protect_by(acme, other, op, **identity.service_credentials, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def status_of(protected: IssuerFilter, user: str, service: str) -> int:
    headers = {"X-Auth-Token": user, "X-Service-Token": service}
    return int(protected.app.get("/", headers=headers, status="*").status_int)


def test_token_that_is_bound_to_a_key_is_passed_on_by_services_of_its_issuer(
    acme: OidcServer, other: OidcServer, op: OidcServer, identity: IdentityServer, protect: Protect
) -> None:
    """They have no key of its client; nor has who stole it and comes from another issuer."""
    protected = protect()
    user = acme.issue("ada", key_thumbprint=CLIENT.thumbprint)
    assert status_of(protected, user, acme.issue("billing", roles=["service"])) == 200
    assert status_of(protected, user, other.issue("billing", roles=["service"])) == 401
    for service in (
        identity.issue("service", project="service"),
        op.issue("billing", roles=["service"], project_id="service"),
    ):
        assert status_of(protected, user, service) == 200


def test_token_of_any_issuer_comes_with_a_service_token_of_any(
    acme: OidcServer, other: OidcServer, protect: Protect
) -> None:
    protected = protect()
    service = other.issue("billing", roles=["service"])
    assert status_of(protected, acme.issue("ada"), service) == 200
    assert protected.service.last["HTTP_X_SERVICE_ROLES"] == "service"
    assert protected.service.last["HTTP_X_USER_ID"] == "ada"


def test_expired_token_of_keystone_passes_with_a_service_token_of_keystone_alone(
    acme: OidcServer, op: OidcServer, identity: IdentityServer, protect: Protect
) -> None:
    protected = protect()
    user = identity.issue("member", project="inventory")
    identity.expire(user)
    for service, status in (
        (acme.issue("billing", roles=["service"]), 401),
        (identity.issue("service", project="service"), 200),
        (op.issue("billing", roles=["service"], project_id="service"), 200),
    ):
        assert status_of(protected, user, service) == status


def test_expired_token_of_an_issuer_passes_with_none(
    acme: OidcServer, identity: IdentityServer, protect: Protect
) -> None:
    protected = protect()
    user = acme.issue("ada", lifetime_seconds=-1)
    for service in (
        acme.issue("billing", roles=["service"]),
        identity.issue("service", project="service"),
    ):
        assert status_of(protected, user, service) == 401


def test_access_rules_of_keystone_hold_beside_a_service_token_of_an_issuer(
    acme: OidcServer, identity: IdentityServer, protect: Protect
) -> None:
    protected = protect(service_type="compute")
    credential = identity.directory.add_application_credential(
        "restricted",
        user="member",
        project="inventory",
        roles=["member"],
        access_rules=[AccessRule("compute", "GET", "/allowed")],
    )
    user = identity.issue(application_credential=credential.id)
    assert status_of(protected, user, acme.issue("billing", roles=["service"])) == 401
    assert status_of(protected, user, identity.issue("service", project="service")) == 200
