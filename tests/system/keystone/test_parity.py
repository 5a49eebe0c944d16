"""Offline and remote validation of a real token tell the service the same."""

from __future__ import annotations

import json

import pytest

from tests.system.keystone.bearers import BEARERS, Bearers
from tests.system.keystone.conftest import MakeFilter


@pytest.mark.parametrize("kind", BEARERS)
def test_headers_token_info_and_catalog_are_those_of_remote_validation(
    make_filter: MakeFilter, make_remote_filter: MakeFilter, bearers: Bearers, kind: str
) -> None:
    offline = make_filter(token_validation="offline", revocation_poll_interval="0")
    issue = BEARERS[kind](bearers)
    # What is known of the bearer comes from one token, what is compared is of another.
    assert offline.ask(issue()).status == 200
    token = issue()
    verified, asked = offline.ask(token), make_remote_filter().ask(token)
    assert (verified.status, asked.status) == (200, 200)
    assert verified.headers == asked.headers
    assert verified.token_info == asked.token_info
    # So that not two empty things are found equal.
    is_scoped = "unscoped" not in kind
    assert bool(verified.headers["HTTP_X_ROLES"]) == is_scoped
    assert ("HTTP_X_SERVICE_CATALOG" in verified.headers) == is_scoped
    assert token not in json.dumps(verified.token_info)
