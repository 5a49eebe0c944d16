"""Rule by rule (`authmw token explain`) as in one go: what is explained is what a service does."""

from __future__ import annotations

from typing import Any

import pytest

from authmw.errors import InvalidToken
from authmw.issuers.access_token import judge_access_token, verify_access_token
from authmw.jose.jws import canonical_type
from tests.support.issuers.shapes import NOW, SHAPES


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"exp": NOW},
        {"aud": "other"},
        {"aud": 7},
        {"cnf": {}},
        {"nonce": "n", "at_hash": "h"},
        {"sub": ""},
        {"iat": None},
    ],
)
def test_rule_by_rule_comes_to_the_same_verdict(name: str, changes: dict[str, Any]) -> None:
    """What is explained must not be what a service does not do."""
    shape = SHAPES[name]
    typ = None if shape.typ is None else canonical_type(shape.typ)
    given: Any = {"typ": typ, "kid": "k", "claims": shape.changed(**changes), "now": NOW}
    refusals = [refusal for _, refusal in judge_access_token(shape.issuer, **given) if refusal]
    verdict = None
    try:
        verify_access_token(shape.issuer, **given)
    except InvalidToken as refusal:
        verdict = refusal.reason
    assert (verdict in [one.reason for one in refusals]) if verdict else not refusals
