"""keystone.token_auth: what a service reads from it, and calls other services with."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from keystoneauth1 import exceptions
from keystoneauth1.access import AccessInfoV3
from keystoneauth1.plugin import BaseAuthPlugin
from keystoneauth1.session import Session

from authmw.testing import IdentityServer
from authmw.wsgi.token_auth import TokenAuth
from tests.support.other_service import OtherService, run_other_service
from tests.support.protected import Protect, Protected


@pytest.fixture
def other() -> Iterator[OtherService]:
    with run_other_service() as service:
        yield service


def plugin_of(protected: Protected, user: str | None, service: str | None = None) -> TokenAuth:
    """Send a request, and return what the service behind the filter got."""
    headers = {} if service is None else {"X-Service-Token": service}
    assert protected.get(user, headers=headers).status_int == 200
    plugin = protected.service.last["keystone.token_auth"]
    assert isinstance(plugin, TokenAuth)
    return plugin


def read_all(access: AccessInfoV3) -> dict[str, object]:
    """Return every public attribute; the catalog by its content."""
    read: dict[str, object] = {}
    for name in dir(access):
        if not name.startswith("_") and isinstance(getattr(type(access), name), property):
            try:
                value = getattr(access, name)
            except KeyError:
                value = KeyError
            read[name] = vars(value) if hasattr(value, "_catalog") else value
    del read["service_providers"]
    return read


def call(plugin: TokenAuth, other: OtherService) -> int:
    session = Session(auth=plugin)
    status = session.get(other.url, raise_exc=False, authenticated=True).status_code
    assert isinstance(status, int)
    return status


def test_it_says_of_both_tokens_what_keystoneauth_says_of_any(
    protect: Protect, server: IdentityServer
) -> None:
    user = server.issue("member", project="inventory")
    service = server.issue("service", project="service")
    plugin = plugin_of(protect(), user, service)
    assert (plugin.has_user_token, plugin.has_service_token) == (True, True)
    for described, string in ((plugin.user, user), (plugin.service, service)):
        assert described is not None
        theirs = AccessInfoV3({"token": server.validate(string)}, auth_token=string)
        assert read_all(described) == read_all(theirs)
        assert described.auth_token == string


def test_it_says_whose_trust_the_caller_acts_under(
    protect: Protect, server: IdentityServer
) -> None:
    trust = server.directory.add_trust(
        trustor="member",
        trustee="service",
        project="inventory",
        roles=["member"],
        impersonation=False,
    )
    plugin = plugin_of(protect(), server.issue(trust=trust.id))
    assert plugin.user is not None
    assert plugin.user.trust_id == trust.id
    assert plugin.user.trustor_user_id == server.directory.user("member").id
    assert plugin.user.trustee_user_id == server.directory.user("service").id


def test_it_is_a_plugin_that_finds_user_project_and_endpoints_in_the_user_s_token(
    protect: Protect, server: IdentityServer
) -> None:
    server.endpoint_count = 18
    token = server.issue("member", project="inventory")
    plugin = plugin_of(protect(), token)
    session = Session(auth=plugin)
    project_id = server.directory.project("inventory").id
    assert isinstance(plugin, BaseAuthPlugin)
    assert session.get_token() == token
    assert session.get_project_id() == project_id
    assert session.get_user_id() == server.directory.user("member").id
    found = session.get_endpoint(
        service_type="image", interface="internal", region_name="two", skip_discovery=True
    )
    assert found == f"https://image.two.internal.example.org/v3/{project_id}"
    with pytest.raises(exceptions.EndpointNotFound):
        session.get_endpoint(service_type="no-such", skip_discovery=True)


def test_a_call_carries_the_user_s_token_and_our_own(
    protect: Protect, server: IdentityServer, other: OtherService
) -> None:
    token = server.issue("member", project="inventory")
    plugin = plugin_of(protect(), token, server.issue("service", project="service"))
    assert call(plugin, other) == 200
    (headers,) = other.asked
    assert headers["X-Auth-Token"] == token
    ours = headers["X-Service-Token"]
    grant = server.grant_of(ours)
    assert grant.user_id == server.directory.user("service").id
    assert ours != plugin.tokens[3], "a service speaks for itself, not for its caller"


def test_our_own_token_is_asked_for_once_not_once_a_call(
    protect: Protect, server: IdentityServer, other: OtherService
) -> None:
    protected = protect()
    for _ in range(3):
        call(plugin_of(protected, server.issue("member", project="inventory")), other)
    assert len({headers["X-Service-Token"] for headers in other.asked}) == 1
    assert server.calls["issue"] == 1


def test_without_credentials_of_our_own_the_user_s_token_goes_alone(
    protect: Protect, server: IdentityServer, other: OtherService
) -> None:
    protected = protect(**offline(server), auth_type="")
    token = server.issue_jws("member", project="inventory", names_and_roles=True)
    assert call(plugin_of(protected, token), other) == 200
    (headers,) = other.asked
    assert (headers["X-Auth-Token"], headers["X-Service-Token"]) == (token, None)


def test_where_our_own_token_can_t_be_had_a_call_fails_as_keystoneauth_s_do(
    protect: Protect, server: IdentityServer, other: OtherService
) -> None:
    protected = protect(**offline(server))
    token = server.issue_jws("member", project="inventory", names_and_roles=True)
    plugin = plugin_of(protected, token)
    server.stop()
    with pytest.raises(exceptions.AuthorizationFailure, match="no token of our own for X-Serv"):
        call(plugin, other)
    assert other.asked == []


def offline(server: IdentityServer) -> dict[str, str]:
    return {
        "token_validation": "offline",
        "jws_jwks_uri": server.jwks_url,
        "jws_authority": "claims",
        "revocation_poll_interval": "0",
    }


@pytest.mark.parametrize(("statuses", "status"), [([401], 200), ([401, 401, 401], 401)])
def test_a_call_refused_is_tried_once_more_with_a_new_token_of_our_own(
    protect: Protect,
    server: IdentityServer,
    other: OtherService,
    statuses: list[int],
    status: int,
) -> None:
    plugin = plugin_of(protect(), server.issue("member", project="inventory"))
    other.statuses = list(statuses)
    assert call(plugin, other) == status
    first, second = other.asked
    assert first["X-Auth-Token"] == second["X-Auth-Token"]
    assert first["X-Service-Token"] != second["X-Service-Token"]
    assert server.calls["issue"] == 2


@pytest.mark.parametrize("token", [None, "garbage"])
@pytest.mark.parametrize(
    "options", [{"delay_auth_decision": "true"}, {"public_paths": "/"}], ids=["delay", "public"]
)
def test_without_a_valid_user_token_nobody_is_in_it(
    protect: Protect, other: OtherService, options: dict[str, str], token: str | None
) -> None:
    plugin = plugin_of(protect(**options), token)
    assert (plugin.user, plugin.has_user_token) == (None, False)
    assert (plugin.service, plugin.has_service_token) == (None, False)
    assert "garbage" not in repr((vars(plugin), plugin.tokens))
    with pytest.raises(exceptions.AuthorizationFailure, match="came without a valid user token"):
        call(plugin, other)


def test_of_two_tokens_only_the_good_one_is_in_it(protect: Protect, server: IdentityServer) -> None:
    protected = protect(delay_auth_decision="true")
    user = server.issue("member", project="inventory")
    service = server.issue("service", project="service")
    of_user = plugin_of(protected, user, "garbage")
    assert (of_user.has_user_token, of_user.has_service_token, of_user.service) == (
        True,
        False,
        None,
    )
    of_service = plugin_of(protected, "garbage", service)
    assert (of_service.has_user_token, of_service.has_service_token, of_service.user) == (
        False,
        True,
        None,
    )
    for plugin in (of_user, of_service):
        assert "garbage" not in repr((vars(plugin), plugin.tokens))


def test_what_nobody_asks_for_is_not_built(protect: Protect, server: IdentityServer) -> None:
    plugin = plugin_of(protect(), server.issue("member", project="inventory"))
    assert vars(plugin) == {}
    assert plugin.user is plugin.user


def test_what_a_service_does_to_it_is_not_seen_by_the_next_request(
    protect: Protect, server: IdentityServer
) -> None:
    protected = protect()
    token = server.issue("member", project="inventory")
    first = plugin_of(protected, token)
    assert first.user is not None
    first.user._data["token"]["roles"].clear()
    second = plugin_of(protected, token)
    assert second.user is not None
    assert second.user.role_names == ["member", "reader"]


def test_the_environ_can_be_copied_deep_after_the_plugin_was_used(
    protect: Protect, server: IdentityServer, other: OtherService
) -> None:
    protected = protect()
    token = server.issue("member", project="inventory")
    plugin = plugin_of(protected, token)
    call(plugin, other)
    environ = {
        key: value
        for key, value in protected.service.last.items()
        if not key.startswith(("wsgi.", "webtest.", "paste."))
    }
    for copied in (copy.deepcopy(environ), copy.copy(environ)):
        assert call(copied["keystone.token_auth"], other) == 200
    assert call(copy.copy(plugin), other) == 200
    assert {headers["X-Auth-Token"] for headers in other.asked} == {token}


def test_it_leaves_the_process_in_no_pickle_and_no_log(
    protect: Protect, server: IdentityServer, other: OtherService
) -> None:
    user, service = (
        server.issue("member", project="inventory"),
        server.issue("service", project="service"),
    )
    plugin = plugin_of(protect(), user, service)
    call(plugin, other)
    ids = server.directory.user("member").id, server.directory.user("service").id
    assert repr(plugin) == f"<TokenAuth user: {ids[0]}, service: {ids[1]}>"
    with pytest.raises(TypeError, match="holds credentials: send X-Auth-Token on instead"):
        pickle.dumps(plugin)


def test_an_attribute_that_does_not_exist_is_an_error_as_ever(
    protect: Protect, server: IdentityServer
) -> None:
    plugin: Any = plugin_of(protect(), server.issue("member", project="inventory"))
    with pytest.raises(AttributeError, match="'TokenAuth' has no attribute 'no_such'"):
        plugin.no_such  # noqa: B018
