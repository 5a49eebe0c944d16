from __future__ import annotations

import pytest

from authmw.errors import ConfigurationError, InvalidToken, Reason
from authmw.issuers.configured import IssuerOptions, make_issuers
from authmw.issuers.table import IssuerTable
from tests.support.issuers.shapes import (
    ACME_CLAIMS,
    ACME_OPTIONS,
    ENTRA_V1_CLAIMS,
    ENTRA_V2_CLAIMS,
    ENTRA_V2_OPTIONS,
    KEYSTONE_CLAIMS,
    KEYSTONE_OPTIONS,
    SHAPES,
    SPIFFE_CLAIMS,
    SPIFFE_OPTIONS,
    US,
    Claims,
)


def table(*options: IssuerOptions) -> IssuerTable:
    return IssuerTable(issuer for one in options for issuer in make_issuers(one))


EVERYBODY = {shape.options.name: shape.options for shape in SHAPES.values()}
ALL = table(*EVERYBODY.values(), KEYSTONE_OPTIONS)


@pytest.mark.parametrize("name", SHAPES)
def test_token_is_of_its_issuer_among_all(name: str) -> None:
    shape = SHAPES[name]
    assert ALL.find_issuer(shape.claims).name == shape.options.name


def test_all_of_them_are_listed() -> None:
    assert {issuer.name for issuer in ALL} == {*EVERYBODY, "keystone"}


def test_token_without_iss_is_of_keystone_if_that_is_configured() -> None:
    assert ALL.find_issuer(KEYSTONE_CLAIMS).name == "keystone"
    with pytest.raises(InvalidToken):
        table(ACME_OPTIONS).find_issuer(KEYSTONE_CLAIMS)


@pytest.mark.parametrize(
    "claims",
    [
        {**ACME_CLAIMS, "iss": "https://login.acme.example/"},
        {**KEYSTONE_CLAIMS, "iss": "https://evil.example"},
        {**KEYSTONE_CLAIMS, "iss": ""},
        {**KEYSTONE_CLAIMS, "iss": ["https://login.acme.example"]},
        {**KEYSTONE_CLAIMS, "iss": {"a": 1}},
        {**KEYSTONE_CLAIMS, "iss": True},
        {**ENTRA_V1_CLAIMS, "iss": "https://sts.windows.net/{tenant}/"},
        {**ENTRA_V2_CLAIMS, "iss": "https://login.microsoftonline.com/common/v2.0"},
    ],
)
def test_token_of_nobody_is_refused(claims: Claims) -> None:
    with pytest.raises(InvalidToken) as refused:
        ALL.find_issuer(claims)
    assert refused.value.reason is Reason.WRONG_ISSUER


def test_svid_is_found_by_its_trust_domain_with_any_iss() -> None:
    assert ALL.find_issuer({**SPIFFE_CLAIMS, "iss": "https://other.example"}).name == "mesh"
    with pytest.raises(InvalidToken):
        table(SPIFFE_OPTIONS).find_issuer({**SPIFFE_CLAIMS, "sub": "spiffe://evil.example/a"})


def test_iss_of_a_configured_issuer_comes_before_a_trust_domain() -> None:
    claims = {**SPIFFE_CLAIMS, "iss": ACME_CLAIMS["iss"]}
    assert ALL.find_issuer(claims).name == "acme"


def test_token_without_iss_is_keystones_unless_its_subject_is_in_a_trust_domain() -> None:
    assert ALL.is_keystones(KEYSTONE_CLAIMS, None)
    assert ALL.is_keystones({**KEYSTONE_CLAIMS, "iss": "https://id"}, "https://id")
    assert not ALL.is_keystones({**KEYSTONE_CLAIMS, "iss": "https://id"}, None)
    assert not ALL.is_keystones({**KEYSTONE_CLAIMS, "iss": ["https://id"]}, "https://id")
    assert not ALL.is_keystones(SPIFFE_CLAIMS, None)
    assert ALL.is_keystones({**SPIFFE_CLAIMS, "sub": "spiffe://evil.example/a"}, None)
    assert table(ACME_OPTIONS).is_keystones(SPIFFE_CLAIMS, None)


def test_opaque_tokens_have_one_issuer() -> None:
    one = IssuerOptions(name="asked", profile="introspection", issuer="https://as.example")
    assert ALL.introspected is None
    found = table(one, ACME_OPTIONS)
    assert found.introspected is not None
    assert found.introspected.name == "asked"
    with pytest.raises(InvalidToken):
        found.find_issuer({"iss": "https://as.example"})


@pytest.mark.parametrize(
    "options",
    [
        (ACME_OPTIONS, IssuerOptions(name="twin", issuer=ACME_OPTIONS.issuer, audience=[US])),
        (SPIFFE_OPTIONS, SPIFFE_OPTIONS),
        (KEYSTONE_OPTIONS, KEYSTONE_OPTIONS),
        (
            IssuerOptions(name="a", profile="introspection"),
            IssuerOptions(name="b", profile="introspection"),
        ),
        (ENTRA_V2_OPTIONS, ENTRA_V2_OPTIONS),
    ],
)
def test_two_issuers_can_not_have_the_same_tokens(options: tuple[IssuerOptions, ...]) -> None:
    with pytest.raises(ConfigurationError, match=options[0].name):
        table(*options)
