"""Tokens of real authorization servers through a whole filter, which asks these servers itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from tests.support.issuers.django_toolkit import DjangoToolkit
from tests.support.issuers.filter import IssuerFilter, protect_with
from tests.support.issuers.oidc_provider import OidcProvider

INVENTORY, OPAQUE = "https://inventory.example", "https://opaque.example"

Protect = Callable[..., IssuerFilter]


@pytest.fixture
def protect() -> Iterator[Protect]:
    made: list[IssuerFilter] = []

    def make(**options: object) -> IssuerFilter:
        made.append(protect_with(**{f"issuer__op__{name}": one for name, one in options.items()}))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("resource", [INVENTORY, "https://es.example", "https://ps.example"])
def test_two_lines_are_enough_for_oidc_provider(
    resource: str, oidc_provider: OidcProvider, protect: Protect
) -> None:
    protected = protect(issuer=oidc_provider.issuer, audience=resource)
    answer = oidc_provider.ask_for_token(resource=resource, scope="inventory.read")
    assert protected.status_of(answer["access_token"]) == 200
    told = protected.service.last
    assert (told["HTTP_X_USER_ID"], told["HTTP_X_ROLES"]) == ("robot", "member")


def test_user_of_oidc_provider_is_let_in_and_the_id_token_is_not(
    oidc_provider: OidcProvider, protect: Protect
) -> None:
    protected = protect(issuer=oidc_provider.issuer, audience=f"{INVENTORY},web")
    answer = oidc_provider.log_in("ada")
    assert protected.status_of(answer["access_token"]) == 200
    assert protected.service.last["HTTP_X_USER_ID"] == "ada"
    assert protected.status_of(answer["id_token"]) == 401


def test_token_for_another_resource_is_refused(
    oidc_provider: OidcProvider, protect: Protect
) -> None:
    protected = protect(issuer=oidc_provider.issuer, audience="https://other.example")
    token = oidc_provider.ask_for_token()["access_token"]
    assert protected.status_of(token) == 401


@pytest.mark.parametrize(
    ("method", "client", "algorithm"),
    [
        ("client_secret_basic", "robot", None),
        ("client_secret_post", "posting-robot", None),
        ("client_secret_jwt", "signing-robot", "HS256"),
        ("private_key_jwt", "asserting-robot", "ES256"),
    ],
)
def test_opaque_tokens_of_oidc_provider(
    method: str,
    client: str,
    algorithm: str | None,
    oidc_provider: OidcProvider,
    protect: Protect,
    tmp_path: Path,
) -> None:
    key_file = tmp_path / "key.pem"
    key_file.write_bytes(
        oidc_provider.client_key.private_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    protected = protect(
        issuer=oidc_provider.issuer,
        audience=OPAQUE,
        profile="introspection",
        user_id="sub,client_id",
        auth_method=method,
        client_id=client,
        client_secret=oidc_provider.secret_of(client),
        jwt_algorithm=algorithm,
        jwt_key_file=str(key_file),
    )
    opaque = oidc_provider.ask_for_token(resource=OPAQUE)["access_token"]
    assert protected.status_of(opaque) == 200
    assert protected.service.last["HTTP_X_USER_ID"] == "robot"
    revoked = oidc_provider.ask_for_token(resource=OPAQUE)["access_token"]
    oidc_provider.revoke(revoked)
    assert protected.status_of(revoked) == 401


def test_opaque_tokens_of_django_oauth_toolkit(
    django_toolkit: DjangoToolkit, protect: Protect
) -> None:
    protected = protect(
        introspection_endpoint=f"{django_toolkit.issuer}/introspect/",
        profile="introspection",
        user_id="username,client_id",
        client_id="robot",
        client_secret="robot-secret",
    )
    token = django_toolkit.log_in()["access_token"]
    assert protected.status_of(token) == 200
    assert protected.service.last["HTTP_X_USER_ID"] == "ada"
    django_toolkit.revoke(token)
    other = django_toolkit.ask_for_token(scope="inventory.read")["access_token"]
    assert protected.status_of(other) == 200
    assert protected.status_of("made-up") == 401
