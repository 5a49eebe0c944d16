from __future__ import annotations

import json
from typing import Any

import pytest

from authmw.errors import IdentityUnavailable, InvalidToken, Reason
from authmw.issuers.configured import IssuerOptions, make_issuers
from authmw.issuers.record import Issuer
from authmw.issuers.table import IssuerTable
from authmw.issuers.verifier import IssuerVerifier, VerifiedToken
from authmw.jose.jwk import parse_jwk
from authmw.jose.key_set import KeySet
from authmw.testing.signing_key import SigningKey
from tests.support.issuers.shapes import ACME_CLAIMS, NOW, SHAPES, US, Claims, change
from tests.support.signing import Counter, HeldKeys, b64

A, B = "https://a.example", "https://b.example"
# Both call their keys the same, as many do.
KEYS = {A: SigningKey.generate("key-1"), B: SigningKey.generate("key-1")}


def claims_of(issuer: str, **changes: object) -> dict[str, object]:
    return change(ACME_CLAIMS, {"iss": issuer, **changes})


class Site:
    """Two issuers, and the verifications that their keys are used for."""

    def __init__(self, *more: IssuerOptions) -> None:
        self.counter = Counter()
        self.sources: dict[str, HeldKeys] = {}
        options = [
            IssuerOptions(name="a", issuer=A, audience=[US], algorithms=["ES256"]),
            IssuerOptions(name="b", issuer=B, audience=[US], algorithms=["ES256"]),
            *more,
        ]
        table = IssuerTable(issuer for one in options for issuer in make_issuers(one))
        self.verifier = IssuerVerifier(table, self.keys_of, max_keys=4, max_size=8000)

    def keys_of(self, issuer: Issuer) -> HeldKeys:
        name = issuer.identifier or issuer.name
        key = KEYS.get(name)
        keys = [] if key is None else [self.counter.watch(parse_jwk(key.jwk(), name))]
        self.sources[name] = HeldKeys(KeySet(keys))
        return self.sources[name]

    def verify(self, token: str) -> VerifiedToken:
        return self.verifier.verify(token, NOW)

    def reason_of(self, token: str) -> Reason:
        with pytest.raises(InvalidToken) as refused:
            self.verify(token)
        return refused.value.reason


def sign(claims: Claims, by: str = A, **header: Any) -> str:
    return KEYS[by].sign(claims, **{"typ": "at+jwt", **header})


def test_token_is_verified_with_the_key_of_its_issuer() -> None:
    site = Site()
    for issuer in (A, B):
        verified = site.verify(sign(claims_of(issuer), issuer))
        assert verified.token.issuer.identifier == issuer
        assert verified.key.source == issuer


@pytest.mark.parametrize(("by", "said"), [(A, B), (B, A)])
def test_no_key_verifies_another_issuers_token(by: str, said: str) -> None:
    site = Site()
    assert site.reason_of(sign(claims_of(said), by)) is Reason.BAD_SIGNATURE
    assert by not in site.counter.tried


@pytest.mark.parametrize("iss", ["https://evil.example", None, "", A + "/", [A]])
def test_token_of_nobody_costs_no_verification(iss: object) -> None:
    site = Site()
    assert site.reason_of(sign({**ACME_CLAIMS, "iss": iss})) is Reason.WRONG_ISSUER
    assert site.counter.tried == []


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b"{", b'{"iss":"a","iss":"b"}', b'{"iss":NaN}', b"\xff", b"[" * 4000]
)
def test_payload_that_is_no_claims_set_is_refused_before_any_key_is_asked(payload: bytes) -> None:
    site = Site()
    header, _, signature = sign(ACME_CLAIMS).split(".")
    assert site.reason_of(f"{header}.{b64(payload)}.{signature}") is Reason.MALFORMED
    assert site.counter.tried == []


def test_claims_count_only_once_a_key_has_verified_them() -> None:
    site = Site()
    header, _, signature = sign(claims_of(A)).split(".")
    better = b64(json.dumps(claims_of(A, roles=["admin"])).encode())
    assert site.reason_of(f"{header}.{better}.{signature}") is Reason.BAD_SIGNATURE
    # Nor does an unverified token learn what else is wrong with it.
    worse = b64(json.dumps(claims_of(A, exp=1, aud="x")).encode())
    assert site.reason_of(f"{header}.{worse}.{signature}") is Reason.BAD_SIGNATURE


def test_id_token_is_refused_as_one_whatever_its_typ() -> None:
    site = Site()
    for typ in ("JWT", None, "at+jwt"):
        token = sign(claims_of(A, nonce="n-0S6", aud="web"), typ=typ)
        assert site.reason_of(token) is Reason.ID_TOKEN


def test_algorithm_is_one_of_the_issuers() -> None:
    site = Site(IssuerOptions(name="c", issuer="https://c.example", audience=[US]))
    key = SigningKey.generate("key-1", "RS256")
    assert site.reason_of(key.sign(claims_of(A), typ="at+jwt")) is Reason.BAD_SIGNATURE
    with pytest.raises(InvalidToken, match="algorithms of issuer a"):
        site.verify(key.sign(claims_of(A), typ="at+jwt"))
    site.sources["https://c.example"].keys = KeySet([parse_jwk(key.jwk(), "c")])
    verified = site.verify(key.sign(claims_of("https://c.example"), typ="at+jwt"))
    assert verified.token.issuer.name == "c"


def test_unknown_kid_refreshes_the_keys_of_its_issuer_alone() -> None:
    site = Site()
    newer = SigningKey.generate("key-2")
    site.sources[A].next_keys = KeySet([parse_jwk(newer.jwk(), "newer")])
    site.sources[B].next_keys = KeySet([])
    verified = site.verify(newer.sign(claims_of(A), typ="at+jwt"))
    assert verified.key.source == "newer"
    assert site.sources[B].keys.keys


@pytest.mark.parametrize(
    "header", [{"crit": ["exp"]}, {"b64": False}, {"alg": "none"}, {"alg": "HS256"}, {"zip": "DEF"}]
)
def test_header_that_changes_the_meaning_of_the_rest_is_refused(header: dict[str, Any]) -> None:
    site = Site()
    assert site.reason_of(sign(claims_of(A), **header)) in (
        Reason.MALFORMED,
        Reason.BAD_SIGNATURE,
    )
    assert site.counter.tried == []


def test_keys_in_a_header_are_not_used() -> None:
    site = Site()
    own = SigningKey.generate("key-1")
    token = own.sign(claims_of(A), typ="at+jwt", jwk=own.jwk(), jku=f"{B}/jwks", x5u=f"{B}/x")
    assert site.reason_of(token) is Reason.BAD_SIGNATURE


def test_outage_of_an_issuers_keys_concerns_its_tokens_alone() -> None:
    site = Site()
    site.sources[B].keys = KeySet([], missing="its JWK set can't be fetched")
    with pytest.raises(IdentityUnavailable):
        site.verify(sign(claims_of(B), B))
    assert site.verify(sign(claims_of(A)))


def test_a_hundred_issuers_cost_what_one_costs() -> None:
    others = [
        IssuerOptions(name=f"other-{n}", issuer=f"https://{n}.example", audience=[US])
        for n in range(100)
    ]
    site = Site(*others)
    assert site.verify(sign(claims_of(A)))
    assert site.counter.tried == [A]


def test_opaque_tokens_have_no_keys() -> None:
    site = Site(IssuerOptions(name="asked", profile="introspection", issuer="https://as.example"))
    assert set(site.sources) == {A, B}


@pytest.mark.parametrize("name", SHAPES)
def test_token_of_every_shape_is_verified(name: str) -> None:
    shape = SHAPES[name]
    algorithm = "ES256" if "ES256" in shape.issuer.profile.algorithms else "RS256"
    key = SigningKey.generate(shape.kid or "key-1", algorithm)
    verifier = IssuerVerifier(
        IssuerTable([shape.issuer]),
        lambda _: HeldKeys(KeySet([parse_jwk(key.jwk(), "test")])),
        max_keys=4,
        max_size=8000,
    )
    token = key.sign(shape.claims, typ=shape.typ, kid=shape.kid)
    assert verifier.verify(token, NOW).token.claims == shape.claims
