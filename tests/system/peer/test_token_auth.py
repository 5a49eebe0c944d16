"""`keystone.token_auth.user` has all attributes of keystonemiddleware's, for all kinds of token."""

from __future__ import annotations

import contextlib
import copy
import inspect
from collections.abc import Callable
from typing import Any

import keystonemiddleware.auth_token
import keystonemiddleware.fixture
import pytest
from keystoneauth1 import fixture as ksa_fixture
from keystoneauth1.access import AccessInfoV3

import authmw
import authmw.fixture
from tests.support.protected import get

CONF = {"www_authenticate_uri": "http://identity.invalid"}
Body = dict[str, Any]
YES, NO = True, False


def make(*, scope: str = "project", roles: bool = True) -> Any:
    document = ksa_fixture.V3Token(
        user_id="u",
        user_name="alice",
        user_domain_id="d",
        user_domain_name="Default",
        expires="2099-01-01T00:00:00.000000Z",
        issued="2026-01-01T00:00:00.000000Z",
        audit_id="own",
        audit_chain_id="first",
        methods=["password"],
    )
    if scope == "project":
        document.set_project_scope(id="p", name="inventory", domain_id="d", domain_name="Default")
    elif scope == "domain":
        document.set_domain_scope(id="d", name="Default")
    elif scope == "system":
        document.set_system_scope()
    if roles:
        document.add_role(name="member", id="r1")
        document.add_role(name="reader", id="r2")
    return document


def changed(change: Callable[[Body], object], **kind: Any) -> Any:
    document = make(**kind)
    change(document["token"])
    return document


def with_catalog() -> Any:
    document = make()
    document.add_service("compute", id="s").add_standard_endpoints(
        public="http://compute.invalid", region="one"
    )
    return document


def with_trust() -> Any:
    document = make()
    document.set_trust_scope("t", impersonation=True, trustee_user_id="e", trustor_user_id="o")
    return document


def with_oauth1() -> Any:
    document = make()
    document.set_oauth(access_token_id="a", consumer_id="c")
    return document


def with_application_credential(rules: Any = None) -> Any:
    document = make()
    document.set_application_credential("a", access_rules=rules)
    return document


def federated(token: Body) -> None:
    token["user"]["OS-FEDERATION"] = {
        "groups": [{"id": "g"}],
        "identity_provider": {"id": "i"},
        "protocol": {"id": "mapped"},
    }


def drop(*path: str) -> Callable[[Body], object]:
    def change(token: Body) -> None:
        for name in path[:-1]:
            token = token[name]
        del token[path[-1]]

    return change


def put(value: Any, *path: str) -> Callable[[Body], object]:
    def change(token: Body) -> None:
        for name in path[:-1]:
            token = token[name]
        token[path[-1]] = value

    return change


TOKENS: dict[str, Any] = {
    "project": make(),
    "domain": make(scope="domain"),
    "system": make(scope="system"),
    "unscoped": make(scope="unscoped", roles=False),
    "no roles": make(roles=False),
    "catalog": with_catalog(),
    "trust": with_trust(),
    "oauth1": with_oauth1(),
    "application credential": with_application_credential(),
    "access rules": with_application_credential(
        [{"id": "r", "path": "/**", "method": "GET", "service": "identity"}]
    ),
    "federated": changed(federated),
    "is_domain": changed(put(YES, "is_domain")),
    "admin project": changed(put(YES, "is_admin_project")),
    "no admin project": changed(put(NO, "is_admin_project")),
    "kerberos": changed(put({"kerberos": "alice"}, "bind")),
    "certificate": changed(put({"x5t#S256": "thumb"}, "oauth2_credential")),
    "one audit id": changed(put(["own"], "audit_ids")),
    "service providers": changed(
        put([{"id": "sp", "auth_url": "http://a", "sp_url": "http://b"}], "service_providers")
    ),
}
# What another issuer's token may leave out, and Keystone's never does.
SPARSE: dict[str, Any] = {
    "no role ids": changed(put([{"name": "member"}], "roles")),
    "roles absent": changed(lambda token: token.pop("roles")),
    "roles null": changed(put(None, "roles")),
    "no user name": changed(drop("user", "name")),
    "no user domain": changed(drop("user", "domain")),
    "user domain null": changed(put(None, "user", "domain")),
    "user domain without a name": changed(drop("user", "domain", "name")),
    "user domain without an id": changed(drop("user", "domain", "id")),
    "no project domain": changed(drop("project", "domain")),
    "project domain without a name": changed(drop("project", "domain", "name")),
    "domain without a name": changed(drop("domain", "name"), scope="domain"),
    "no audit ids": changed(drop("audit_ids")),
    "audit ids null": changed(put(None, "audit_ids")),
    "system null": changed(put(None, "system")),
}

ATTRIBUTES = sorted(
    name
    for name, value in inspect.getmembers(AccessInfoV3)
    if not name.startswith("_") and not inspect.isroutine(value)
)
# Some of the tokens are bound, and the requests come without what to.
OPTIONS = {"enforce_token_bind": "disabled", "service_type": "identity", **CONF}


class Recorder:
    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.user = environ["keystone.token_auth"].user
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b""]


def see(side: str, document: Any) -> Any:
    recorder = Recorder()
    if side == "ours":
        with authmw.fixture.AuthTokenFixture() as tokens:
            tokens.add_token(copy.deepcopy(document), token_id="t")
            app = authmw.filter_factory({}, **OPTIONS)(recorder)
            assert get(app, "t", "/items").status_int == 200
    else:
        with keystonemiddleware.fixture.AuthTokenFixture() as tokens:
            tokens.add_token(copy.deepcopy(document), token_id="t")
            peer = keystonemiddleware.auth_token.AuthProtocol(recorder, dict(OPTIONS))
            with contextlib.suppress(KeyError, TypeError, AttributeError):
                get(peer, "t", "/items")
            if not hasattr(recorder, "user"):  # such a token is a 500 there
                return AccessInfoV3(copy.deepcopy(document), auth_token="t")
    return recorder.user


def read(user: Any, name: str) -> Any:
    try:
        value = getattr(user, name)
    except (KeyError, TypeError, AttributeError) as error:
        return type(error)
    if name == "service_catalog":
        return value.catalog
    if name == "service_providers":
        return sorted(vars(value)["_service_providers"])
    return value


@pytest.mark.parametrize("kind", TOKENS)
def test_every_attribute_is_the_peer_s(kind: str) -> None:
    ours, theirs = (see(side, TOKENS[kind]) for side in ("ours", "peer's"))
    assert isinstance(ours, AccessInfoV3)
    for name in ATTRIBUTES:
        assert (name, read(ours, name)) == (name, read(theirs, name))
    assert ours.has_service_catalog() == theirs.has_service_catalog()
    assert ours.will_expire_soon() == theirs.will_expire_soon()


# Of these keystoneauth1 says that they raise, and they do for every token without one.
RAISE = {"application_credential", "oauth2_credential"}
# What is said where the peer raises.
ABSENT = {"role_ids": [], "role_names": [], "system_scoped": False}


@pytest.mark.parametrize("kind", SPARSE)
def test_what_a_token_does_not_say_is_none_or_a_list(kind: str) -> None:
    ours, theirs = (see(side, SPARSE[kind]) for side in ("ours", "peer's"))
    for name in ATTRIBUTES:
        expected = read(theirs, name)
        if isinstance(expected, type) and name not in RAISE:
            expected = ABSENT.get(name)
        assert (name, read(ours, name)) == (name, expected)
