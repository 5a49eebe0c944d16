"""`jws_claim_names`: issuers that have other names for the claims of names and roles."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from authmw.testing import IdentityServer
from tests.support.clock import Clock
from tests.support.embedded_identity import make_filter

RENAMED = "roles:groups,user_name:preferred_username"


@pytest.fixture
def server() -> Iterator[IdentityServer]:
    with IdentityServer() as running:
        yield running


def issue_renamed(server: IdentityServer) -> str:
    return server.issue_jws(
        "member",
        project="inventory",
        names_and_roles=True,
        extra_claims={
            "openstack_roles": None,
            "openstack_user_name": None,
            "groups": [{"name": "keeper"}],
            "preferred_username": "Zoë",
        },
    )


def test_names_and_roles_are_read_from_the_claims_so_named_and_the_others_as_ever(
    server: IdentityServer, clock: Clock, tmp_path: Path
) -> None:
    protected = make_filter(
        server, tmp_path / "keys", clock, jws_authority="claims", jws_claim_names=RENAMED
    )
    told = protected.ask(issue_renamed(server))
    assert told.status == 200
    assert told.headers["HTTP_X_USER_NAME"] == "Zoë"
    assert told.headers["HTTP_X_ROLES"] == "keeper"
    assert told.headers["HTTP_X_PROJECT_NAME"] == "inventory"
    assert server.calls["validate"] == 0


def test_a_claim_that_has_lost_its_name_to_another_says_nothing(
    server: IdentityServer, clock: Clock, tmp_path: Path
) -> None:
    protected = make_filter(
        server, tmp_path / "keys", clock, jws_authority="claims", jws_claim_names=RENAMED
    )
    usual = server.issue_jws("member", project="inventory", names_and_roles=True)
    assert protected.ask(usual).status == 503, "without roles in it: no source knows them"
    assert (
        make_filter(server, tmp_path / "keys", clock, jws_authority="claims")
        .ask(issue_renamed(server))
        .status
        == 503
    )
