"""`authmw token explain` for tokens of issuers, of each profile."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from authmw.cli import main
from authmw.testing.oidc_server import OidcServer
from authmw.testing.oidc_tokens import SHAPES
from tests.support.certificates import Authority
from tests.support.issuers.tls_issuer import TlsIssuer

Explain = Callable[..., tuple[int, str]]


@pytest.fixture
def explain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Explain:
    """Explain a token by the configuration of one issuer; return status and what is printed."""

    def run(token: str, server: OidcServer, **options: str) -> tuple[int, str]:
        named = {"issuer": server.issuer, "profile": server.profile, **options}
        if server.profile != "keystone-op":
            named.setdefault("audience", server.audience)
        if server.profile == "github":
            named["required_values"] = "repository_owner:acme"
        lines = ["[authmw_issuer:acme]", *(f"{name} = {value}" for name, value in named.items())]
        file = tmp_path / "service.conf"
        file.write_text("\n".join(lines) + "\n")
        monkeypatch.setattr(sys, "stdin", io.StringIO(token + "\n"))
        status = main(["token", "explain", "--config-file", str(file)])
        printed = capsys.readouterr()
        assert token.rpartition(".")[2] not in printed.out + printed.err
        return status, printed.out + printed.err

    return run


@pytest.mark.parametrize("profile", SHAPES)
def test_token_of_every_profile_is_explained(profile: str, explain: Explain) -> None:
    with OidcServer(profile=profile) as server:
        subject = "acme/inventory" if profile == "github" else "ada"
        token = server.issue(subject, scope="inventory.read", roles=["member"])
        status, printed = explain(token, server)
    assert status == 0, printed
    assert f"passed  issuer: [authmw_issuer:acme], profile {profile}" in printed
    assert "passed  signature: verified by " in printed
    assert "FAILED" not in printed
    assert "NOT VERIFIED" not in printed
    assert 'accepted; the service is told {"user": {"id": ' in printed


FAULTS: dict[str, tuple[Callable[[OidcServer], str], str]] = {
    "audience": (
        lambda server: server.issue("ada", audience="https://other.example"),
        "FAILED  audience: wrong_audience",
    ),
    "expired": (lambda server: server.issue("ada", lifetime_seconds=-9), "FAILED  times: expired"),
    "ID token": (
        lambda server: server.issue_id_token("ada"),
        "FAILED  access token: id_token",
    ),
    "claim": (
        lambda server: server.issue("ada", claims={"jti": None}),
        "FAILED  claims: malformed: no claim 'jti'",
    ),
    "role": (
        lambda server: server.issue("ada", claims={"roles": 7}),
        "FAILED  token body: malformed",
    ),
    "issuer": (
        lambda server: server.issue("ada", claims={"iss": "https://evil.example"}),
        "FAILED  issuer: wrong_issuer",
    ),
    "opaque": (lambda server: server.issue_opaque("ada"), "FAILED  form: malformed: it is not"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_is_named(fault: str, explain: Explain) -> None:
    make, said = FAULTS[fault]
    with OidcServer() as server:
        status, printed = explain(make(server), server)
    assert status == 1
    assert said in printed
    assert "refused: " in printed


def test_stolen_key_of_another_issuer_verifies_nothing(explain: Explain) -> None:
    with OidcServer() as server, OidcServer() as thief:
        token = thief.issue("ada", issuer=server.issuer)
        status, printed = explain(token, server)
    assert status == 1
    assert "FAILED  signature: bad_signature: no key of this issuer" in printed
    assert "NOT VERIFIED" in printed


def test_issuer_that_does_not_answer_leaves_the_question_open(explain: Explain) -> None:
    with OidcServer() as server:
        token = server.issue("ada")
    status, printed = explain(token, server)
    assert status == 2
    assert server.issuer in printed


def test_bound_token_needs_more_than_itself(explain: Explain) -> None:
    with OidcServer() as server:
        token = server.issue("ada", key_thumbprint="x", thumbprint="y")
        status, printed = explain(token, server)
    assert status == 0
    assert "needs the certificate" in printed
    assert "needs a DPoP proof" in printed


def test_opaque_token_is_for_its_issuer_to_judge(explain: Explain) -> None:
    with OidcServer() as server:
        options = {"profile": "introspection", "client_id": "a", "client_secret": "b"}
        status, printed = explain(server.issue_opaque("ada"), server, **options)
        assert not server.calls["introspect"]
    assert status == 1
    assert "issuer acme is asked about it" in printed


def test_issuer_is_connected_to_as_its_section_says(explain: Explain, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "private")
    (tmp_path / "token").write_text("of-the-cluster")
    context = authority.server_context("localhost")
    with TlsIssuer(OidcServer(), context, token="of-the-cluster") as tls:
        options = {"issuer": tls.issuer, "bearer_token_file": str(tmp_path / "token")}
        token = tls.server.issue("ada", issuer=tls.issuer)
        status, printed = explain(token, tls.server, cafile=str(authority.cafile), **options)
        assert status == 0, printed
        status, printed = explain(token, tls.server, **options)
        assert status != 0
        assert "TLS failed" in printed
        assert "of-the-cluster" not in printed
