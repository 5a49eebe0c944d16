"""Names that a test has misspelt: the error says what was meant."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any

import pytest

import authmw
from authmw.testing import Cloud


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with Cloud() as running:
        yield running


def app(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return []


def create_app() -> Any:
    return app


NO_APPS: dict[str, tuple[Any, str]] = {
    "name": ("inventory:app", "takes the app itself, and 'inventory:app' is the name"),
    "module": (types.ModuleType("inventory"), "is the name or module of one: import the app"),
    "nothing": (None, "takes a WSGI or ASGI app, and None can't be called"),
    "factory": (create_app, r"create_app\(\).* is no WSGI app"),
}


@pytest.mark.parametrize("case", NO_APPS)
def test_what_is_no_app_is_refused_with_what_to_pass(cloud: Cloud, case: str) -> None:
    given, message = NO_APPS[case]
    with pytest.raises(TypeError, match=message):
        cloud.protect(given)


SLIPS = {
    "delay_auth_decison": "did you mean 'delay_auth_decision'",
    "delay_auth": "did you mean 'delay_auth_decision'",
    "usernme": "did you mean 'username'",
    "xyzzy": "authmw.conf.sample has them all",
    "issuer.acme.audiance": "no option 'audiance' of issuers: did you mean 'audience'",
}


@pytest.mark.parametrize("name", SLIPS)
def test_a_misspelt_option_is_an_error_and_not_ignored(cloud: Cloud, name: str) -> None:
    with pytest.raises(TypeError, match=SLIPS[name]):
        cloud.protect(app, **{name: "true"})


@pytest.mark.parametrize("name", ["memcached_servers", "memcache_servers", "auth_url"])
def test_options_that_there_are_are_none(cloud: Cloud, name: str) -> None:
    cloud.protect(app, **{name: cloud.identity.url if name == "auth_url" else "127.0.0.1:1"})


def test_a_wrong_value_is_named_as_in_production(cloud: Cloud) -> None:
    with pytest.raises(authmw.ConfigurationError, match="delay_auth_decision"):
        cloud.protect(app, delay_auth_decision="maybe")


def test_a_misspelt_persona_is_told_from_one(cloud: Cloud) -> None:
    personas: Any = cloud.personas
    with pytest.raises(AttributeError, match="no persona 'project_membr': did you mean"):
        personas.project_membr("inventory")
    with pytest.raises(KeyError) as caught:
        personas["projectmember"]
    assert str(caught.value) == "no persona 'projectmember': did you mean 'project_member'?"
    with pytest.raises(TypeError, match="'expire_in' of a persona's token: did you mean 'expires_"):
        personas.project_member("inventory", expire_in=3)
    with pytest.raises(KeyError, match="no kind of issuer 'keycloack': did you mean 'keycloak'"):
        personas.of_issuer("keycloack")
    with pytest.raises(TypeError, match="no option 'audienc' of issuers"):
        personas.of_issuer("keycloak", audienc="x")


def test_a_persona_may_have_roles_of_its_own(cloud: Cloud) -> None:
    directory = cloud.identity.directory
    directory.add_role("chief_auditor", implies=["reader"])
    chief = cloud.personas.having("chief_auditor", project="inventory")
    plain = cloud.personas.having("auditor", "billing", domain="default", expires_in=60)
    nobody = cloud.personas.having(name="nobody")
    seen: list[Any] = []

    def service(environ: Any, start_response: Any) -> list[bytes]:
        seen.append(environ["HTTP_X_ROLES"])
        return app(environ, start_response)

    protected = cloud.protect(service)
    for persona in (chief, plain, nobody):
        environ = {"REQUEST_METHOD": "GET", "HTTP_X_AUTH_TOKEN": persona.token}
        list(protected(environ, lambda *_: None))
    assert seen == ["chief_auditor,reader", "auditor,billing", ""]
    with pytest.raises(TypeError, match="one project, one domain or system=True"):
        cloud.personas.having("auditor")
    with pytest.raises(TypeError, match="one project, one domain or system=True"):
        cloud.personas.having("auditor", project="inventory", system=True)
