"""Tokens of real logins, by the facts of Keystone's database."""

from __future__ import annotations

import pytest

from authmw.bundle.keystone_sql import Configuration
from tests.support.bundles import evaluate_claims, facts_of, normalize, read_claims
from tests.support.identity_types import IssuedToken
from tests.support.keystone import Keystone
from tests.support.oauth1 import delegate, issue_from_delegation
from tests.system.keystone.bearers import BEARERS, Bearers


@pytest.mark.slow
def test_bundle_says_of_every_login_what_keystone_says(
    keystone: Keystone, bearers: Bearers
) -> None:
    api = keystone.jws.api
    tokens = {kind: make(bearers)() for kind, make in BEARERS.items()}
    delegation = delegate(api, bearers.make_member(), bearers.project, api.find_role("member"))
    tokens["oauth1"] = issue_from_delegation(api, delegation).id
    expected = {kind: api.validate(IssuedToken(token, {})).body for kind, token in tokens.items()}
    configuration = Configuration({"url_substitutions": {"public_endpoint": keystone.jws.url}})
    url = f"sqlite:///{keystone.directory}/keystone.db"
    with facts_of(url, configuration) as facts:
        answers = {
            kind: evaluate_claims(facts, read_claims(token)) for kind, token in tokens.items()
        }
    for kind, body in answers.items():
        assert normalize(body) == normalize(expected[kind]), kind
