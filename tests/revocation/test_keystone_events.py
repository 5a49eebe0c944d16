"""The events of a real Keystone revoke here exactly the tokens that it refuses."""

from __future__ import annotations

import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

import pytest

from authmw.errors import InvalidToken, Reason
from authmw.revocation.facts import facts_of
from authmw.revocation.feed import RevocationFeed
from authmw.revocation.source import EventsAnswer
from tests.support.identity_api import IdentityApi
from tests.support.identity_types import (
    UNSCOPED,
    IssuedToken,
    Named,
    PasswordUser,
    Scope,
    project_scope,
    trust_scope,
)
from tests.support.keystone import Keystone
from tests.support.oauth1 import Delegation, delegate, issue_from_delegation
from tests.support.revocation_tokens import make_token


class KeystoneEvents:
    """Asks the real Keystone as its administrator."""

    def __init__(self, api: IdentityApi) -> None:
        self.api = api
        self.asked: list[str] = []

    def fetch_events(self, since: str) -> EventsAnswer:
        self.asked.append(since)
        query = urllib.parse.urlencode({"since": since})
        answer = self.api.call("GET", f"/OS-REVOKE/events?{query}")
        return EventsAnswer(
            answer.json(), parsedate_to_datetime(answer.headers["Date"]).timestamp()
        )


def make_feed(api: IdentityApi) -> RevocationFeed:
    return RevocationFeed(
        KeystoneEvents(api),
        poll_interval_seconds=1,
        max_staleness_seconds=600,
        retention_seconds=180_000,
        max_events=100_000,
    )


@dataclass
class Cast:
    """Two users with tokens of every kind that one deed may revoke, and that it must not."""

    api: IdentityApi
    user: PasswordUser
    other_user: PasswordUser
    project: Named
    other_project: Named
    trust_id: str
    delegation: Delegation
    tokens: dict[str, IssuedToken] = field(default_factory=dict)


@pytest.fixture
def api(keystone: Keystone) -> IdentityApi:
    return keystone.fernet.api


def make_cast(api: IdentityApi) -> Cast:
    user, other_user = api.create_user(), api.create_user()
    project, other_project = api.create_project(), api.create_project()
    member = api.find_role("member")
    for who in (user, other_user):
        for where in (project, other_project):
            api.grant(who, member, project_scope(where))
    cast = Cast(
        api,
        user,
        other_user,
        project,
        other_project,
        api.create_trust(user, other_user, project, [member]),
        delegate(api, user, project, member),
    )
    scopes: list[tuple[str, PasswordUser, Scope]] = [
        ("user on project", user, project_scope(project)),
        ("user on other project", user, project_scope(other_project)),
        ("user unscoped", user, UNSCOPED),
        ("other user on project", other_user, project_scope(project)),
        ("other user on other project", other_user, project_scope(other_project)),
        ("other user unscoped", other_user, UNSCOPED),
        ("of the trust", other_user, trust_scope(cast.trust_id)),
    ]
    for name, who, scope in scopes:
        cast.tokens[name] = api.issue(who, scope)
    parent = cast.tokens["user unscoped"]
    cast.tokens["exchanged"] = api.issue_from_token(parent, project_scope(project))
    cast.tokens["of the consumer"] = issue_from_delegation(api, cast.delegation)
    return cast


def delete_token(cast: Cast) -> None:
    cast.api.revoke(cast.tokens["user on project"])


def delete_parent_token(cast: Cast) -> None:
    cast.api.revoke(cast.tokens["user unscoped"])


def delete_exchanged_token(cast: Cast) -> None:
    cast.api.revoke(cast.tokens["exchanged"])


def disable_user(cast: Cast) -> None:
    cast.api.update("user", cast.user.id, enabled=False)


def delete_user(cast: Cast) -> None:
    cast.api.delete("user", cast.user.id)


def delete_trustee(cast: Cast) -> None:
    cast.api.delete("user", cast.other_user.id)


def change_password(cast: Cast) -> None:
    cast.api.update("user", cast.user.id, password="another made-up one")


def delete_project(cast: Cast) -> None:
    cast.api.delete("project", cast.project.id)


def delete_trust(cast: Cast) -> None:
    cast.api.delete_trust(cast.trust_id, cast.api.issue(cast.user, project_scope(cast.project)))


def delete_consumer(cast: Cast) -> None:
    cast.api.call("DELETE", f"/OS-OAUTH1/consumers/{cast.delegation.consumer_id}")


OF_USER = {
    "user on project",
    "user on other project",
    "user unscoped",
    "exchanged",
    "of the trust",
    "of the consumer",
}
OF_OTHER_USER = {
    "other user on project",
    "other user on other project",
    "other user unscoped",
    "of the trust",
}
ON_PROJECT = {
    "user on project",
    "other user on project",
    "exchanged",
    "of the trust",
    "of the consumer",
}
Deed = Callable[[Cast], None]
DEEDS: list[tuple[Deed, set[str]]] = [
    (delete_token, {"user on project"}),
    (delete_exchanged_token, {"exchanged"}),
    (delete_parent_token, {"user unscoped", "exchanged"}),
    (disable_user, OF_USER),
    (delete_user, OF_USER),
    (delete_trustee, OF_OTHER_USER),
    (change_password, OF_USER),
    (delete_project, ON_PROJECT),
    (delete_trust, {"of the trust"}),
    (delete_consumer, {"of the consumer"}),
]


GENTLE = (
    delete_token,
    delete_exchanged_token,
    delete_parent_token,
    delete_trust,
    delete_consumer,
)
# What is tried every time; the rest is for the slow tests.
QUICK = {"fernet": (*GENTLE, change_password, delete_project), "jws": GENTLE}


def is_revoked(feed: RevocationFeed, token: IssuedToken) -> bool:
    try:
        feed.verify_not_revoked(facts_of(make_token(token.body)))
    except InvalidToken as refusal:
        return refusal.reason is Reason.REVOKED
    return False


def is_refused(api: IdentityApi, token: IssuedToken) -> bool:
    """Ask Keystone for its own verdict: 403 is what it says while a trustor is disabled."""
    headers = {"X-Subject-Token": token.id}
    answer = api.call("HEAD", "/auth/tokens", headers=headers, expected=(200, 403, 404))
    return answer.status_code != 200


class Casts:
    """Casts of one Keystone process, each made when a test first asks for it."""

    def __init__(self, api: IdentityApi) -> None:
        self._api = api
        self._made: dict[Deed | None, Cast] = {}

    def get(self, deed: Deed) -> Cast:
        """Return a cast for a deed; one bears all that end no more than a token or two."""
        key = None if deed in GENTLE else deed
        if key not in self._made:
            self._made[key] = make_cast(self._api)
            # What is issued in the second of an event is revoked by it: a case of its own.
            time.sleep(1.1)
        return self._made[key]


@pytest.fixture(scope="module")
def fernet_casts(keystone: Keystone) -> Casts:
    return Casts(keystone.fernet.api)


@pytest.fixture(scope="module")
def jws_casts(keystone: Keystone) -> Casts:
    return Casts(keystone.jws.api)


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("provider", "do", "expected"),
    [
        pytest.param(
            provider,
            do,
            revoked,
            id=f"{provider}-{do.__name__}",
            marks=() if do in QUICK[provider] else pytest.mark.slow,
        )
        for provider in ("fernet", "jws")
        for do, revoked in DEEDS
    ],
)
def test_events_revoke_exactly_what_keystone_refuses(
    request: pytest.FixtureRequest, provider: str, do: Deed, expected: set[str]
) -> None:
    casts: Casts = request.getfixturevalue(f"{provider}_casts")
    cast = casts.get(do)
    assert {token.id.count(".") == 2 for token in cast.tokens.values()} == {provider == "jws"}
    feed = make_feed(cast.api)
    feed.poll(time.time())
    before = {name for name, token in cast.tokens.items() if is_revoked(feed, token)}
    assert not expected <= before
    generation = feed.generation

    do(cast)
    feed.poll(time.time() + 1)

    refused = {name for name, token in cast.tokens.items() if is_refused(cast.api, token)}
    revoked = {name for name, token in cast.tokens.items() if is_revoked(feed, token)}
    assert revoked == refused == before | expected
    assert feed.generation == generation + 1


def test_tokens_issued_after_a_password_was_changed_are_good_and_those_of_its_second_are_not(
    api: IdentityApi,
) -> None:
    user = api.create_user()
    feed = make_feed(api)
    tokens: list[IssuedToken] = []

    # At the start of a second, so that the token issued right after is of the same one.
    time.sleep(1 - time.time() % 1 + 0.05)
    changed = api.call("PATCH", f"/users/{user.id}", body={"user": {"password": "changed"}})
    assert changed.status_code == 200
    user = PasswordUser(user.id, user.name, "changed")
    for _ in range(2):
        tokens.append(api.issue(user))
        time.sleep(1.1)
    feed.poll(time.time())

    verdicts = [is_revoked(feed, token) for token in tokens]
    assert verdicts == [not api.is_valid(token) for token in tokens]
    assert verdicts[1] is False


def test_an_answer_for_a_time_asked_before_could_be_stale_so_no_two_polls_ask_the_same(
    api: IdentityApi,
) -> None:
    source = KeystoneEvents(api)
    feed = RevocationFeed(
        source,
        poll_interval_seconds=1,
        max_staleness_seconds=600,
        retention_seconds=180_000,
        max_events=100_000,
    )
    now = time.time()
    for second in range(4):
        feed.poll(now + second)
    assert len(set(source.asked)) == 4
