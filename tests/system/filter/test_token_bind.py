"""`enforce_token_bind`, offline and remote, with and without a service token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from authmw.checks.token_bind import compute_thumbprints
from authmw.testing import IdentityServer
from tests.support.certificates import Authority
from tests.support.protected import Protect, Protected

pytestmark = pytest.mark.both_doors


@pytest.fixture
def pem(tmp_path: Path) -> str:
    return Authority(tmp_path, "client").cafile.read_text()


def send(protected: Protected, token: str, pem: str | None = None, **headers: str) -> int:
    environ = {} if pem is None else {"SSL_CLIENT_CERT": pem}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    status: int = protected.get(token, headers=named, extra_environ=environ).status_int
    return status


def options_of(server: IdentityServer, kind: str) -> dict[str, str]:
    return {} if kind == "opaque" else {"jws_jwks_uri": server.jwks_url}


def issue(server: IdentityServer, kind: str, user: str, project: str, **wanted: Any) -> str:
    make = server.issue if kind == "opaque" else server.issue_jws
    return make(user, project=project, **wanted)


@pytest.mark.parametrize("kind", ["opaque", "signed"])
def test_a_token_bound_to_a_certificate_passes_with_it_alone(
    protect: Protect, server: IdentityServer, pem: str, kind: str
) -> None:
    protected = protect(**options_of(server, kind))
    thumbprint = min(compute_thumbprints(pem))
    bound = issue(server, kind, "member", "inventory", certificate_thumbprint=thumbprint)
    for _ in range(2):
        assert send(protected, bound, pem) == 200
        assert send(protected, bound) == 401
    assert send(protected, bound, None, SSL_CLIENT_CERT=pem.replace("\n", " ")) == 401
    assert send(protect(**options_of(server, kind), enforce_token_bind="disabled"), bound) == 200


@pytest.mark.parametrize("kind", ["opaque", "signed"])
@pytest.mark.parametrize(
    ("policy", "status"),
    [
        ("disabled", 200),
        ("permissive", 200),
        ("strict", 200),
        ("required", 401),
        ("kerberos", 401),
        ("x5t#S256", 401),
    ],
)
def test_a_token_that_is_not_bound_passes_where_none_has_to_be(
    protect: Protect, server: IdentityServer, kind: str, policy: str, status: int
) -> None:
    protected = protect(**options_of(server, kind), enforce_token_bind=policy)
    assert send(protected, issue(server, kind, "member", "inventory")) == status


def test_a_service_s_own_token_makes_up_for_the_user_s_binding(
    protect: Protect, server: IdentityServer, pem: str
) -> None:
    protected = protect(service_token_roles_required="false", delay_auth_decision="true")
    bound = server.issue("member", project="inventory", certificate_thumbprint="t" * 43)
    service = server.issue("service", project="service")
    stranger = server.issue("reader", project="inventory")
    for beside, status in ((service, "Confirmed"), (stranger, "Invalid"), ("garbage", "Invalid")):
        send(protected, bound, pem, X_Service_Token=beside)
        assert protected.service.last["HTTP_X_IDENTITY_STATUS"] == status
        assert protected.service.last["keystone.token_auth"].has_user_token is (beside == service)


def test_the_service_s_own_token_is_held_to_its_own_binding(
    protect: Protect, server: IdentityServer, pem: str
) -> None:
    user = server.issue("member", project="inventory")
    thumbprint = min(compute_thumbprints(pem))
    bound = server.issue("service", project="service", certificate_thumbprint=thumbprint)
    unbound = server.issue("service", project="service")
    required = protect(enforce_token_bind="required")
    for protected in (protect(), required):
        assert send(protected, user, pem, X_Service_Token=bound) == 200
        assert send(protected, user, None, X_Service_Token=bound) == 401
    assert send(required, user, pem, X_Service_Token=unbound) == 401


def test_the_log_says_why_and_the_client_is_not_told(
    protect: Protect,
    server: IdentityServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "authmw")
    protected = protect()
    bound = server.issue("member", project="inventory", certificate_thumbprint="t" * 43)
    response = protected.get(bound)
    assert response.json["error"]["message"] == (
        "The request you have made requires authentication."
    )
    assert "wrong_binding: it is bound to a certificate, and SSL_CLIENT_CERT holds none" in (
        caplog.text
    )
    assert bound not in caplog.text
