"""Personas of an issuer: a service's tests with tokens of any profile, and no server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from webtest import TestApp

from authmw.testing import Cloud, IdentityServer
from authmw.testing.oidc_tokens import SHAPES
from authmw.testing.personas import Personas

Protect = Callable[..., Any]


def describe(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{environ['HTTP_X_USER_ID']} {environ.get('HTTP_X_ROLES')}".encode()]


@pytest.mark.parametrize("profile", SHAPES)
def test_token_of_every_profile_passes(
    profile: str, authmw_personas: Personas, authmw_protect: Protect
) -> None:
    issuer = authmw_personas.of_issuer(profile)
    client = TestApp(authmw_protect(describe))
    name = "acme/inventory" if profile == "github" else "ada"
    assert name in client.get("/", headers=issuer.user(name, roles=["member"]).headers).text
    expired = issuer.user(name, roles=["member"], lifetime_seconds=-1)
    client.get("/", headers=expired.headers, status=401)


def test_roles_and_scope_are_those_that_were_asked_for(
    authmw_personas: Personas, authmw_protect: Protect
) -> None:
    issuer = authmw_personas.of_issuer(project_id="tenant")
    seen: list[Any] = []

    def service(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(environ["authmw.token"])
        return describe(environ, start_response)

    client = TestApp(authmw_protect(service))
    ada = issuer.user("ada", roles=["member"], scope="a b", claims={"tenant": "p1"})
    assert client.get("/", headers=ada.headers).text == "ada member"
    assert seen[0].oauth_scope == {"a", "b"}
    assert seen[0].principal.project_id == "p1"


def test_keystones_personas_are_there_as_well(
    authmw_personas: Personas, authmw_protect: Protect
) -> None:
    ada = authmw_personas.of_issuer().user("ada")
    client = TestApp(authmw_protect(describe))
    client.get("/", headers=ada.headers)
    client.get("/", headers=authmw_personas.project_member().headers)


def test_bound_token_comes_with_a_proof(authmw_personas: Personas, authmw_protect: Protect) -> None:
    ada = authmw_personas.of_issuer().user("ada", is_bound=True)
    client = TestApp(authmw_protect(describe))
    url = "https://inventory.example/items"
    client.get("/items", headers=ada.headers_for("GET", url))
    client.get("/items", headers=ada.headers, status=401)


def test_time_passes_for_them_too(authmw_cloud: Cloud) -> None:
    ada = authmw_cloud.personas.of_issuer().user("ada")
    client = TestApp(authmw_cloud.protect(describe))
    client.get("/", headers=ada.headers)
    authmw_cloud.expire(ada)
    client.get("/", headers=ada.headers, status=401)


def test_issuer_is_asked_for_before_the_filter(
    authmw_personas: Personas, authmw_protect: Protect
) -> None:
    first = authmw_personas.of_issuer()
    authmw_protect(describe)
    assert authmw_personas.of_issuer().issuer is first.issuer
    with pytest.raises(RuntimeError, match="before the filter"):
        authmw_personas.of_issuer("keycloak")


def test_next_test_begins_without_issuers(authmw_cloud: Cloud) -> None:
    assert not any(name.startswith("issuer.") for name in authmw_cloud.options)
    authmw_cloud.add_issuer()
    assert any(name.startswith("issuer.") for name in authmw_cloud.options)
    authmw_cloud.reset()
    assert not any(name.startswith("issuer.") for name in authmw_cloud.options)


def test_personas_without_a_cloud_have_no_issuers() -> None:
    with IdentityServer() as server, pytest.raises(RuntimeError, match="Cloud"):
        Personas(server).of_issuer()
