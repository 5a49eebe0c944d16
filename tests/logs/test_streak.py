"""Refusals in a row that may be the deployment's fault are worth one warning."""

from __future__ import annotations

import logging

import pytest

from authmw.errors import InvalidToken, Reason
from authmw.identity.server_clock import ServerClock
from authmw.logs.reasons import describe_issuer_fixes, describe_keystone_fixes
from authmw.logs.streak import PAUSE_SECONDS, TOKENS, RefusalStreak

FIXES = describe_keystone_fixes("/etc/keys")
BAD = InvalidToken(Reason.BAD_SIGNATURE, "no public key verifies the signature")
EARLY = InvalidToken(Reason.NOT_YET_VALID, "issued at 5, in the future")
EXPIRED = InvalidToken(Reason.EXPIRED, "at 5")


class Steady:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def refuse(streak: RefusalStreak, refusal: InvalidToken = BAD, number: int = TOKENS) -> None:
    for each in range(number):
        streak.note_refused(f"token {each}", refusal)


@pytest.fixture
def steady() -> Steady:
    return Steady()


@pytest.fixture
def streak(steady: Steady) -> RefusalStreak:
    return RefusalStreak("tokens signed by Keystone", FIXES, clock=steady)


def test_several_tokens_in_a_row_are_worth_one_warning(
    streak: RefusalStreak, caplog: pytest.LogCaptureFixture
) -> None:
    refuse(streak, number=TOKENS - 1)
    assert caplog.messages == []
    refuse(streak, number=500)
    (line,) = caplog.messages
    assert line == (
        "The last 3 tokens signed by Keystone that were not known yet were all refused, lately "
        "because: bad_signature: no public key verifies the signature. Clients may have sent what "
        "is not good; if the tokens are good, the deployment may be at fault: copy the public keys "
        "of whoever issues them to jws_public_key_repository = /etc/keys, and compare their "
        "algorithm with jws_accepted_algorithms"
    )
    assert caplog.records[0].levelno == logging.WARNING


def test_one_token_again_and_again_is_one_client_s_affair(
    streak: RefusalStreak, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(100):
        streak.note_refused("a token", BAD)
    assert caplog.messages == []


def test_a_token_that_is_accepted_ends_the_streak(
    streak: RefusalStreak, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(20):
        refuse(streak, number=TOKENS - 1)
        streak.note_accepted()
    assert caplog.messages == []


@pytest.mark.parametrize("reason", [Reason.NOT_FOUND, Reason.MALFORMED, Reason.REVOKED])
def test_other_reasons_say_nothing_of_the_deployment(
    streak: RefusalStreak, caplog: pytest.LogCaptureFixture, reason: Reason
) -> None:
    refuse(streak, InvalidToken(reason), 50)
    assert caplog.messages == []


def test_it_is_said_again_only_after_a_while(
    streak: RefusalStreak, caplog: pytest.LogCaptureFixture, steady: Steady
) -> None:
    for _ in range(10):
        refuse(streak)
        steady.now += PAUSE_SECONDS / 10 - 0.1
    assert len(caplog.messages) == 1
    steady.now += 10
    refuse(streak)
    assert len(caplog.messages) == 2


@pytest.mark.parametrize(
    ("ahead", "words"), [(240.0, "240 s behind that"), (-240.0, "240 s ahead of that")]
)
@pytest.mark.parametrize("refusal", [EARLY, EXPIRED], ids=["early", "expired"])
def test_clocks_that_differ_are_named(
    caplog: pytest.LogCaptureFixture, ahead: float, words: str, refusal: InvalidToken
) -> None:
    refuse(RefusalStreak("tokens", FIXES, lambda: ahead), refusal)
    (line,) = caplog.messages
    assert f"the clock of this host is {words} of the server (its Date header); set the" in line


@pytest.mark.parametrize("difference", [None, 3.0])
def test_expired_tokens_are_no_sign_of_anything_unless_the_clocks_differ(
    caplog: pytest.LogCaptureFixture, difference: float | None
) -> None:
    streak = RefusalStreak("tokens", FIXES, lambda: difference)
    refuse(streak, EXPIRED, 50)
    assert caplog.messages == []
    refuse(streak, EARLY)
    (line,) = caplog.messages
    assert "Date" not in line
    assert "set the clocks" in line


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (Reason.WRONG_ISSUER, "[authmw_issuer:acme] issuer"),
        (Reason.WRONG_AUDIENCE, "[authmw_issuer:acme] audience"),
        (Reason.BAD_SIGNATURE, "[authmw_issuer:acme] jwks_uri"),
    ],
)
def test_an_issuer_s_options_are_named(
    caplog: pytest.LogCaptureFixture, reason: Reason, words: str
) -> None:
    streak = RefusalStreak("tokens of issuer acme", describe_issuer_fixes("authmw_issuer:acme"))
    refuse(streak, InvalidToken(reason))
    (line,) = caplog.messages
    assert words in line


def test_a_server_s_clock_is_that_of_its_latest_date() -> None:
    clock = ServerClock(lambda: 784111777.0 + 100)
    assert clock.find_difference() is None
    clock.note("Sun, 06 Nov 1994 08:49:37 GMT")
    clock.note(None)
    assert clock.find_difference() == -100
    clock.note("soon")
    assert clock.find_difference() is None
