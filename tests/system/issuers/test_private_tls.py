"""Issuers behind TLS of a private authority, which want a token or a certificate of clients."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from authmw.errors import ConfigurationError
from authmw.testing.oidc_server import OidcServer
from tests.support.certificates import Authority
from tests.support.issuers.filter import IssuerFilter, protect_with
from tests.support.issuers.tls_issuer import TlsIssuer

Protect = Callable[..., IssuerFilter]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "private")


@pytest.fixture(scope="module")
def client_pem(authority: Authority) -> str:
    """A certificate of the service with its key."""
    authority.server_context("inventory")
    return str(authority.cafile.with_name("private-inventory.pem"))


@pytest.fixture
def protect() -> Iterator[Protect]:
    made: list[IssuerFilter] = []

    def make(issuer: TlsIssuer, **options: object) -> IssuerFilter:
        made.append(
            protect_with(
                issuer__a__issuer=issuer.issuer,
                issuer__a__audience=issuer.server.audience,
                http_request_max_retries="0",
                **{f"issuer__a__{name}": value for name, value in options.items()},
            )
        )
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def issuer(authority: Authority) -> Iterator[TlsIssuer]:
    with TlsIssuer(OidcServer(), authority.server_context("localhost")) as running:
        yield running


def test_authority_of_an_issuer_is_trusted_for_it_alone(
    issuer: TlsIssuer, authority: Authority, protect: Protect, tmp_path: Path
) -> None:
    token = issuer.server.issue("ada", issuer=issuer.issuer)
    assert protect(issuer).status_of(token) == 503
    other = Authority(tmp_path, "other")
    assert protect(issuer, cafile=str(other.cafile)).status_of(token) == 503
    assert issuer.seen == []
    assert protect(issuer, cafile=str(authority.cafile)).status_of(token) == 200


def test_authority_of_an_issuer_goes_before_that_of_the_identity_service(
    issuer: TlsIssuer, authority: Authority, tmp_path: Path
) -> None:
    token = issuer.server.issue("ada", issuer=issuer.issuer)
    other = Authority(tmp_path, "other")
    options: dict[str, object] = {
        "issuer__a__issuer": issuer.issuer,
        "issuer__a__audience": issuer.server.audience,
        "http_request_max_retries": "0",
    }
    for more, status in (
        ({"cafile": str(other.cafile), "issuer__a__cafile": str(authority.cafile)}, 200),
        # An authority is named in order to be checked.
        ({"insecure": "true", "issuer__a__cafile": str(other.cafile)}, 503),
        ({"insecure": "true"}, 200),
    ):
        protected = protect_with(**options, **more)
        try:
            assert protected.status_of(token) == status
        finally:
            protected.close()


def test_token_of_a_cluster_is_read_again_as_it_rotates(
    issuer: TlsIssuer, authority: Authority, protect: Protect, tmp_path: Path
) -> None:
    path = tmp_path / "token"
    path.write_text("first\n")
    issuer.token = "first"
    protected = protect(issuer, cafile=str(authority.cafile), bearer_token_file=str(path))
    assert protected.status_of(issuer.server.issue("ada", issuer=issuer.issuer)) == 200
    assert [(seen[1], seen[2]) for seen in issuer.seen] == [
        ("/.well-known/openid-configuration", "Bearer first"),
        ("/jwks", "Bearer first"),
    ]
    path.write_text("second")
    issuer.token = "second"
    issuer.server.rotate_key()
    assert protected.status_of(issuer.server.issue("ada", issuer=issuer.issuer)) == 200
    assert issuer.seen[-1] == ("GET", "/jwks", "Bearer second")


@pytest.mark.parametrize("content", ["", "\n", "two words", "caf\xe9", "a\nb", "x" * 100_000])
def test_token_file_that_holds_no_token_is_an_outage(
    content: str,
    issuer: TlsIssuer,
    authority: Authority,
    protect: Protect,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = tmp_path / "token"
    path.write_text("first")
    protected = protect(issuer, cafile=str(authority.cafile), bearer_token_file=str(path))
    path.write_text(content)
    assert protected.status_of(issuer.server.issue("ada", issuer=issuer.issuer)) == 503
    assert issuer.seen == []
    assert "bearer_token_file" in caplog.text
    assert not content.strip() or content not in caplog.text


def test_token_file_is_not_sent_where_clients_tokens_go(
    issuer: TlsIssuer, authority: Authority, protect: Protect, tmp_path: Path
) -> None:
    path = tmp_path / "token"
    path.write_text("of-the-cluster")
    issuer.token = "of-the-cluster"
    protected = protect(
        issuer,
        profile="introspection",
        client_id=issuer.server.client_id,
        client_secret="secret",
        auth_method="client_secret_post",
        cafile=str(authority.cafile),
        bearer_token_file=str(path),
    )
    assert protected.status_of(issuer.server.issue_opaque("ada", issuer=issuer.issuer)) == 200
    assert issuer.seen == [
        ("GET", "/.well-known/openid-configuration", "Bearer of-the-cluster"),
        ("POST", "/introspect", None),
    ]


def test_client_is_known_by_its_certificate(
    authority: Authority, client_pem: str, protect: Protect
) -> None:
    """tls_client_auth (RFC 8705 §2)."""
    context = authority.server_context("localhost")
    context.load_verify_locations(authority.cafile)
    with TlsIssuer(OidcServer(), context) as issuer:

        def make(**options: object) -> IssuerFilter:
            return protect(
                issuer,
                profile="introspection",
                introspection_endpoint=f"{issuer.issuer}/introspect",
                client_id=issuer.server.client_id,
                auth_method="tls_client_auth",
                cafile=str(authority.cafile),
                certfile=client_pem,
                **options,
            )

        token = issuer.server.issue_opaque("ada", issuer=issuer.issuer, roles=["member"])
        context.verify_mode = ssl.CERT_REQUIRED
        protected = make()
        assert protected.status_of(token) == 200
        assert protected.service.last["HTTP_X_ROLES"] == "member"
        assert issuer.subjects == [((("commonName", "inventory"),),)]
        assert issuer.seen == [("POST", "/introspect", None)]
        (form,) = issuer.forms
        assert form == {
            "token": [token],
            "token_type_hint": ["access_token"],
            "client_id": [issuer.server.client_id],
        }
        assert protected.status_of("made-up") == 401


def test_server_that_wants_a_certificate_is_an_outage_without_one(
    authority: Authority, client_pem: str, protect: Protect
) -> None:
    context = authority.server_context("localhost")
    context.load_verify_locations(authority.cafile)
    context.verify_mode = ssl.CERT_REQUIRED
    with TlsIssuer(OidcServer(), context) as issuer:
        token = issuer.server.issue("ada", issuer=issuer.issuer)
        assert protect(issuer, cafile=str(authority.cafile)).status_of(token) == 503
        with_one = protect(issuer, cafile=str(authority.cafile), certfile=client_pem)
        assert with_one.status_of(token) == 200


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cafile": "/nonexistent"}, "cafile = '/nonexistent'"),
        ({"certfile": "/nonexistent"}, "certfile = '/nonexistent'"),
        ({"keyfile": "/nonexistent"}, "keyfile = '/nonexistent'"),
        ({"bearer_token_file": "/nonexistent"}, "bearer_token_file = '/nonexistent'"),
        (
            {"profile": "introspection", "client_id": "c", "auth_method": "tls_client_auth"},
            "certfile is not set",
        ),
    ],
)
def test_file_that_cannot_be_used_stops_the_start(
    options: dict[str, object], said: str, issuer: TlsIssuer, protect: Protect
) -> None:
    with pytest.raises(ConfigurationError, match="authmw_issuer:a") as refused:
        protect(issuer, **options)
    assert said in str(refused.value)
