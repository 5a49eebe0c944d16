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
# What the tokens of an issuer hold that services may take for roles, and do not unless told so.
UNREAD_ROLES = {"okta": "groups", "auth0": "permissions"}
WORKLOADS = ("kubernetes", "github", "spiffe")


def describe(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{environ['HTTP_X_USER_ID']} {environ.get('HTTP_X_ROLES')}".encode()]


@pytest.mark.parametrize("profile", SHAPES)
def test_token_of_every_profile_passes(
    profile: str, authmw_personas: Personas, authmw_protect: Protect
) -> None:
    options = {"roles": UNREAD_ROLES[profile]} if profile in UNREAD_ROLES else {}
    issuer = authmw_personas.of_issuer(profile, **options)
    client = TestApp(authmw_protect(describe))
    name = "acme/inventory" if profile == "github" else "ada"
    grant: dict[str, Any] = {} if profile in WORKLOADS else {"roles": ["member"]}
    if profile == "keystone-op":
        grant["project_id"] = "p1"
    answer = client.get("/", headers=issuer.user(name, **grant).headers).text
    assert name in answer
    assert ("member" in answer) == (profile not in WORKLOADS)
    expired = issuer.user(name, **grant, lifetime_seconds=-1)
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


def test_proof_is_for_the_server_that_the_service_says_it_is(
    authmw_personas: Personas, authmw_protect: Protect
) -> None:
    ada = authmw_personas.of_issuer().user("ada", is_bound=True)
    client = TestApp(authmw_protect(describe))
    client.get("/items", headers=ada.headers_for("GET", "/items"))
    at_test_server = ada.headers_for("GET", "http://testserver/items")
    client.get("/items", headers=at_test_server, status=401)
    client = TestApp(authmw_protect(describe, public_endpoint="http://testserver"))
    client.get("/items", headers=at_test_server)


@pytest.mark.parametrize(
    ("profile", "options"), [("keycloak", {}), ("entra", {"user_name": "preferred_username"})]
)
def test_user_has_a_name_where_such_tokens_have_one(
    profile: str, options: dict[str, str], authmw_personas: Personas, authmw_protect: Protect
) -> None:
    issuer = authmw_personas.of_issuer(profile, **options)
    names: list[Any] = []

    def service(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        names.append(environ["authmw.token"].user.name)
        return describe(environ, start_response)

    client = TestApp(authmw_protect(service))
    client.get("/", headers=issuer.user("ada", roles=["member"]).headers)
    client.get("/", headers=issuer.user("7f3", roles=["member"], username="ada").headers)
    assert names == ["ada", "ada"]


@pytest.mark.parametrize(
    ("profile", "options", "meant"),
    [
        ("okta", {}, r"of_issuer\('okta', roles='groups'\)"),
        ("auth0", {}, r"of_issuer\('auth0', roles='permissions'\)"),
        ("github", {}, r"leave roles out, or write of_issuer\('github', roles='roles'\)"),
        ("keystone-op", {}, "project_id="),
        ("rfc9068", {"roles": "duties"}, r"from duties: put them there by claims=\{"),
    ],
)
def test_roles_that_no_service_would_find_are_an_error(
    profile: str, options: dict[str, str], meant: str, authmw_personas: Personas
) -> None:
    issuer = authmw_personas.of_issuer(profile, **options)
    issuer.user("ada")
    with pytest.raises(TypeError, match=meant):
        issuer.user("ada", roles=["admin"])


def test_property_that_no_token_has_is_an_error(authmw_personas: Personas) -> None:
    issuer = authmw_personas.of_issuer(project_id="tenant")
    with pytest.raises(TypeError, match=r"'tenant'.*write claims=\{'tenant': \.\.\.\}"):
        issuer.user("ada", tenant="p1")
    with pytest.raises(TypeError, match="did you mean 'audience'"):
        issuer.issuer.issue("ada", audiance="https://inventory.example")
    with pytest.raises(TypeError, match=r"roles=\['admin'\]"):
        issuer.user("ada", roles="admin")  # type: ignore[arg-type]


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
