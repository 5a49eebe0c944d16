"""Tokens and passwords appear in no repr, log, pickle or copy."""

from __future__ import annotations

import copy
import logging
import pickle
import traceback

import pytest

from authmw.authority.key import authority_key
from authmw.authority.signed_bearer import SignedBearer
from authmw.config.loading import load_settings
from authmw.errors import IdentityUnavailable
from authmw.testing import Fault, IdentityServer
from tests.system.attacks.conftest import Aim

pytestmark = pytest.mark.both_doors

PASSWORD = "s3cr3t-of-the-service"


def test_no_text_of_an_object_holds_a_token(aim: Aim, server: IdentityServer) -> None:
    target = aim()
    user = server.issue("member", project="inventory")
    service = server.issue("service", project="service")
    target.attack(HTTP_X_AUTH_TOKEN=user, HTTP_X_SERVICE_TOKEN=service)
    seen = target.seen[-1]
    claims = {"sub": "u", "openstack_methods": ["token"], "openstack_audit_ids": ["a"]}
    question = SignedBearer(authority_key({}), claims, user)
    for shown in (seen["authmw.token"], seen["keystone.token_auth"], question):
        for text in (repr(shown), str(shown)):
            assert user not in text
            assert service not in text


def test_copy_of_a_token_holds_no_token_string(aim: Aim, server: IdentityServer) -> None:
    target = aim()
    user = server.issue("member", project="inventory")
    target.attack(HTTP_X_AUTH_TOKEN=user)
    token = target.seen[-1]["authmw.token"]
    pickled = pickle.dumps(token)
    assert user.encode() not in pickled
    for twin in (copy.copy(token), copy.deepcopy(token), pickle.loads(pickled)):
        assert twin.to_token_info() == token.to_token_info()
        assert twin.principal.user_environ == token.principal.user_environ


def test_credentials_of_a_request_can_not_be_pickled(aim: Aim, server: IdentityServer) -> None:
    target = aim()
    target.attack(HTTP_X_AUTH_TOKEN=server.issue("member", project="inventory"))
    with pytest.raises(TypeError, match="holds credentials"):
        pickle.dumps(target.seen[-1]["keystone.token_auth"])


def test_settings_show_no_password(server: IdentityServer) -> None:
    settings = load_settings({**server.service_credentials, "password": PASSWORD})
    assert PASSWORD not in repr(settings)
    assert PASSWORD not in str(settings.auth)


@pytest.mark.parametrize("fault", [None, *Fault], ids=lambda fault: fault.name if fault else "none")
@pytest.mark.parametrize("call", ["validate", "issue", "discover"])
def test_no_log_line_holds_a_token_or_a_password_whatever_fails(
    aim: Aim,
    server: IdentityServer,
    caplog: pytest.LogCaptureFixture,
    fault: Fault | None,
    call: str,
) -> None:
    target = aim(identity_deadline="1", http_request_max_retries="0")
    user = server.issue("member", project="inventory")
    service = server.issue("service", project="service")
    password = server.service_credentials["password"]
    with caplog.at_level(logging.INFO, logger="authmw"):
        if fault is None:
            server.stop()
            target.attack(HTTP_X_AUTH_TOKEN=user, HTTP_X_SERVICE_TOKEN=service)
        else:
            with server.failing(fault, call):  # type: ignore[arg-type]
                target.attack(HTTP_X_AUTH_TOKEN=user, HTTP_X_SERVICE_TOKEN=service)
    assert [secret for secret in (user, service, password) if secret in caplog.text] == []


@pytest.mark.parametrize("fault", Fault)
def test_no_traceback_holds_a_token_or_a_password(
    aim: Aim, server: IdentityServer, fault: Fault
) -> None:
    target = aim(identity_deadline="1", http_request_max_retries="0")
    client = target.middleware._parts.identity  # type: ignore[attr-defined]
    user = server.issue("member", project="inventory")
    password = server.service_credentials["password"]
    with server.failing(fault):
        try:
            client.fetch_token(user)
        except IdentityUnavailable as error:
            text = "".join(traceback.format_exception(error))
            assert user not in text
            assert password not in text
        else:
            pytest.fail("it answered")


@pytest.mark.parametrize("call", ["validate", "issue", "discover"])
@pytest.mark.parametrize("fault", Fault)
def test_no_log_line_of_ours_holds_a_password_of_auth_url(
    aim: Aim, server: IdentityServer, caplog: pytest.LogCaptureFixture, fault: Fault, call: str
) -> None:
    host = server.url.removeprefix("http://")
    target = aim(
        auth_url=f"http://proxy:{PASSWORD}@{host}",
        identity_deadline="1",
        http_request_max_retries="0",
    )
    with server.failing(fault, call):  # type: ignore[arg-type]
        target.attack(HTTP_X_AUTH_TOKEN="gAAAAABmade-up")
    said = [record.getMessage() for record in caplog.records if record.name.startswith("authmw")]
    assert [line for line in said if PASSWORD in line] == []
