"""What is remembered of a bearer is never what another token says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw.cache.memory import MemoryCache
from authmw.checks.expiry import ExpiryPolicy
from authmw.errors import InvalidToken
from authmw.issuers.configured import IssuerOptions, make_issuers
from authmw.issuers.table import IssuerTable
from authmw.issuers.token_body import make_token_body
from authmw.issuers.verifier import IssuerVerifier
from authmw.jose.jwk import parse_jwk
from authmw.jose.key_set import KeySet
from authmw.logs.streak import RefusalStreak
from authmw.testing.signing_key import SigningKey
from authmw.token import Token
from authmw.token.headers import is_header_safe
from authmw.validation.issuer_standing import IssuerStanding
from authmw.validation.issuers import Bearer, IssuersValidator
from tests.support.issuers.shapes import ACME, ACME_CLAIMS, NOW, US
from tests.support.signing import HeldKeys

KEY = SigningKey.generate("key-1")
KEYS = HeldKeys(KeySet([parse_jwk(KEY.jwk(), "acme")]))
MAPPED = ("user_name", "project_id", "domain_id", "is_admin_project", "system_scope", "groups")


def make_validator() -> tuple[IssuersValidator, IssuerVerifier]:
    (issuer,) = make_issuers(
        IssuerOptions(
            name="acme",
            issuer=ACME,
            audience=[US, "https://other.example"],
            claims={name: [name] for name in MAPPED},
        )
    )
    table = IssuerTable([issuer])
    verifier = IssuerVerifier(table, lambda _: KEYS, max_keys=4, max_size=8000)
    validator = IssuersValidator(
        table,
        verifier,
        {issuer.key: IssuerStanding()},
        {issuer.key: RefusalStreak("tokens of acme", {})},
        keystone=None,
        keystone_issuer=None,
        introspection=None,
        bearers=MemoryCache[Bearer](max_entries=10_000, max_bytes=10**8),
    )
    return validator, verifier


VALIDATOR, VERIFIER = make_validator()
# With a scope, since roles are roles on one here.
CLAIMS: Mapping[str, Any] = {**ACME_CLAIMS, "project_id": "p1", "roles": ["reader"]}


def describe(token: Token) -> str:
    """Everything that a service is told, in the order of names."""
    info = token.to_token_info()["token"]
    told = [info, dict(token.user_environ), token.expires_at, token.thumbprint, token.is_bound]
    return json.dumps(told, sort_keys=True)


def validate_both(claims: Mapping[str, Any]) -> tuple[Token, Token] | None:
    """Validate one token with what is remembered, and without; None: it is refused."""
    string = KEY.sign(claims, typ="at+jwt")
    try:
        verified = VERIFIER.verify(string, NOW)
        body = make_token_body(verified.token)
        fresh = Token.from_body(body, None, answered_at=NOW, fresh_until=NOW, usable_until=NOW)
    except InvalidToken:
        with pytest.raises(InvalidToken):
            VALIDATOR.validate(string, ExpiryPolicy.REFUSE_EXPIRED, NOW, None)
        return None
    return VALIDATOR.validate(string, ExpiryPolicy.REFUSE_EXPIRED, NOW, None), fresh


# Nearly alike to a parser, to Python or to a reader.
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, 1.0, -0.0, "", "1", "True", "true", "all", "admin", " admin"),
    *("a,b", "a\r\nX-Roles: admin", "\x00", "\x85", "\u2028", "é", "e\u0301", [], [[]], {}),
    *(["admin"], ["admin", "reader"], ["reader", "admin"], ["admin,reader"], [None], [1]),
    *([{"name": "admin"}], [{"name": "admin", "id": "1"}], [{"value": "admin"}], {"a": ["admin"]}),
    *({"jkt": "a"}, {"x5t#S256": "a"}, US, [US], [US, "https://other.example"], NOW - 1, NOW + 9),
)
NAMES = (*ACME_CLAIMS, *MAPPED, "roles", "scp", "amr", "cnf", "azp", "act", "nbf", "nonce")
CHANGES = st.dictionaries(
    st.sampled_from(NAMES), st.sampled_from(VALUES) | st.just(...), max_size=3
)


@given(changes=CHANGES, is_reversed=st.booleans())
def test_what_is_remembered_is_what_the_token_says(
    changes: dict[str, Any], *, is_reversed: bool
) -> None:
    claims = {**CLAIMS, **changes}
    pairs = [pair for pair in claims.items() if pair[1] is not ...]
    both = validate_both(dict(pairs[::-1] if is_reversed else pairs))
    if both is None:
        return
    remembered, fresh = both
    claimed = json.loads(json.dumps(dict(pairs)))
    bound = claimed.get("cnf") or {}
    if "jkt" not in bound:
        assert describe(remembered) == describe(fresh)
    assert remembered.is_bound is bool(bound)
    assert remembered.claims == claimed
    assert all(is_header_safe(value) for value in remembered.user_environ.values())


@pytest.mark.parametrize("name", ["roles", "user_name", "project_id", "is_admin_project", "amr"])
def test_nobody_gets_the_rights_of_who_came_before(name: str) -> None:
    """All values one after the other, in one memory."""
    for value in VALUES * 2:
        both = validate_both({**CLAIMS, name: value})
        if both is not None:
            assert describe(both[0]) == describe(both[1])
